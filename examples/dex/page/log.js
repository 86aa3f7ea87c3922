/** The last messages: of what kind, how large and what was in them. */
import { byId, make } from "./element.js"
import { clock, plural, size } from "./format.js"
import { revisionOf } from "./cast.js"

const kept = 8

export class Log {
  #list = byId("log")

  note(receipt, opening) {
    const { size: length, type } = receipt
    this.#list.prepend(
      make(
        "li",
        { "data-type": type, title: clock(Date.now()) },
        make("span", { class: "type" }, type),
        make(
          "span",
          { class: "about" },
          about(receipt),
          opening === undefined ? "" : ` · ${whence(receipt, opening)}`
        ),
        make("span", { class: "size" }, size(length))
      )
    )
    while (this.#list.children.length > kept) this.#list.lastElementChild.remove()
  }
}

const about = ({ fields, message, outcome, rows, type }) => {
  if (outcome === "again") return "not from here: asking again"
  if (type === "nothing") return "no change, 204"
  if (type === "snapshot") return `${message.reason}, ${plural(rows, "row")}`
  if (type === "goodbye") return `${message.code.replaceAll("_", " ")}`
  if (type === "ping") return "no change"
  const states = Object.entries(message.collections).flatMap(([name, { state }]) =>
    state === undefined ? [] : [`${name} ${state}`]
  )
  const counts = fields === 0 && rows === 0 ? [] : [`${plural(fields, "field")} of ${plural(rows, "row")}`]
  return [...counts, ...states].join(", ") || "no rows"
}

const whence = ({ type }, { road, since }) => {
  if (since === undefined) return `opened by ${road}`
  return `${type === "snapshot" ? "asked from" : "resumed at"} ${revisionOf(since)} by ${road}`
}
