/** The messages as elements: one stays the same element for as long as it is shown, so that nothing jumps or loses focus. */
import { byId, make, show, write } from "./shared/element.js"

const time = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" })
const whenOf = (at) => {
  const today = new Date().toDateString() === new Date(at).toDateString()
  return today ? time.format(at) : `${day.format(at)}, ${time.format(at)}`
}

export class Messages {
  #elements = new Map()
  #list = byId("messages")
  #scroll = byId("scroll")
  #on

  /**
   * `on.edit(key, text)` and `on.remove(key)` ask the server; what comes of it comes back as a message. Nothing is edited
   * where they are not.
   */
  constructor(on = {}) {
    this.#on = on
  }

  get isAtEnd() {
    const { clientHeight, scrollHeight, scrollTop } = this.#scroll
    return scrollHeight - scrollTop - clientHeight < 40
  }

  toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight
  }

  paint(thread, own) {
    const wasAtEnd = this.isAtEnd
    const fromEnd = this.#scroll.scrollHeight - this.#scroll.scrollTop
    const { keys } = thread
    const kept = new Set(keys)
    const newest = [...this.#elements.keys()].toSorted().at(-1)
    for (const [key, { element }] of this.#elements) {
      if (kept.has(key)) continue
      element.remove()
      this.#elements.delete(key)
    }
    const first = keys.find((key) => this.#elements.has(key))
    const grewAbove = first !== undefined && first !== keys[0]
    let next = this.#list.firstElementChild
    for (const key of keys) {
      const message = this.#elements.get(key) ?? this.#make(key)
      message.paint(thread.at(key), thread.isLive(key), own)
      if (message.element === next) next = next.nextElementSibling
      else this.#list.insertBefore(message.element, next)
    }
    if (wasAtEnd) this.toEnd()
    else if (grewAbove) this.#scroll.scrollTop = this.#scroll.scrollHeight - fromEnd
    show(byId("nothing"), keys.length === 0)
    if (!wasAtEnd && newest !== undefined && keys.at(-1) > newest) show(byId("newer"), true)
  }

  #make(key) {
    const author = make("span", { class: "author" })
    const when = make("time")
    const edited = make("span", { class: "edited" }, "edited")
    const text = make("p", { class: "text" })
    const edit = make("button", { type: "button", class: "edit" }, "Edit")
    const remove = make("button", { type: "button", class: "delete" }, "Delete")
    const more = make("p", { class: "more" }, edit, remove)
    const about = make("p", { class: "about" }, author, when, edited)
    const element = make("li", { class: "message", "data-key": key }, about, text, more)
    edit.addEventListener("click", () => this.#edit(key, element, text, more))
    remove.addEventListener("click", () => this.#on.remove(key))
    const paint = (row, isLive, own) => {
      write(author, row.author)
      write(when, whenOf(row.at))
      write(text, row.text)
      show(edited, row.edited !== undefined)
      show(
        more,
        this.#on.edit !== undefined &&
          isLive &&
          row.author === own &&
          element.querySelector("textarea") === null
      )
      element.classList.toggle("own", row.author === own)
      element.toggleAttribute("data-live", isLive)
    }
    const message = { element, paint }
    this.#elements.set(key, message)
    return message
  }

  #edit(key, element, text, more) {
    const area = make("textarea", { maxlength: "2000", "aria-label": "Edit the message" })
    area.value = text.textContent
    const close = () => {
      area.remove()
      show(text, true)
      show(more, true)
    }
    area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close()
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
      event.preventDefault()
      if (area.value.trim() !== "" && area.value !== text.textContent) this.#on.edit(key, area.value)
      close()
    })
    element.append(area)
    show(text, false)
    show(more, false)
    area.focus()
  }
}
