/** The row of tiles on top: the connection, the revision, and each collection; how old what is stale is, by the second. */
import { byId, make, show, write } from "./element.js"
import { long, plural, whole } from "./format.js"
import { revisionOf } from "./cast.js"

const names = { connecting: "Connecting", live: "Live", waiting: "Reconnecting", ended: "Ended" }
const tones = {
  connecting: "wait",
  live: "live",
  waiting: "wait",
  ended: "bad",
  loading: "wait",
  stale: "stale"
}
const labels = { rates: "Rates", pools: "Pools", assets: "Assets" }

export class States {
  #cast
  #connection
  #now
  #tiles = new Map()

  constructor({ cast, collections, connection, now }) {
    this.#cast = cast
    this.#connection = connection
    this.#now = now
    for (const name of collections) {
      const tile = makeTile(labels[name] ?? name)
      this.#tiles.set(name, tile)
      byId("states").append(tile.element)
    }
  }

  paint() {
    const { state } = this.#connection
    const tile = byId("connection")
    tile.dataset.tone = tones[state.kind]
    // Read aloud when it changes; the seconds beside it are not.
    write(byId("connection-state"), names[state.kind])
    write(byId("connection-more"), this.#more(state))
    show(byId("reconnect"), state.kind === "waiting" || state.kind === "ended")
    const revision = revisionOf(this.#cast.cursor)
    write(byId("revision"), revision === undefined ? "–" : whole(revision))
    for (const [name, { element, more, word }] of this.#tiles) {
      const collection = this.#cast.collections.get(name)
      const known = collection === undefined ? "loading" : this.#known(collection)
      element.dataset.tone = tones[known]
      write(word, known.charAt(0).toUpperCase() + known.slice(1))
      write(more, collection === undefined ? "" : this.#about(collection, known))
    }
  }

  #more(state) {
    if (state.kind === "waiting") {
      const revision = revisionOf(this.#cast.cursor)
      const seconds = Math.max(0, Math.ceil((state.at - Date.now()) / 1000))
      return `${seconds === 0 ? "now" : `in ${seconds} s`}${revision === undefined ? "" : `, to go on at ${whole(revision)}`}`
    }
    if (state.kind === "ended")
      return state.code === undefined ? "the server refuses" : state.code.replaceAll("_", " ")
    return `by ${this.#connection.roadName}`
  }

  /** What we were told last is not what is: cut off, we cannot say that anything is live. */
  #known({ state }) {
    const { kind } = this.#connection.state
    return state === "live" && (kind === "waiting" || kind === "ended") ? "waiting" : state
  }

  #about({ asOf, error, rows }, known) {
    if (known === "live") return plural(rows.size, "row")
    if (known === "waiting")
      return `Last word ${long(Date.now() - (this.#connection.heard ?? Date.now()))} ago.`
    const detail = error?.detail ?? ""
    return known === "loading" || asOf === undefined
      ? detail
      : `As of ${long(this.#now() - asOf)} ago. ${detail}`
  }
}

const makeTile = (label) => {
  const word = make("p", { class: "state" })
  const more = make("p", { class: "quiet" })
  const element = make("div", { class: "tile", "data-tone": "wait" }, make("h2", {}, label), word, more)
  return { element, more, word }
}
