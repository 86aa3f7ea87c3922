/**
 * Keeps one road open and resumes with the cursor: after a goodbye when it says, after a failure with a growing pause and
 * jitter, and after 40 s of silence, because a connection can be dead without anybody telling us.
 */
const silence = 40_000
const longest = 30_000

/** Reasons of a goodbye that coming back does not help against. */
const final = new Set([
  "forbidden",
  "unauthenticated",
  "revoked",
  "unknown_collection",
  "bad_message",
  "too_large"
])

export class Connection {
  /** `connecting`, `live`, `waiting` until `at`, or `ended` with a `code`. */
  state = { kind: "connecting" }
  road = "stream"
  interval = ""
  #cast
  #roads
  #collections
  #on
  #close = () => {}
  #timer
  #attempts = 0
  #openedAt = 0
  /** When the last message came, ms since 1970. */
  heard

  /** `on.message(receipt, opening)`: `opening` says, of the first message, whence and by which road it was asked for. */
  constructor({ cast, collections, on, roads }) {
    this.#cast = cast
    this.#roads = roads
    this.#collections = collections
    this.#on = on
  }

  get roadName() {
    return this.#roads[this.road].name
  }

  open({ interval = this.interval, road = this.road } = {}) {
    this.#leave()
    this.road = road
    this.interval = interval
    // An attempt of many is no news.
    const again = this.state.kind === "waiting"
    this.#become(again ? { kind: "waiting", at: Date.now() } : { kind: "connecting" })
    this.#openedAt = Date.now()
    this.#listen()
    let opening = { road: this.roadName, since: this.#cast.cursor }
    let open = true
    const close = this.#roads[road].open((since) => this.#query(since), {
      cursor: () => this.#cast.cursor,
      message: (text) => {
        if (!open) return
        this.#take(text, opening)
        opening = undefined
      },
      nothing: (cursor) => {
        if (!open) return
        this.#cast.pass(cursor)
        this.#lives()
        this.#on.message({ type: "nothing", size: 0, rows: 0, fields: 0, touched: new Map() }, opening)
        opening = undefined
      },
      failure: (failure) => open && this.#retry(failure)
    })
    this.#close = () => {
      open = false
      close()
    }
  }

  /** The network or the page is back: no reason to wait any longer. */
  wake() {
    const silent =
      this.state.kind !== "waiting" && Date.now() - Math.max(this.#openedAt, this.heard ?? 0) > silence
    if (this.state.kind === "waiting" || silent) this.open()
  }

  #query(since) {
    const query = new URLSearchParams({ collections: this.#collections.join(",") })
    if (since !== undefined) query.set("since", since)
    if (this.interval !== "") query.set("interval", this.interval)
    return query
  }

  #take(text, opening) {
    let receipt
    try {
      receipt = this.#cast.take(text)
    } catch {
      // However far it was applied, a snapshot mends it.
      this.#cast.forget()
      return this.#retry({})
    }
    const { message, outcome, type } = receipt
    if (type !== "goodbye" && outcome !== "again") this.#lives()
    this.#on.message(receipt, opening)
    if (type === "goodbye") {
      this.#retry({ ...message, final: final.has(message.code) })
    } else if (outcome === "again") {
      this.#retry({})
    }
  }

  #lives() {
    this.#attempts = 0
    this.heard = Date.now()
    this.#listen()
    if (this.state.kind !== "live") this.#become({ kind: "live" })
  }

  #retry({ code, final = false, retryAfterMs = 0 }) {
    this.#leave()
    if (final) return this.#become({ kind: "ended", code })
    // Between half and all of it, so that a thousand pages do not come back in the same instant.
    const pause = Math.min(longest, 1000 * 2 ** this.#attempts) * (0.5 + Math.random() / 2)
    const wait = Math.max(retryAfterMs, pause)
    this.#attempts++
    this.#become({ kind: "waiting", at: Date.now() + wait })
    this.#timer = setTimeout(() => this.open(), wait)
  }

  #listen() {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#retry({}), silence)
  }

  #leave() {
    clearTimeout(this.#timer)
    this.#close()
    this.#close = () => {}
  }

  #become(state) {
    this.state = state
    this.#on.state(state)
  }
}
