/** What pops up, and goes by itself; the table says the same for as long as anybody wants to know. */
import { byId, make } from "./shared/element.js"

const lasts = 8_000
const most = 3

const words = {
  done: ({ what, order }) => [`${what} is ready`, `Order ${order} has been shared.`],
  failed: ({ what, reason }) => [`${what} failed`, reason === undefined ? "" : `Because ${reason}.`]
}

export const popUp = (job) => {
  const [title, more] = words[job.state](job)
  const close = make("button", { type: "button", "aria-label": "Close" }, "×")
  const toast = make(
    "li",
    { class: "toast", "data-state": job.state },
    make("strong", {}, title),
    close,
    make("p", { class: "quiet" }, more)
  )
  close.addEventListener("click", () => toast.remove())
  setTimeout(() => toast.remove(), lasts)
  const list = byId("toasts")
  list.append(toast)
  while (list.children.length > most) list.firstElementChild.remove()
}
