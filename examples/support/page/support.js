/** Support, for whoever looks at it: a customer sees one thread, the staff all of them. */
import { Account, everybody } from "./account.js"
import { collectionOf, Desk, uidOf } from "./desk.js"
import { Messages } from "./messages.js"
import { Outbox } from "./outbox.js"
import { byId, make, show, write } from "./shared/element.js"
import { connect } from "./shared/ratecast.js"
import { rowsOf, showStatus } from "./shared/status.js"
import { startTheme } from "./shared/theme.js"
import { streamWith } from "./stream.js"
import { Thread } from "./thread.js"

const page = 200

const showPeople = (people, own) => {
  for (const { id, name } of people) {
    const search = new URLSearchParams(location.search)
    search.set("as", id)
    byId("people").append(
      make("a", { href: `?${search}`, ...(id === own && { "aria-current": "page" }) }, name)
    )
  }
}

const start = (people, me) => {
  const account = new Account(me.id)
  const messages = new Messages()
  /** By uid. */
  const threads = new Map()
  const nameOf = (id) => people.find((each) => each.id === id)?.name ?? id
  let chosen = me.isStaff ? location.hash.slice(1) : me.id

  const threadOf = (uid) => {
    if (!threads.has(uid)) threads.set(uid, new Thread(collectionOf(uid)))
    return threads.get(uid)
  }
  /** With names in place of ids. */
  const named = (thread) => ({
    keys: thread.keys,
    isLive: (key) => thread.isLive(key),
    at: (key) => ({ ...thread.at(key), author: nameOf(thread.at(key).author) })
  })

  const unsent = (letter) => {
    const about = make("p", { class: "about" }, letter.problem ?? "sending")
    const element = make(
      "li",
      { class: "message own unsent" },
      about,
      make("p", { class: "text" }, letter.text)
    )
    if (letter.problem === undefined) return element
    const drop = make("button", { type: "button" }, "Discard")
    drop.addEventListener("click", () => outbox.drop(letter))
    element.append(make("p", { class: "more" }, drop))
    return element
  }

  const paint = () => {
    outbox.settle((key, { uid }) => threadOf(uid).at(key) !== undefined)
    if (me.isStaff) {
      desk.paint(threads, chosen)
      show(byId("choose"), chosen === "")
      write(byId("whose"), chosen === "" ? "" : nameOf(chosen))
    }
    show(byId("compose"), chosen !== "")
    const thread = chosen === "" ? undefined : threadOf(chosen)
    messages.paint(thread === undefined ? { keys: [] } : named(thread), me.name)
    show(byId("nothing"), thread !== undefined && thread.keys.length === 0)
    show(byId("older"), thread?.hasOlder === true)
    byId("unsent").replaceChildren(...outbox.letters.filter(({ uid }) => uid === chosen).map(unsent))
  }

  const outbox = new Outbox(
    () => {
      const follow = messages.isAtEnd
      paint()
      if (follow) messages.toEnd()
    },
    ({ text, uid }, headers) => account.ask("POST", `v1/rows/${collectionOf(uid)}`, { text }, headers)
  )
  const desk = new Desk({
    nameOf,
    choose: (uid) => {
      chosen = uid
      location.replace(`#${encodeURIComponent(uid)}`)
      show(byId("newer"), false)
      paint()
      messages.toEnd()
      byId("text").focus()
    }
  })

  const cast = connect("./", {
    collections: [collectionOf(me.isStaff ? "*" : me.id)],
    roads: ["stream"],
    share: () => streamWith(account),
    trace: (text) => {
      const message = JSON.parse(text)
      for (const name of Object.keys(message.collections ?? {})) threadOf(uidOf(name)).hear(message)
    }
  })
  const watched = new Set()
  /** Of the desk there are more as they come. */
  const watch = (name) => {
    if (watched.has(name) || name.endsWith("*")) return
    watched.add(name)
    const collection = cast.collection(name)
    const take = () => {
      // One that is gone has no thread any more.
      if (me.isStaff && collection.rows.length === 0) threads.delete(uidOf(name))
      else threadOf(uidOf(name)).take(rowsOf(collection))
      paint()
    }
    collection.subscribe(take)
    take()
  }

  let reading = false
  byId("older").addEventListener("click", async () => {
    if (reading) return
    reading = true
    const { before, take } = threadOf(chosen).older()
    const query = new URLSearchParams({ before, limit: page })
    try {
      take(await account.ask("GET", `v1/history/${collectionOf(chosen)}?${query}`))
      write(byId("problem"), "")
    } catch ({ message, status }) {
      write(byId("problem"), status === undefined ? "The server cannot be reached; try again." : message)
    }
    reading = false
    paint()
  })
  const send = () => {
    const text = byId("text").value.trim()
    if (text === "" || chosen === "") return
    byId("text").value = ""
    messages.toEnd()
    outbox.add({ uid: chosen, text })
  }
  byId("compose").addEventListener("submit", (event) => {
    event.preventDefault()
    send()
  })
  byId("text").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    send()
  })
  byId("newer").addEventListener("click", () => messages.toEnd())
  byId("scroll").addEventListener("scroll", () => {
    if (messages.isAtEnd) show(byId("newer"), false)
  })
  document.body.dataset.role = me.isStaff ? "staff" : "customer"
  cast.subscribe(() => {
    showStatus(cast)
    for (const { name } of cast.collections.values()) watch(name)
    // A desk without threads is told of none.
    if (cast.status.cursor !== undefined) paint()
  })
}

startTheme(byId("look"))
try {
  const people = await everybody()
  const id = new URLSearchParams(location.search).get("as") ?? people[0].id
  const me = people.find((each) => each.id === id)
  showPeople(people, id)
  if (me === undefined) write(byId("problem"), "Nobody of that name is known; choose who you are.")
  else start(people, me)
} catch ({ message }) {
  write(byId("state"), "Nobody is logged in")
  write(byId("problem"), message)
}
