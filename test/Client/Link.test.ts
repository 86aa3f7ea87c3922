import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"

import { type CastError, type SnapshotMessage } from "../../client/Cast.ts"
import { change, cursor, type Line, snapshot, Stage } from "./Stage.ts"

const rows = { a: { id: "a", usd: "1" } }
const second = 1_000

let stage: Stage
beforeEach(() => {
  stage = new Stage()
})
afterEach(() => stage.leave())

const busyFor = (seconds: string) => () =>
  Response.json(
    { status: 503, code: "unavailable", detail: "busy" },
    { status: 503, headers: { "content-type": "application/problem+json", "retry-after": seconds } }
  )

/** Every connection gets what it lacks, and pings. */
const serving = (line: Line) => {
  const since = line.query.get("since")
  if (since === null) line.say(snapshot(1, rows))
  else if (line.road === "changes" && line.query.get("wait") !== "0s") return
  else line.say({ type: "ping", from: since, cursor: since })
  const pings = setInterval(() => {
    if (line.isOpen) line.say({ type: "ping", from: cursor(1), cursor: cursor(1) })
    else clearInterval(pings)
  }, 15 * second)
}

describe("a client's connection", () => {
  it("is there while somebody reads, and 3 s longer", async () => {
    stage.greet = serving
    const cast = stage.connect()
    await stage.pass(10 * second)
    assert.strictEqual(stage.lines.length, 0)
    const stop = cast.pools.subscribe(() => {})
    await stage.pass(second)
    assert.strictEqual(stage.open.length, 1)
    // As React does in StrictMode, and pages from one view to the next.
    stop()
    await stage.pass(2 * second)
    const again = cast.pools.subscribe("a", () => {})
    await stage.pass(10 * second)
    assert.strictEqual(stage.lines.length, 1)
    again()
    again()
    await stage.pass(2.9 * second)
    assert.strictEqual(stage.open.length, 1)
    await stage.pass(0.2 * second)
    assert.strictEqual(stage.open.length, 0)
    await stage.pass(16 * second)
    assert.strictEqual(vi.getTimerCount(), 0)
  })

  it("goes on from its cursor when it is read again", async () => {
    stage.greet = serving
    const cast = stage.connect()
    cast.pools.subscribe(() => {})()
    await stage.pass(10 * second)
    cast.pools.subscribe(() => {})
    await stage.pass(second)
    assert.strictEqual(stage.line.query.get("since"), cursor(1))
    cast.close()
  })

  it("takes the next road after three that did not hold, and says which", async () => {
    stage.greet = (line) => {
      if (line.road !== "changes") line.end()
      else if (line.query.get("since") === null) line.say(snapshot(1, rows))
    }
    const cast = stage.connect()
    cast.subscribe(() => {})
    await stage.pass(30 * second)
    const roads = stage.lines.map(({ road }) => road)
    assert.deepStrictEqual(roads.slice(0, 7), [
      "socket",
      "socket",
      "socket",
      "stream",
      "stream",
      "stream",
      "changes"
    ])
    assert.strictEqual(cast.status.road, "changes")
    assert.strictEqual(cast.status.state, "live")
    cast.close()
  })

  it("does not wait three times for a road that says nothing", async () => {
    stage.greet = (line) => (line.road === "socket" ? undefined : line.say(snapshot(1, rows)))
    const cast = stage.connect()
    cast.subscribe(() => {})
    await stage.pass(17 * second)
    assert.deepStrictEqual(
      stage.lines.map(({ road }) => road),
      ["socket", "stream"]
    )
    cast.close()
  })

  it("tries a better road again, later and later, without losing the place", async () => {
    let isBlocked = true
    stage.greet = (line) => (line.road === "socket" && isBlocked ? line.end() : serving(line))
    const cast = stage.connect({ roads: ["socket", "stream"] })
    cast.subscribe(() => {})
    await stage.pass(30 * second)
    assert.strictEqual(stage.lines.length, 4)
    await stage.pass(70 * second)
    // One more look, and back.
    assert.deepStrictEqual(
      stage.lines.slice(4).map(({ road }) => road),
      ["socket", "stream"]
    )
    await stage.pass(60 * second)
    assert.strictEqual(stage.lines.length, 6)
    isBlocked = false
    await stage.pass(200 * second)
    assert.strictEqual(stage.line.road, "socket")
    assert.strictEqual(stage.line.query.get("since"), cursor(1))
    await stage.pass(600 * second)
    assert.strictEqual(stage.open.length, 1)
    assert.strictEqual(stage.open[0]!.road, "socket")
    cast.close()
  })

  it("comes back after a pause that grows, by chance, and never before the server says", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999)
    stage.greet = (line) => line.end()
    const cast = stage.connect({ roads: ["stream"] })
    cast.subscribe(() => {})
    await stage.pass(200 * second)
    const pauses = stage.lines.slice(1).map(({ at }, i) => at - stage.lines[i]!.at)
    const expected = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]
    for (const [i, most] of expected.entries()) {
      assert.isAtLeast(pauses[i]!, most * 0.99)
      assert.isAtMost(pauses[i]!, most + 1000)
    }
    stage.greet = (line) => line.end(503, { code: "unavailable" }, { "retry-after": "40" })
    await stage.pass(31 * second)
    const { length } = stage.lines
    await stage.pass(39 * second)
    assert.strictEqual(stage.lines.length, length)
    await stage.pass(32 * second)
    assert.strictEqual(stage.lines.length, length + 1)
    cast.close()
  })

  it("starts with short pauses again once a road has held", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999)
    stage.greet = (line) => line.end()
    const cast = stage.connect({ roads: ["stream"] })
    cast.subscribe(() => {})
    await stage.pass(60 * second)
    stage.greet = serving
    await stage.pass(40 * second)
    stage.line.end()
    const { length } = stage.lines
    await stage.pass(1.1 * second)
    assert.strictEqual(stage.lines.length, length + 1)
    cast.close()
  })

  it("says goodbye when the server does, and is back when it said", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0)
    stage.greet = serving
    const cast = stage.connect({ roads: ["stream"] })
    const states: Array<string> = []
    cast.subscribe(() => states.push(cast.status.state))
    await stage.pass(second)
    // Ten deployments in a row are no reason to change the road.
    for (let i = 0; i < 10; i++) {
      stage.line.say({ type: "goodbye", code: "shutdown", retryAfterMs: 1800 })
      await stage.pass(1.7 * second)
      assert.strictEqual(stage.open.length, 0)
      await stage.pass(second)
      assert.strictEqual(stage.open.length, 1)
    }
    assert.deepStrictEqual([...new Set(stage.lines.map(({ road }) => road))], ["stream"])
    assert.deepStrictEqual([...new Set(states)], ["live"])
    cast.close()
  })

  it("is given up when it is silent for longer than pings take, also one that sleep has killed", async () => {
    stage.greet = (line) => line.say(snapshot(1, rows))
    const cast = stage.connect({ roads: ["stream"] })
    cast.subscribe(() => {})
    await stage.pass(30 * second)
    stage.line.say({ type: "ping", from: cursor(1), cursor: cursor(1) })
    await stage.pass(37 * second)
    assert.strictEqual(stage.lines.length, 1)
    await stage.pass(2 * second)
    assert.strictEqual(stage.lines.length, 2)
    // The lid was closed: the clock is hours on, and no timer has run.
    vi.setSystemTime(Date.now() + 3_600 * second)
    await stage.pass(1.2 * second)
    assert.strictEqual(stage.lines.length, 3)
    assert.strictEqual(stage.open.length, 1)
    cast.close()
  })

  it("by long poll is live at once where nothing has changed, and asks again after an answer without a cursor", async () => {
    stage.greet = serving
    const cast = stage.connect({ roads: ["changes"], from: snapshot(1, rows) as never })
    cast.subscribe(() => {})
    await stage.pass(second)
    assert.strictEqual(stage.lines[0]!.query.get("wait"), "0s")
    assert.strictEqual(stage.line.query.get("wait"), null)
    assert.strictEqual(cast.status.state, "live")
    assert.isAtMost(stage.lines.length, 2)
    cast.close()
  })

  it("by long poll comes back after a pause where somebody takes the cursor away", async () => {
    const asked = vi.fn(async () => Response.json(snapshot(1, rows)))
    vi.stubGlobal("fetch", asked)
    const cast = stage.connect({ roads: ["changes"] })
    cast.subscribe(() => {})
    await stage.pass(5 * second)
    assert.isAbove(asked.mock.calls.length, 2)
    assert.isBelow(asked.mock.calls.length, 30)
    cast.close()
  })

  it("sends cookies where it is told to", async () => {
    for (const credentials of ["include", undefined] as const) {
      const asked = vi.fn<typeof fetch>(async () => Response.json({}))
      vi.stubGlobal("fetch", asked)
      const cast = stage.connect({ roads: ["stream"], ...(credentials && { credentials }) })
      await cast.pools.history()
      cast.subscribe(() => {})
      await stage.pass(10)
      assert.deepStrictEqual(
        asked.mock.calls.slice(0, 2).map(([, init]) => init!.credentials),
        [credentials, credentials]
      )
      cast.close()
    }
  })

  it("is not made by a write, nor waited for", async () => {
    stage.answer = () => Response.json({ epoch: "e1", revision: 7, key: "a" })
    const cast = stage.connect()
    await cast.collection("toasts").append({ id: "a" })
    await cast.pools.append({ id: "a" })
    assert.lengthOf(stage.lines, 0)
  })

  it("comes back though Retry-After is a date", async () => {
    stage.greet = (line) => line.end(503, undefined, { "retry-after": "Sun, 22 Nov 2026 00:00:00 GMT" })
    const cast = stage.connect({ roads: ["stream"] })
    cast.subscribe(() => {})
    await stage.pass(10 * second)
    assert.isAbove(stage.lines.length, 2)
    cast.close()
  })

  it("is stale after 2 s without one, and live again with the first message", async () => {
    stage.greet = serving
    const cast = stage.connect({ roads: ["stream"] })
    cast.subscribe(() => {})
    assert.strictEqual(cast.status.state, "connecting")
    await stage.pass(second)
    assert.strictEqual(cast.status.state, "live")
    stage.greet = () => {}
    stage.line.end()
    await stage.pass(1.5 * second)
    assert.strictEqual(cast.status.state, "live")
    await stage.pass(second)
    assert.strictEqual(cast.status.state, "stale")
    assert.strictEqual(cast.pools.get("a")!.usd, "1")
    stage.line.say(change(1, 2, { set: { a: { usd: "2" } } }))
    await stage.pass(100)
    assert.strictEqual(cast.status.state, "live")
    assert.strictEqual(cast.pools.get("a")!.usd, "2")
    cast.close()
  })

  it("tells that it is live though nothing has changed: from the first, and after an outage", async () => {
    const cast = stage.connect({ from: snapshot(1, rows) as SnapshotMessage })
    const states: Array<string> = []
    cast.subscribe(() => states.push(cast.status.state))
    await stage.pass(second)
    const ping = () => stage.line.say({ type: "ping", from: cursor(1), cursor: cursor(1) })
    ping()
    await stage.pass(second)
    assert.strictEqual(states.at(-1), "live")
    await stage.pass(10 * second)
    stage.line.end()
    await stage.pass(2.6 * second)
    assert.strictEqual(states.at(-1), "stale")
    ping()
    await stage.pass(second)
    assert.strictEqual(states.at(-1), "live")
    cast.close()
  })

  it("says why it has failed at once, also where it was just live", async () => {
    const cast = stage.connect()
    cast.subscribe(() => {})
    await stage.pass(100)
    stage.line.say(snapshot(1, rows))
    await stage.pass(100)
    stage.line.end(4403)
    await stage.pass(100)
    assert.strictEqual(cast.status.state, "failed")
    assert.strictEqual(cast.status.error?.status, 403)
    cast.close()
  })

  it("that the server sends elsewhere is nobody's business for as long as it said, 5 s at most", async () => {
    stage.greet = serving
    const cast = stage.connect({ roads: ["stream"] })
    cast.subscribe(() => {})
    await stage.pass(10 * second)
    stage.greet = () => {}
    stage.line.say({ type: "goodbye", code: "shutdown", retryAfterMs: 3_000 })
    await stage.pass(4.5 * second)
    assert.strictEqual(cast.status.state, "live")
    await stage.pass(second)
    assert.strictEqual(cast.status.state, "stale")
    cast.close()
  })

  it("has failed where the server says so for good, and tries again when it is told to", async () => {
    stage.greet = (line) => line.end(403, { code: "forbidden", detail: "not for you" })
    const cast = stage.connect({ roads: ["stream", "changes"] })
    cast.subscribe(() => {})
    await stage.pass(120 * second)
    assert.strictEqual(stage.lines.length, 1)
    assert.strictEqual(cast.status.state, "failed")
    assert.strictEqual(cast.status.error!.code, "forbidden")
    assert.strictEqual(cast.status.error!.message, "not for you")
    const failed = cast.ready().catch((error: CastError) => error.status)
    await stage.pass(100)
    assert.strictEqual(await failed, 403)
    stage.greet = serving
    cast.reconnect()
    await stage.pass(100)
    assert.strictEqual(cast.status.state, "live")
    cast.close()
  })

  it("has failed where a WebSocket ends with a code that is final, and comes back from the others", async () => {
    for (const code of [4400, 4403, 4404, 4413]) {
      stage.greet = (line) => line.end(code)
      const cast = stage.connect()
      cast.subscribe(() => {})
      await stage.pass(second)
      assert.strictEqual(cast.status.state, "failed", String(code))
      assert.strictEqual(cast.status.error!.status, code - 4000)
      cast.close()
    }
    for (const code of [1001, 1006, 1011, 1012, 1013, 4408, 4429]) {
      stage.greet = (line) => line.end(code)
      const before = stage.lines.length
      const cast = stage.connect()
      cast.subscribe(() => {})
      await stage.pass(10 * second)
      assert.isAbove(stage.lines.length, before + 1, String(code))
      assert.notStrictEqual(cast.status.state, "failed", String(code))
      cast.close()
    }
  })

  it("tries a request again that nobody has answered, and says at once where that would be long", async () => {
    const cast = stage.connect()
    stage.answer = busyFor("3600")
    const long = cast.pools.refresh().catch(({ code, retryAfterMs }: CastError) => [code, retryAfterMs])
    await stage.pass(100)
    assert.deepStrictEqual(await long, ["unavailable", 3_600_000] as never)
    assert.strictEqual(stage.requests.length, 1)
    stage.answer = busyFor("1")
    const short = cast.pools.refresh().catch(({ code }: CastError) => code)
    await stage.pass(5 * second)
    assert.strictEqual(await short, "unavailable" as never)
    assert.strictEqual(stage.requests.length, 4)
    cast.close()
  })

  it("takes what somebody in between answers for passing, whatever the status, also where it is a problem", async () => {
    for (const problem of [undefined, { title: "Forbidden", detail: "of the gateway" }]) {
      stage.greet = (line) => line.end(403, problem)
      const before = stage.lines.length
      const cast = stage.connect({ roads: ["stream"] })
      cast.subscribe(() => {})
      await stage.pass(5 * second)
      assert.isAbove(stage.lines.length, before + 2)
      assert.strictEqual(cast.status.state, "connecting")
      cast.close()
    }
  })

  it("takes the next road where one is busy by the word of somebody in between, and stays where the server says so", async () => {
    for (const [problem, road] of [
      [undefined, "changes"],
      [{ code: "unavailable" }, "stream"]
    ] as const) {
      stage.greet = (line) => line.end(503, problem, { "retry-after": "1" })
      const cast = stage.connect({ roads: ["stream", "changes"] })
      cast.subscribe(() => {})
      await stage.pass(7 * second)
      assert.strictEqual(stage.line.road, road)
      cast.close()
    }
  })

  it("says what stands in the way while it is lost, and nothing any more when it is there", async () => {
    const cast = stage.connect({ roads: ["stream"] })
    const stop = cast.subscribe(() => {})
    assert.isUndefined(cast.status.error)
    stage.greet = (line) => line.end(502)
    cast.reconnect()
    await stage.pass(100)
    assert.strictEqual(cast.status.state, "connecting")
    assert.match(cast.status.error!.message, /^https:\/\/cast\.test\/v1\/stream\?.*: 502 text\/html$/)
    stage.greet = (line) => line.end()
    await stage.pass(2 * second)
    assert.strictEqual(cast.status.error!.message, "fetch failed")
    stage.greet = serving
    await stage.pass(5 * second)
    assert.strictEqual(cast.status.state, "live")
    assert.isUndefined(cast.status.error)
    stage.line.end()
    await stage.pass(second)
    // As most are back by then.
    assert.isUndefined(cast.status.error)
    await stage.pass(5 * second)
    stop()
    await stage.pass(10 * second)
    assert.strictEqual(cast.status.state, "stale")
    assert.isUndefined(cast.status.error)
    cast.close()
  })

  it("takes a page of somebody's for no answer of the server, on every road and of every request", async () => {
    vi.stubGlobal("fetch", async () => new Response("<html>", { headers: { "content-type": "text/html" } }))
    for (const road of ["stream", "changes"] as const) {
      const cast = stage.connect({ roads: [road] })
      cast.subscribe(() => {})
      await stage.pass(second)
      assert.strictEqual(cast.status.state, "connecting")
      assert.match(cast.status.error!.message, /: 200 text\/html$/)
      const refused = cast.pools.refresh().catch(({ message }: CastError) => message)
      await stage.pass(5 * second)
      assert.match(String(await refused), /\/v1\/refresh\/pools: 200 text\/html$/)
      cast.close()
    }
  })

  it("comes back, and notices silence, though the clock is set back by a day", async () => {
    const setBack = () => vi.setSystemTime(Date.now() - 86_400 * second)
    stage.greet = (line) => line.end(503, { code: "unavailable" }, { "retry-after": "2" })
    const cast = stage.connect({ roads: ["stream"] })
    cast.subscribe(() => {})
    await stage.pass(second)
    stage.greet = (line) => line.say(snapshot(1, rows))
    setBack()
    await stage.pass(second)
    assert.strictEqual(cast.status.state, "live")
    setBack()
    await stage.pass(second)
    const before = stage.lines.length
    await stage.pass(50 * second)
    assert.isAbove(stage.lines.length, before)
    cast.close()
  })

  it("is over when it is closed: whoever waits for rows is told, and nothing is asked any more", async () => {
    const cast = stage.connect()
    const waiting = cast.ready().catch(({ code }: CastError) => code)
    await stage.pass(second)
    cast.close()
    await stage.pass(second)
    assert.strictEqual(await waiting, "closed" as never)
    const later = cast.ready().catch(({ code }: CastError) => code)
    await stage.pass(second)
    assert.strictEqual(await later, "closed" as never)
    const before = stage.lines.length
    cast.reconnect()
    cast.subscribe(() => {})
    await stage.pass(10 * second)
    assert.strictEqual(stage.lines.length, before)
    assert.strictEqual(cast.status.state, "failed")
    assert.strictEqual(cast.status.error!.code, "closed")
  })

  describe("with a token", () => {
    it("shows it on every road, and never in an address", async () => {
      for (const road of ["socket", "stream", "changes"] as const) {
        const cast = stage.connect({ roads: [road], token: "a.b.c" })
        cast.subscribe(() => {})
        await stage.pass(second)
        const { headers, protocols, query } = stage.line
        assert.strictEqual(query.toString().includes("a.b.c"), false)
        if (road === "socket") assert.deepStrictEqual([...protocols], ["ratecast.v1", "ratecast.token.a.b.c"])
        else assert.strictEqual(headers.get("authorization"), "Bearer a.b.c")
        cast.close()
      }
    })

    it("gets a new one when it expires, at once and from where it was; nobody notices", async () => {
      for (const [road, expire] of [
        ["stream", (line: Line) => line.say({ type: "goodbye", code: "expired", retryAfterMs: 4000 })],
        ["socket", (line: Line) => line.end(4401)]
      ] as const) {
        let asked = 0
        stage.greet = serving
        const cast = stage.connect({ roads: [road], token: () => `t${++asked}` })
        const states = new Set<string>()
        cast.subscribe(() => states.add(cast.status.state))
        await stage.pass(second)
        for (let i = 0; i < 3; i++) {
          await stage.pass(30 * second)
          expire(stage.line)
          await stage.pass(100)
          assert.strictEqual(stage.open.length, 1)
          assert.strictEqual(stage.line.query.get("since"), cursor(1))
        }
        assert.strictEqual(asked, 4)
        assert.deepStrictEqual([...states], ["live"])
        cast.close()
      }
    })

    it("is asked for once by all that were refused at once, and an older one that comes late is nobody's", async () => {
      const given: Array<(jwt: string) => void> = []
      const token = () => new Promise<string>((give) => given.push(give))
      const cast = stage.connect({ token })
      stage.answer = (_, { headers }) =>
        (headers as { readonly [name: string]: string })["authorization"] === "Bearer new"
          ? Response.json({})
          : Response.json(
              { status: 401, code: "unauthenticated" },
              { status: 401, headers: { "content-type": "application/problem+json" } }
            )
      const all = Promise.all(Array.from({ length: 5 }, () => cast.pools.refresh()))
      await stage.pass(10)
      assert.lengthOf(given, 1)
      given[0]!("old")
      await stage.pass(10)
      assert.lengthOf(given, 2)
      given[1]!("new")
      await stage.pass(10)
      await all
      assert.lengthOf(stage.requests, 10)
      cast.subscribe(() => {})
      await stage.pass(10)
      assert.lengthOf(given, 2)
      // Somebody else logs in, twice; the first is slow.
      cast.reconnect()
      cast.reconnect()
      given[3]!("bob")
      await stage.pass(10)
      given[2]!("alice")
      await stage.pass(10)
      assert.include(stage.line.protocols, "ratecast.token.bob")
      stage.answer = () => Response.json({})
      await cast.pools.history()
      assert.strictEqual(stage.requests.at(-1)!.headers.get("authorization"), "Bearer bob")
      cast.close()
    })

    it("goes with every write that is tried again, also where one could not be had in between", async () => {
      const jwts = ["old", undefined, "new", "new"]
      const cast = stage.connect({
        token: async () => jwts.shift() ?? Promise.reject(new Error("the session has ended"))
      })
      stage.answer = (_, { headers }) =>
        (headers as { readonly [name: string]: string })["authorization"] === "Bearer new"
          ? Response.json({})
          : Response.json(
              { status: 401, code: "unauthenticated" },
              { status: 401, headers: { "content-type": "application/problem+json" } }
            )
      const all = Promise.allSettled([cast.pools.refresh(), cast.pools.refresh(), cast.pools.refresh()])
      await stage.pass(5 * second)
      await all
      for (const { headers } of stage.requests)
        assert.match(headers.get("authorization")!, /^Bearer (old|new)$/)
      cast.close()
    })

    it("that cannot be had is tried for again, whatever the error says of itself", async () => {
      const errors = [Object.assign(new Error("not found"), { status: 404, code: "ERR" }), undefined]
      const cast = stage.connect({
        token: () => (errors.length > 0 ? Promise.reject(errors.shift()) : Promise.resolve("jwt"))
      })
      cast.subscribe(() => {})
      await stage.pass(5 * second)
      assert.lengthOf(stage.open, 1)
      cast.close()
    })

    it("is asked for again where there was none yet", async () => {
      let session: string | undefined
      const cast = stage.connect({ token: () => session as string })
      await cast.pools.history()
      assert.isFalse(stage.requests[0]!.headers.has("authorization"))
      session = "new"
      await cast.pools.history()
      assert.strictEqual(stage.requests[1]!.headers.get("authorization"), "Bearer new")
      cast.close()
    })

    it("is said to be what stands in the way where none can be had", async () => {
      const cast = stage.connect({ token: () => Promise.reject(new Error("the session has ended")) })
      cast.subscribe(() => {})
      await stage.pass(second)
      assert.strictEqual(cast.status.state, "connecting")
      assert.strictEqual(cast.status.error!.message, "the session has ended")
      cast.close()
    })

    it("is renewed again after a night in which nothing was read", async () => {
      stage.asPage().greet = serving
      const token = vi.fn(() => "t")
      const cast = stage.connect({ roads: ["stream"], token })
      cast.subscribe(() => {})
      await stage.pass(10 * second)
      stage.line.say({ type: "goodbye", code: "expired" })
      await stage.pass(10 * second)
      stage.hide(true)
      await stage.pass(3_600 * second)
      let isRefused = false
      stage.greet = (line) => {
        if (isRefused) return serving(line)
        isRefused = true
        line.end(401, { code: "unauthenticated" })
      }
      stage.hide(false)
      await stage.pass(second)
      assert.strictEqual(token.mock.calls.length, 3)
      assert.strictEqual(cast.status.state, "live")
      cast.close()
    })

    it("outlives a moment in which no new one can be had", async () => {
      let asked = 0
      stage.greet = (line) =>
        line.headers.get("authorization") === "Bearer t1" && asked > 1
          ? line.end(401, { code: "unauthenticated" })
          : serving(line)
      const token = () => (++asked === 2 ? Promise.reject(new Error("offline")) : `t${asked}`)
      const cast = stage.connect({ roads: ["stream"], token })
      cast.subscribe(() => {})
      await stage.pass(10 * second)
      stage.line.say({ type: "goodbye", code: "expired" })
      await stage.pass(10 * second)
      assert.strictEqual(cast.status.state, "live")
      cast.close()
    })

    it("is asked for anew after a login", async () => {
      let user = "alice"
      stage.greet = serving
      const cast = stage.connect({ roads: ["stream"], token: () => user })
      cast.subscribe(() => {})
      await stage.pass(second)
      user = "bob"
      cast.reconnect()
      await stage.pass(second)
      assert.strictEqual(stage.line.headers.get("authorization"), "Bearer bob")
      cast.close()
    })

    it("has failed when a new one is refused, too", async () => {
      const token = vi.fn(() => Promise.resolve("t"))
      stage.greet = (line) => line.end(401, { code: "unauthenticated" })
      const cast = stage.connect({ roads: ["stream"], token })
      cast.subscribe(() => {})
      await stage.pass(60 * second)
      assert.strictEqual(token.mock.calls.length, 2)
      assert.strictEqual(cast.status.state, "failed")
      cast.close()
    })

    it("tries again where one cannot be had just now", async () => {
      let isDown = true
      stage.greet = serving
      const token = () => (isDown ? Promise.reject(new Error("down")) : "t")
      const cast = stage.connect({ token })
      cast.subscribe(() => {})
      await stage.pass(10 * second)
      assert.strictEqual(cast.status.state, "connecting")
      isDown = false
      await stage.pass(31 * second)
      assert.strictEqual(cast.status.state, "live")
      cast.close()
    })
  })

  describe("of a page", () => {
    beforeEach(() => {
      stage.asPage().greet = serving
    })

    it("rests when the page has been hidden for 30 s, and goes on at once when it is looked at", async () => {
      const cast = stage.connect()
      cast.subscribe(() => {})
      await stage.pass(second)
      stage.hide(true)
      await stage.pass(29 * second)
      stage.hide(false)
      await stage.pass(second)
      stage.hide(true)
      await stage.pass(29 * second)
      assert.strictEqual(stage.open.length, 1)
      await stage.pass(2 * second)
      assert.strictEqual(stage.open.length, 0)
      await stage.pass(600 * second)
      assert.strictEqual(stage.lines.length, 1)
      stage.hide(false)
      await stage.pass(0)
      assert.strictEqual(stage.open.length, 1)
      assert.strictEqual(stage.line.query.get("since"), cursor(1))
      cast.close()
    })

    it("lets go of it when the page is frozen, which would hear no more of it, and goes on when it is thawed", async () => {
      const cast = stage.connect()
      cast.subscribe(() => {})
      await stage.pass(second)
      stage.page.dispatch("freeze")
      assert.strictEqual(stage.open.length, 0)
      await stage.pass(second)
      stage.page.dispatch("resume")
      await stage.pass(0)
      assert.strictEqual(stage.open.length, 1)
      assert.strictEqual(stage.line.query.get("since"), cursor(1))
      cast.close()
    })

    it("goes on with what is to be kept alive, and with the rest from where that was", async () => {
      stage.greet = (line) => {
        const names = line.query.get("collections")!.split(",")
        if (line.query.get("since") === null)
          line.say({
            type: "snapshot",
            cursor: cursor(names.length === 2 ? 1 : 5),
            reason: "initial",
            at: 1,
            collections: Object.fromEntries(names.map((name) => [name, { state: "live" as const, rows }]))
          })
      }
      const cast = stage.connect({
        collections: ["pools", "toasts"],
        keepAlive: ["toasts"],
        roads: ["stream"]
      })
      const seen: Array<string> = []
      cast.toasts.subscribe((keys) => seen.push([...keys].join()))
      await stage.pass(second)
      stage.frame()
      stage.hide(true)
      await stage.pass(31 * second)
      assert.strictEqual(stage.open.length, 1)
      assert.strictEqual(stage.line.query.get("collections"), "toasts")
      stage.line.say({
        type: "change",
        from: cursor(5),
        cursor: cursor(6),
        commits: 1,
        at: 1,
        collections: { toasts: { put: { b: { id: "b" } } } }
      })
      // A hidden page draws no frames, and is told all the same.
      await stage.pass(100)
      assert.strictEqual(seen.at(-1), "b")
      stage.hide(false)
      await stage.pass(100)
      assert.strictEqual(stage.line.query.get("collections"), "pools,toasts")
      assert.strictEqual(stage.line.query.get("since"), cursor(1))
      stage.line.say({
        type: "change",
        from: cursor(1),
        cursor: cursor(7),
        commits: 6,
        at: 1,
        collections: { pools: { set: { a: { usd: "7" } } }, toasts: { put: { b: { id: "b" } } } }
      })
      await stage.pass(100)
      assert.strictEqual(cast.pools.get("a")!.usd, "7")
      assert.deepStrictEqual([...cast.toasts.keys()], ["a", "b"])
      stage.frame()
      // It is told again what it knows: nobody hears it twice.
      assert.deepStrictEqual(
        seen.filter((keys) => keys === "b"),
        ["b"]
      )
      cast.close()
    })

    it("that was refused what it asks for while it rests has not failed when it is looked at", async () => {
      const cast = stage.connect({
        collections: ["pools", "toasts"],
        keepAlive: ["toasts"],
        roads: ["stream"]
      })
      cast.subscribe(() => {})
      await stage.pass(second)
      stage.hide(true)
      stage.greet = (line) => line.end(400, { code: "invalid_query" })
      await stage.pass(31 * second)
      assert.strictEqual(cast.status.state, "failed")
      stage.greet = serving
      stage.hide(false)
      await stage.pass(second)
      assert.strictEqual(cast.status.state, "live")
      cast.close()
    })

    it("asks of what is to be kept alive only what is its own", async () => {
      const cast = stage.connect({
        collections: ["pools", "toasts"],
        keepAlive: ["toasts"],
        interval: "1s",
        query: { fields: "usd", "pool.keys": "a", "pools.keys": "a", "toasts.where": "usd:1" }
      })
      cast.subscribe(() => {})
      await stage.pass(second)
      assert.deepStrictEqual(Object.fromEntries(stage.line.query), {
        "pool.keys": "a",
        collections: "pools,toasts",
        interval: "1s",
        fields: "usd",
        "pools.keys": "a",
        "toasts.where": "usd:1"
      })
      // What names nothing that is read is the server's to refuse.
      stage.hide(true)
      await stage.pass(31 * second)
      assert.deepStrictEqual(Object.fromEntries(stage.line.query), {
        "pool.keys": "a",
        collections: "toasts",
        interval: "1s",
        fields: "usd",
        "toasts.where": "usd:1"
      })
      cast.close()
    })

    it("is connecting where the page was hidden from the first, until there is all that is read", async () => {
      stage.greet = () => {}
      stage.hide(true)
      const cast = stage.connect({ collections: ["pools", "toasts"], keepAlive: ["toasts"] })
      const ready = vi.fn()
      void cast.ready().then(ready)
      await stage.pass(31 * second)
      stage.line.say({ ...snapshot(1, rows), collections: { toasts: { state: "live", rows } } } as never)
      await stage.pass(second)
      assert.strictEqual(cast.toasts.get("a")!.usd, "1")
      assert.strictEqual(cast.status.state, "connecting")
      assert.isFalse(ready.mock.calls.length > 0)
      stage.hide(false)
      await stage.pass(100)
      const both = { pools: { state: "live", rows }, toasts: { state: "live", rows } }
      stage.line.say({ ...snapshot(1, rows), collections: both } as never)
      await stage.pass(100)
      stage.frame()
      await stage.pass(1)
      assert.strictEqual(cast.status.state, "live")
      assert.lengthOf(ready.mock.calls, 1)
      cast.close()
    })

    it("rests after 30 s, also where the clock was set back meanwhile", async () => {
      stage.greet = serving
      const cast = stage.connect()
      cast.subscribe(() => {})
      await stage.pass(second)
      vi.setSystemTime(Date.now() - 86_400 * second)
      stage.hide(true)
      await stage.pass(29 * second)
      assert.lengthOf(stage.open, 1)
      vi.setSystemTime(Date.now() - 86_400 * second)
      await stage.pass(32 * second)
      assert.lengthOf(stage.open, 0)
      cast.close()
    })

    it("asks for a snapshot where the server has forgotten what the page knows already", async () => {
      stage.greet = () => {}
      const cast = stage.connect({
        collections: ["pools", "toasts"],
        keepAlive: ["toasts"],
        roads: ["stream"]
      })
      cast.subscribe(() => {})
      await stage.pass(second)
      const both = (revision: number) => ({
        ...(snapshot(revision, rows) as object),
        collections: { pools: { state: "live", rows }, toasts: { state: "live", rows } }
      })
      stage.line.say(both(1) as never)
      stage.hide(true)
      await stage.pass(31 * second)
      stage.line.say({
        ...(both(9) as never as { type: "snapshot" }),
        collections: { toasts: { rows } }
      } as never)
      await stage.pass(100)
      stage.hide(false)
      await stage.pass(100)
      // It was killed with what it had not yet written, and is at revision 3 of the same epoch.
      stage.line.say(change(1, 3, { set: { a: { usd: "3" } } }))
      await stage.pass(31 * second)
      assert.strictEqual(stage.line.query.get("since"), null)
      assert.strictEqual(cast.pools.get("a")!.usd, "1")
      cast.close()
    })

    it("is closed for the back/forward cache, and open when the page comes back", async () => {
      const cast = stage.connect()
      cast.subscribe(() => {})
      await stage.pass(second)
      stage.page.dispatch("pageshow", { persisted: false })
      await stage.pass(0)
      assert.strictEqual(stage.lines.length, 1)
      stage.page.dispatch("pagehide", { persisted: true })
      assert.strictEqual(stage.open.length, 0)
      stage.page.dispatch("pageshow", { persisted: true })
      await stage.pass(0)
      assert.strictEqual(stage.open.length, 1)
      cast.close()
    })

    it("is tried at once when the network is back, however long the pause was to be", async () => {
      stage.greet = (line) => line.end()
      const cast = stage.connect({ roads: ["stream"] })
      cast.subscribe(() => {})
      await stage.pass(60 * second)
      vi.stubGlobal("navigator", { onLine: false })
      stage.page.dispatch("offline")
      assert.strictEqual(cast.status.state, "offline")
      stage.greet = serving
      vi.stubGlobal("navigator", { onLine: true })
      stage.page.dispatch("online")
      await stage.pass(0)
      assert.strictEqual(cast.status.state, "live")
      cast.close()
    })

    it("tries often again once the network is back", async () => {
      vi.spyOn(Math, "random").mockReturnValue(0.999)
      stage.greet = (line) => line.end()
      const cast = stage.connect({ roads: ["stream"] })
      cast.subscribe(() => {})
      await stage.pass(90 * second)
      stage.page.dispatch("online")
      const before = stage.lines.length
      await stage.pass(4 * second)
      assert.isAtLeast(stage.lines.length - before, 3)
      cast.close()
    })

    it("leaves nothing behind: no timer, no listener", async () => {
      for (let i = 0; i < 100; i++) {
        const cast = stage.connect()
        const stop = cast.pools.subscribe(() => {})
        await stage.pass(second)
        stage.frame()
        if (i % 2 === 0) stop()
        else cast.close()
        await stage.pass(10 * second)
        stage.frame()
      }
      await stage.pass(16 * second)
      assert.strictEqual(stage.open.length, 0)
      assert.strictEqual(stage.page.count, 0)
      assert.strictEqual(vi.getTimerCount(), 0)
    })
  })
})
