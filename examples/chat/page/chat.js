/** The chat: one connection, the thread it keeps right, and what somebody writes. */
import { Messages } from "./messages.js"
import { ask, Outbox } from "./outbox.js"
import { byId, make, show, write } from "./shared/element.js"
import { connect } from "./shared/ratecast.js"
import { rowsOf, showStatus } from "./shared/status.js"
import { startTheme } from "./shared/theme.js"
import { Thread } from "./thread.js"

const page = 50
const thread = new Thread("chat")
const cast = connect("./", { collections: ["chat"], trace: (text) => thread.hear(JSON.parse(text)) })
const pathOf = (key) => `v1/rows/chat/${encodeURIComponent(key)}`
const own = () => byId("name").value.trim()

const asking = async (asked) => {
  try {
    await asked
    write(byId("problem"), "")
  } catch ({ message, status }) {
    write(byId("problem"), status === undefined ? "The server cannot be reached; try again." : message)
  }
}

const messages = new Messages({
  edit: (key, text) => asking(ask("PATCH", pathOf(key), { set: { text } })),
  remove: (key) => asking(ask("DELETE", pathOf(key)))
})

const unsent = (letter) => {
  const { author, problem, text } = letter
  const about = make("p", { class: "about" }, make("span", { class: "author" }, author), problem ?? "sending")
  const element = make("li", { class: "message own unsent" }, about, make("p", { class: "text" }, text))
  if (problem === undefined) return element
  const drop = make("button", { type: "button" }, "Discard")
  drop.addEventListener("click", () => outbox.drop(letter))
  element.append(make("p", { class: "more" }, drop))
  return element
}

const paint = () => {
  outbox.settle((key) => thread.at(key) !== undefined)
  messages.paint(thread, own())
  byId("unsent").replaceChildren(...outbox.letters.map(unsent))
  show(byId("older"), thread.hasOlder)
}

const outbox = new Outbox(
  () => {
    const follow = messages.isAtEnd
    paint()
    if (follow) messages.toEnd()
  },
  ({ author, text }, headers) => ask("POST", "v1/rows/chat", { author, text }, headers)
)

let reading = false
const readOlder = async () => {
  if (reading || !thread.hasOlder) return
  reading = true
  const { before, take } = thread.older()
  const query = new URLSearchParams({ before, limit: page })
  await asking(ask("GET", `v1/history/chat?${query}`).then(take))
  reading = false
  paint()
}

const send = () => {
  const text = byId("text").value.trim()
  if (own() === "") return byId("name").focus()
  if (text === "") return
  byId("text").value = ""
  messages.toEnd()
  outbox.add({ author: own(), text })
}

/** A page may be forbidden to keep anything. */
const kept = {
  get: () => {
    try {
      return localStorage.getItem("ratecast-chat-name") ?? ""
    } catch {
      return ""
    }
  },
  set: (name) => {
    try {
      localStorage.setItem("ratecast-chat-name", name)
    } catch {
      // Then it lasts as long as the page.
    }
  }
}

byId("name").value = kept.get()
byId("name").addEventListener("input", () => {
  kept.set(own())
  paint()
})
byId("compose").addEventListener("submit", (event) => {
  event.preventDefault()
  send()
})
byId("text").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
  event.preventDefault()
  send()
})
byId("older").addEventListener("click", readOlder)
byId("newer").addEventListener("click", () => messages.toEnd())
byId("scroll").addEventListener("scroll", () => {
  if (messages.isAtEnd) show(byId("newer"), false)
})
startTheme(byId("look"))
cast.subscribe(() => showStatus(cast))
cast.chat.subscribe(() => {
  thread.take(rowsOf(cast.chat))
  paint()
})
