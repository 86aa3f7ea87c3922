/** The threads that somebody may read, the ones that wait for an answer first. */
import { byId, make, show, write } from "./shared/element.js"

const prefix = "support:"

export const uidOf = (name) => name.slice(prefix.length)
export const collectionOf = (uid) => `${prefix}${uid}`

export class Desk {
  #elements = new Map()
  #list = byId("threads")
  #choose
  #nameOf

  constructor({ choose, nameOf }) {
    this.#choose = choose
    this.#nameOf = nameOf
  }

  /** `threads`: by uid. */
  paint(threads, chosen) {
    const sorted = [...threads].map(([uid, thread]) => lastOf(uid, thread)).toSorted(byUrgency)
    for (const { at, text, uid, waits } of sorted) {
      const element = this.#elements.get(uid) ?? this.#make(uid)
      write(element.querySelector(".name"), this.#nameOf(uid))
      write(element.querySelector(".last"), text)
      element.toggleAttribute("data-waits", waits)
      element.title = waits
        ? `waits since ${new Date(at).toLocaleTimeString("en", { hourCycle: "h23" })}`
        : ""
      if (uid === chosen) element.setAttribute("aria-current", "true")
      else element.removeAttribute("aria-current")
    }
    const order = sorted.map(({ uid }) => this.#elements.get(uid).parentElement)
    // Moving what has the focus would take it away.
    if (order.some((item, i) => this.#list.children[i] !== item)) {
      const focused = document.activeElement
      this.#list.replaceChildren(...order)
      if (this.#list.contains(focused)) focused.focus()
    }
    show(byId("no-threads"), sorted.length === 0)
  }

  #make(uid) {
    const name = make("span", { class: "name" })
    const element = make("button", { type: "button", "data-uid": uid }, name, make("span", { class: "last" }))
    element.addEventListener("click", () => this.#choose(uid))
    make("li", {}, element)
    this.#elements.set(uid, element)
    return element
  }
}

const lastOf = (uid, thread) => {
  const { at = 0, author, text = "" } = thread.at(thread.keys.at(-1)) ?? {}
  return { uid, at, text, waits: author === uid }
}

const byUrgency = (a, b) => Number(b.waits) - Number(a.waits) || b.at - a.at
