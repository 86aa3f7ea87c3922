import { setImmediate } from "node:timers/promises"

import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"

import { type Message, type Row, type SnapshotMessage } from "../../client/Cast.ts"
import { seeded } from "../Hub/World.ts"
import { change, cursor, snapshot, Stage } from "./Stage.ts"

let stage: Stage
beforeEach(() => {
  stage = new Stage()
})
afterEach(() => stage.leave())

const begin = async (rows: { readonly [key: string]: { readonly id: string; readonly usd?: string } }) => {
  stage.greet = (line) => line.say(snapshot(1, rows))
  const cast = stage.connect({ roads: ["stream"] })
  const told: Array<ReadonlyArray<string>> = []
  cast.pools.subscribe((keys) => told.push([...keys]))
  await stage.pass(100)
  told.length = 0
  stage.greet = () => {}
  return { cast, told, line: stage.line }
}

const object = <A>(members: Iterable<readonly [string, A]>) => Object.fromEntries(members)

const list = <A>(length: number, make: () => A) => Array.from({ length }, make)

/** Written apart from the server's. */
const difference = (before: ReadonlyMap<string, Row>, after: ReadonlyMap<string, Row>) => {
  const put: Array<[string, Row]> = []
  const set: Array<[string, Row]> = []
  const unset: Array<[string, Array<string>]> = []
  for (const [key, row] of after) {
    const was = before.get(key)
    if (was === undefined) put.push([key, row])
    else {
      const had = new Map(Object.entries(was))
      const has = new Map(Object.entries(row))
      const fields = [...has].filter(
        ([name, value]) => !had.has(name) || JSON.stringify(had.get(name)) !== JSON.stringify(value)
      )
      const gone = [...had.keys()].filter((name) => !has.has(name))
      if (fields.length > 0) set.push([key, object(fields)])
      if (gone.length > 0) unset.push([key, gone])
    }
  }
  const remove = [...before.keys()].filter((key) => !after.has(key))
  return { remove, put: object(put), set: object(set), unset: object(unset) }
}

