import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"

import { Cast, change, load, ping, snapshot } from "./Messages.ts"

interface RoadEvents {
  readonly cursor: () => string | undefined
  readonly message: (text: string) => void
  readonly nothing: (cursor: string) => void
  readonly failure: (failure: { readonly final?: boolean; readonly retryAfterMs?: number }) => void
}

interface Connection {
  readonly state: { readonly kind: string; readonly at?: number; readonly code?: string }
  readonly open: (options?: { readonly road?: string; readonly interval?: string }) => void
  readonly wake: () => void
}

const { Connection } = await load<{ readonly Connection: new (options: object) => Connection }>(
  "connection.js"
)

describe("connection.js comes back", () => {
  const opened: Array<{ readonly query: string; readonly on: RoadEvents; closed: boolean }> = []
  let connection: Connection
  const seen: Array<string> = []
  const road = (name: string) => ({
    name,
    open: (query: (since: string | undefined) => URLSearchParams, on: RoadEvents) => {
      const one = { query: `${name}?${query(on.cursor())}`, on, closed: false }
      opened.push(one)
      return () => (one.closed = true)
    }
  })
  const last = () => opened.at(-1)!

  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
    vi.spyOn(Math, "random").mockReturnValue(0)
    opened.length = 0
    seen.length = 0
    connection = new Connection({
      cast: new Cast(),
      collections: ["a", "b"],
      roads: { stream: road("stream"), poll: road("poll") },
      on: { state: ({ kind }: { kind: string }) => seen.push(kind), message: () => {} }
    })
    connection.open()
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })

  it("opens without a cursor, is live with the first message, and resumes by another road or at another pace", () => {
    last().on.message(snapshot("e-1-x", { a: { state: "live", rows: {} } }))
    connection.open({ road: "poll" })
    last().on.message(ping("e-1-x", "e-2-x"))
    connection.open({ interval: "5s" })
    assert.deepStrictEqual(
      opened.map(({ closed, query }) => [query, closed]),
      [
        ["stream?collections=a%2Cb", true],
        ["poll?collections=a%2Cb&since=e-1-x", true],
        ["poll?collections=a%2Cb&since=e-2-x&interval=5s", false]
      ]
    )
    assert.deepStrictEqual(seen, ["connecting", "live", "connecting", "live", "connecting"])
  })

  it("after a goodbye no sooner than it says, with the cursor", () => {
    last().on.message(snapshot("e-1-x", {}))
    last().on.message('{"type":"goodbye","code":"rotation","retryAfterMs":1800}')
    assert.isTrue(opened[0]!.closed)
    // What the closed road still says is nobody's any more.
    opened[0]!.on.failure({})
    vi.advanceTimersByTime(1799)
    assert.strictEqual(opened.length, 1)
    vi.advanceTimersByTime(1)
    assert.match(last().query, /since=e-1-x$/)
    assert.strictEqual(connection.state.kind, "waiting")
    last().on.message(ping("e-1-x", "e-1-x"))
    assert.strictEqual(connection.state.kind, "live")
  })

  it("after failures by a pause that doubles up to half a minute, and starts anew once a message came", () => {
    const pauses: Array<number> = []
    for (let attempt = 0; attempt < 8; attempt++) {
      last().on.failure({})
      pauses.push(connection.state.at! - Date.now())
      vi.advanceTimersByTime(pauses.at(-1)!)
    }
    assert.deepStrictEqual(pauses, [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000])
    last().on.message(snapshot("e-1-x", {}))
    last().on.failure({})
    assert.strictEqual(connection.state.at! - Date.now(), 500)
  })

  it("after 40 s without a word, and at once when the network is back", () => {
    last().on.message(snapshot("e-1-x", {}))
    vi.advanceTimersByTime(39_000)
    last().on.message(ping("e-1-x", "e-1-x"))
    vi.advanceTimersByTime(39_999)
    assert.strictEqual(connection.state.kind, "live")
    vi.advanceTimersByTime(1)
    assert.strictEqual(connection.state.kind, "waiting")
    connection.wake()
    assert.strictEqual(opened.length, 2)
    connection.wake()
    assert.strictEqual(opened.length, 3, "an attempt that hangs is not waited for")
    last().on.message(ping("e-1-x", "e-1-x"))
    connection.wake()
    assert.strictEqual(opened.length, 3)
  })

  it("asks again from its cursor after a change from elsewhere, and from nothing after half a message", () => {
    last().on.message(snapshot("e-1-x", {}))
    last().on.message(change("e-5-x", "e-6-x", {}))
    vi.advanceTimersByTime(500)
    assert.match(last().query, /since=e-1-x$/)
    last().on.message('{"type":"cha')
    vi.advanceTimersByTime(1000)
    assert.strictEqual(last().query, "stream?collections=a%2Cb")
  })

  it("not where coming back does not help", () => {
    last().on.message('{"type":"goodbye","code":"forbidden"}')
    vi.advanceTimersByTime(600_000)
    assert.deepStrictEqual([connection.state.kind, connection.state.code], ["ended", "forbidden"])
    assert.strictEqual(opened.length, 1)
  })
})