const asText = (all: Iterable<readonly [string, Row]>) =>
  JSON.stringify(
    [...all]
      .map(([key, row]) => [key, Object.entries(row).toSorted(([a], [b]) => (a < b ? -1 : 1))] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
  )

const keepingFields = (message: Message) =>
  JSON.parse(JSON.stringify(message).replace(/"unset":/, '"x":')) as Message

const run = async (
  all: ReadonlyArray<ReadonlyMap<string, Row>>,
  how: ReadonlyArray<string>,
  spoil: (message: Message) => Message = (message) => message
) => {
  const whole = (revision: number) =>
    ({
      ...(snapshot(revision, {}) as object),
      collections: { pools: { rows: object(all[revision]!) } }
    }) as never as Message
  let at = 0
  stage.greet = (line) => {
    const since = line.query.get("since")
    if (since === null) line.say(whole(at))
    else line.say({ type: "ping", from: since, cursor: since })
  }
  const cast = stage.connect({ roads: ["stream"] })
  cast.pools.subscribe(() => {})
  await stage.pass(50)
  for (const step of how) {
    const to = Math.min(all.length - 1, at + (step === "three" ? 3 : step === "two" ? 2 : 1))
    const between = JSON.parse(JSON.stringify(change(at, to, difference(all[at]!, all[to]!)))) as Message
    if (step === "snapshot") stage.line.say(whole((at = to)))
    else if (step === "ping") stage.line.say({ type: "ping", from: cursor(at), cursor: cursor(at) })
    else if (step === "gone") {
      stage.line.end()
      await stage.pass(31_000)
    } else if (to > at) {
      stage.line.say(spoil(between))
      if (step === "twice") stage.line.say(spoil(between))
      at = to
    }
    await stage.pass(50)
    const mine = [...cast.pools.keys()].map((key) => [key, cast.pools.get(key)! as Row] as const)
    assert.strictEqual(cast.status.cursor, cursor(at))
    assert.strictEqual(asText(mine), asText(all[at]!))
  }
  cast.close()
}

describe("the rows of a client", () => {
  it("are the same objects until they change, and their list is", async () => {
    const { cast, line } = await begin({ a: { id: "a", usd: "1" }, b: { id: "b", usd: "1" } })
    const { rows } = cast.pools
    const [a, b] = rows
    assert.strictEqual(cast.pools.rows, rows)
    line.say({ type: "ping", from: cursor(1), cursor: cursor(2), asOf: { pools: 5 } })
    await stage.pass(100)
    assert.strictEqual(cast.pools.rows, rows)
    assert.strictEqual(cast.pools.status.asOf, 5)
    line.say(change(2, 3, { set: { a: { usd: "2" } } }))
    await stage.pass(100)
    assert.notStrictEqual(cast.pools.rows, rows)
    assert.notStrictEqual(cast.pools.get("a"), a)
    assert.strictEqual(cast.pools.get("b"), b)
    assert.deepStrictEqual(a, { id: "a", usd: "1" })
    // A snapshot is no reason to draw everything anew.
    line.say(snapshot(9, { a: { id: "a", usd: "2" }, b: { id: "b", usd: "1" } }))
    const before = cast.pools.rows
    await stage.pass(100)
    assert.strictEqual(cast.pools.rows, before)
    assert.strictEqual(cast.status.cursor, cursor(9))
    cast.close()
  })

  it("are the same where they are told again as they were", async () => {
    const { cast, line, told } = await begin({ a: { id: "a", usd: "1" } })
    const [row, list] = [cast.pools.get("a"), cast.pools.rows]
    line.say(change(1, 2, { put: { a: { id: "a", usd: "1" } } }))
    line.say(change(2, 3, { set: { a: { usd: "1" } }, unset: { a: ["label"] } }))
    line.say(snapshot(3, { a: { id: "a", usd: "1" } }))
    await stage.pass(100)
    assert.strictEqual(cast.pools.get("a"), row)
    assert.strictEqual(cast.pools.rows, list)
    assert.lengthOf(told, 0)
    cast.close()
  })

  it("are told once for a frame, with all that changed in it", async () => {
    stage.asPage()
    const { cast, line, told } = await begin({ a: { id: "a" } })
    stage.frame()
    told.length = 0
    for (let i = 1; i < 5; i++) line.say(change(i, i + 1, { put: { [`k${i}`]: { id: `k${i}` } } }))
    await stage.pass(100)
    assert.strictEqual(told.length, 0)
    stage.frame()
    assert.deepStrictEqual(told, [["k1", "k2", "k3", "k4"]])
    cast.close()
  })

  it("are told while the page is hidden, also where a frame was asked for before", async () => {
    stage.asPage()
    const { line, told } = await begin({ a: { id: "a" } })
    stage.frame()
    told.length = 0
    line.say(change(1, 2, { put: { b: { id: "b" } } }))
    await stage.pass(5)
    stage.hide(true)
    await stage.pass(50)
    assert.deepStrictEqual(told, [["b"]])
    line.say(change(2, 3, { put: { c: { id: "c" } } }))
    await stage.pass(50)
    assert.deepStrictEqual(told, [["b"], ["c"]])
  })

  it("tell who has subscribed to one of them of that one alone", async () => {
    const { cast, line } = await begin({ a: { id: "a" }, b: { id: "b" } })
    const told: Array<string> = []
    cast.pools.subscribe("a", () => told.push("a"))
    const stop = cast.pools.subscribe("b", () => told.push("b"))
    line.say(change(1, 2, { set: { b: { usd: "1" } } }))
    await stage.pass(100)
    stop()
    line.say(change(2, 3, { set: { b: { usd: "2" } }, put: { a: { id: "a", usd: "2" } } }))
    await stage.pass(100)
    assert.deepStrictEqual(told, ["b", "a"])
    cast.close()
  })

  it("go on being told though one who was told breaks", async () => {
    const { cast, line, told } = await begin({})
    const thrown: Array<unknown> = []
    // Whoever runs these tests listens, too.
    const others = process.listeners("unhandledRejection")
    process.removeAllListeners("unhandledRejection").on("unhandledRejection", (error) => thrown.push(error))
    cast.pools.subscribe(() => {
      throw new Error("theirs")
    })
    cast.pools.subscribe(() => told.push(["after"]))
    line.say(change(1, 2, { put: { a: { id: "a" } } }))
    await stage.pass(100)
    assert.deepStrictEqual(told, [["a"], ["after"]])
    await setImmediate()
    process.removeAllListeners("unhandledRejection")
    for (const other of others) process.on("unhandledRejection", other)
    assert.deepStrictEqual(
      thrown.map((error) => (error as Error).message),
      ["theirs"]
    )
    cast.close()
  })

  it("are told once to whoever subscribes anew when told", async () => {
    const { cast, line, told } = await begin({})
    const anew = () => {
      told.push(["anew"])
      if (told.length > 10) return
      stop()
      stop = cast.pools.subscribe(anew)
    }
    let stop = cast.pools.subscribe(anew)
    line.say(change(1, 2, { put: { a: { id: "a" } } }))
    await stage.pass(100)
    assert.deepStrictEqual(told, [["a"], ["anew"]])
    cast.close()
  })

  it("keep what is removed and evicted, and say that there is more", async () => {
    const { cast, line } = await begin({ a: { id: "a" }, b: { id: "b" }, c: { id: "c" } })
    line.say(change(1, 2, { remove: ["a", "unknown"], evict: ["b"], skipped: 2 }))
    await stage.pass(100)
    assert.deepStrictEqual([...cast.pools.keys()], ["c"])
    assert.strictEqual(cast.pools.status.more, true)
    cast.close()
  })

  it("that come whole within a change have the window they had", async () => {
    const { cast, line } = await begin({})
    const windowed = { state: "live", rows: { a: { id: "a" } }, retain: { rows: 1 }, more: true } as const
    const first = snapshot(2, {}) as SnapshotMessage
    line.say({ ...first, collections: { pools: windowed } })
    line.say(change(2, 3, { rows: { b: { id: "b" } } }))
    await stage.pass(100)
    assert.deepStrictEqual(cast.pools.rows, [{ id: "b" }])
    assert.deepInclude(cast.pools.status, { more: true, retain: 1 })
  })

  it("say in what state they are, and why", async () => {
    const { cast, line } = await begin({ a: { id: "a" } })
    const error = { code: "upstream_timeout", detail: "It took too long." }
    line.say(change(1, 2, { state: "stale", error }))
    await stage.pass(100)
    assert.strictEqual(cast.pools.status.state, "stale")
    assert.deepStrictEqual(cast.pools.status.error, error)
    assert.strictEqual(cast.status.state, "stale")
    line.say(change(2, 3, { state: "live" }))
    await stage.pass(100)
    assert.strictEqual(cast.pools.status.error, undefined)
    assert.strictEqual(cast.status.state, "live")
    cast.close()
  })

  it("are asked for again where a message does not follow", async () => {
    const { cast, line } = await begin({ a: { id: "a", usd: "1" } })
    line.say(change(3, 4, { set: { a: { usd: "4" } } }))
    await stage.pass(2000)
    assert.strictEqual(stage.lines.length, 2)
    assert.strictEqual(stage.line.query.get("since"), cursor(1))
    assert.strictEqual(cast.pools.get("a")!.usd, "1")
    // A field of a row that is not here: what is here is not what the cursor says.
    stage.line.say(change(1, 2, { set: { b: { usd: "1" } } }))
    await stage.pass(3000)
    assert.strictEqual(stage.line.query.get("since"), null)
    cast.close()
  })

  it("of members come and go with a pattern", async () => {
    stage.greet = () => {}
    const cast = stage.connect({ roads: ["stream"], collections: ["support:*" as never] })
    cast.subscribe(() => {})
    await stage.pass(100)
    const whole = { state: "live" as const, rows: { m: { id: "m" } } }
    const first = { ...(snapshot(1, {}) as object), collections: { "support:ann": whole } }
    stage.line.say(first as never)
    await stage.pass(100)
    assert.deepStrictEqual(
      [...cast.collections.keys()].filter((name) => !name.includes("*")),
      ["support:ann"]
    )
    stage.line.say({ ...(change(1, 2, {}) as object), collections: { "support:bob": whole } } as never)
    await stage.pass(100)
    assert.strictEqual(cast.collections.get("support:bob")!.rows.length, 1)
    stage.line.say({ ...first, cursor: cursor(3) } as never)
    await stage.pass(100)
    assert.strictEqual(cast.collections.get("support:bob")!.rows.length, 0)
    cast.close()
  })

  it("of a pattern are as its members that are there", async () => {
    const cast = stage.connect({ collections: ["order:*" as never], roads: ["stream"] })
    cast.subscribe(() => {})
    await stage.pass(10)
    const whole = (revision: number, collections: object) =>
      stage.line.say({ ...snapshot(revision, {}), collections } as never)
    whole(1, { "order:1": { state: "stale", rows: {} }, "order:2": { state: "live", rows: {} } })
    await stage.pass(100)
    assert.strictEqual(cast.status.state, "stale")
    whole(2, { "order:2": { state: "live", rows: {} } })
    await stage.pass(100)
    assert.strictEqual(cast.status.state, "live")
    cast.close()
  })

  it("are there at first where a page brings them, and gone on with", async () => {
    stage.greet = () => {}
    const cast = stage.connect({
      roads: ["stream"],
      from: snapshot(7, { a: { id: "a", usd: "1" } }) as never
    })
    assert.strictEqual(cast.pools.get("a")!.usd, "1")
    assert.strictEqual(cast.status.state, "stale")
    cast.subscribe(() => {})
    await stage.pass(100)
    assert.strictEqual(stage.line.query.get("since"), cursor(7))
    cast.close()
  })

  describe("whatever is said and however it is gathered", () => {
    const names = ["a", "b", "__proto__", "constructor", "toString", "1", ""]
    const values = [null, 0, -1.5, "", "x", [1, { a: 2 }], { b: null }]
    /** How many states a message passes, or how else the server says it. */
    const steps = ["one", "two", "three", "ping", "twice", "snapshot", "gone"]

    const world = (seed: number) => {
      const random = seeded(seed)
      const pick = <A>(items: ReadonlyArray<A>): A => items[Math.floor(random() * items.length)]!
      const some = () => names.filter(() => random() < 0.5)
      const row = (): Row => object(some().map((name) => [name, pick(values)] as const))
      const rows = () => new Map(some().map((key) => [key, row()] as const))
      return { states: list(1 + Math.floor(random() * 12), rows), how: list(20, () => pick(steps)) }
    }

    it("are the server's at the cursor", async () => {
      for (let seed = 1; seed <= 200; seed++) {
        const { how, states } = world(seed)
        await run(states, how)
      }
    })

    it("and this notices a client that takes no field away", async () => {
      let found = 0
      for (let seed = 1; seed <= 20; seed++) {
        const { how, states } = world(seed)
        await run(states, how, keepingFields).catch(() => found++)
      }
      assert.isAbove(found, 5)
    })
  })
})
