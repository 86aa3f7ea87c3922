import { spawn } from "node:child_process"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"

import { canonicalText, Held } from "../Held.ts"
import { Dice } from "../Hub/World.ts"
import { Digest } from "./Digest.ts"
import { Joining } from "./Joining.ts"
import { Oracle, type Witness } from "./Oracle.ts"
import { type Query, queries } from "./Query.ts"
import { lowest, type Sample, slopeOf } from "./Slope.ts"
import { Truth } from "./Truth.ts"

const root = join(import.meta.dirname, "../..")
let stop = () => {}
afterAll(() => stop())

const run = (script: string, ...args: ReadonlyArray<string>) => {
  const child = spawn(process.execPath, [join(root, "test/Chaos", script), ...args])
  stop = () => child.kill("SIGTERM")
  let text = ""
  child.stdout.on("data", (data: Buffer) => (text += String(data)))
  child.stderr.on("data", (data: Buffer) => (text += String(data)))
  return new Promise<{ readonly code: number | null; readonly text: string }>((done) =>
    child.once("close", (code) => done({ code, text }))
  )
}

describe("a real daemon, killed, frozen and starved", () => {
  it("loses no row, tells none that is wrong, and resets nobody", { timeout: 240_000 }, async () => {
    const { code, text } = await run("main.ts", "--quick")
    assert.strictEqual(code, 0, text)
    assert.match(text, /kills +3\n/)
    assert.match(text, /resumed by +.*change \d/)
    assert.match(text, /compared row by row +100 clients/)
    assert.match(text, /whole families +[1-9]/)
    assert.match(text, /from now on +[1-9]/)
    assert.match(text, /stopped reading +[1-9]/)
  })

  it("is found out where it keeps nothing", { timeout: 120_000 }, async () => {
    const { code, text } = await run("main.ts", "--quick", "--forgetful")
    assert.strictEqual(code, 1, text)
    assert.match(text, /got a snapshot: epoch/)
  })

  it("both commands have help", async () => {
    assert.include((await run("main.ts", "--help")).text, "npm run chaos")
    assert.include((await run("soak.ts", "--help")).text, "npm run soak")
  })
})

const witness = (query: Query, name: string, cursor: string): Witness & { readonly held: Held } => {
  const held = new Held()
  held.cursor = cursor
  return { name, query, held, digests: new Map(), versions: new Map() }
}

const show = (witness: Witness & { readonly held: Held }, truth: Truth): void => {
  for (const part of witness.query.parts) {
    const digest = new Digest()
    for (const [key, row] of truth.shown(part)) digest.set(key, canonicalText(row))
    ;(witness.digests as Map<string, Digest>).set(part.collection, digest)
    witness.held.states.set(part.collection, "live")
  }
}

const world = () => {
  const truth = new Truth(new Dice(1), queries, 30)
  return { truth, oracle: new Oracle(truth) }
}

describe("the oracle notices", () => {
  const pools = queries[0]!
  it("nothing where there is nothing", () => {
    const { oracle, truth } = world()
    const one = witness(pools, "one", "e-1-0")
    show(one, truth)
    oracle.check(one)
    while (truth.versionOf("pools") < 2) truth.answer("pools")
    one.held.cursor = "e-2-0"
    show(one, truth)
    oracle.check(one)
    assert.deepStrictEqual(oracle.violations, [])
    assert.isTrue(oracle.isCurrent(one))
  })

  it("a row that is missing, or is another", () => {
    const { oracle, truth } = world()
    const one = witness(pools, "one", "e-1-0")
    show(one, truth)
    one.digests.get("pools")!.delete("p1")
    oracle.check(one)
    assert.match(oracle.violations.join(), /none that the upstream ever had/)
    assert.isFalse(oracle.isCurrent(one))
  })

  it("two who stand at one cursor and hold different rows, though both were true once", () => {
    const { oracle, truth } = world()
    const one = witness(pools, "one", "e-1-0")
    show(one, truth)
    oracle.check(one)
    while (truth.versionOf("pools") < 2) truth.answer("pools")
    const other = witness(pools, "other", "e-1-0")
    show(other, truth)
    oracle.check(other)
    assert.match(oracle.violations.join(), /one held/)
  })

  it("rows that go back to what they were before", () => {
    const { oracle, truth } = world()
    const old = witness(pools, "old", "e-1-0")
    show(old, truth)
    const before = old.digests.get("pools")!
    while (truth.versionOf("pools") < 2) truth.answer("pools")
    show(old, truth)
    oracle.check(old)
    ;(old.digests as Map<string, Digest>).set("pools", before)
    old.held.cursor = "e-2-0"
    oracle.check(old)
    assert.match(oracle.violations.join(), /went back from 2 to 1/)
  })
})

describe("whoever reads a whole family", () => {
  const family = queries.find(({ search }) => search === "collections=order%3A*")!
  const reader = (truth: Truth, name: string) => {
    const one = witness(family, name, "e-1-0")
    const digest = new Digest()
    for (const [key, row] of truth.shown({ collection: "order:1" })) digest.set(key, canonicalText(row))
    ;(one.digests as Map<string, Digest>).set("order:1", digest)
    one.held.states.set("order:1", "live")
    return { one, digest }
  }

  it("holds of each member what it once was, and a member that is gone is as one that never was", () => {
    const { oracle, truth } = world()
    truth.answer("order:1")
    const [{ one }, { digest, one: other }] = [reader(truth, "one"), reader(truth, "other")]
    other.held.states.set("order:2", "loading")
    for (const each of [one, other]) oracle.check(each)
    assert.deepStrictEqual(oracle.violations, [])
    assert.isTrue(oracle.isCurrent(other))
    digest.set("x", "another")
    other.held.cursor = "e-2-0"
    oracle.check(other)
    assert.match(oracle.violations.join(), /its rows of order:1 are none that the upstream ever had/)
    assert.isFalse(oracle.isCurrent(other))
  })
})

const change = (from: number, to: number) => JSON.stringify({ from: `e-${from}-0`, cursor: `e-${to}-0` })

describe("whoever asks for what comes from now on", () => {
  it("passes over what its rows hold, takes what they hold in part, and then all as it comes", () => {
    const joining = new Joining("e-3-0")
    assert.isTrue(joining.keeps(change(3, 5), undefined))
    assert.strictEqual(joining.release().length, 1)
    assert.isFalse(joining.keeps(change(5, 7), undefined))
    assert.isUndefined(joining.from(change(3, 5), "e-6-0"))
    assert.strictEqual(joining.from(change(5, 7), "e-6-0"), "e-5-0")
    assert.strictEqual(joining.from(change(9, 10), "e-7-0"), "e-7-0")
  })

  it("stands where it was told, though the rows are those of an older place", () => {
    assert.strictEqual(new Joining("e-3-0").standsAt("e-2-0"), "e-3-0")
    assert.strictEqual(new Joining("e-3-0").standsAt("e-6-0"), "e-6-0")
  })
})

describe("the slope of a saw", () => {
  const dice = new Dice(7)
  const saw = (rise: number): ReadonlyArray<Sample> =>
    Array.from({ length: 600 }, (_, at) => ({
      at,
      value: 200_000 + rise * at + (at % 37) * 800 + dice.int(3_000)
    }))

  it("is none where it only goes up and down", () => {
    const { least, most } = slopeOf(lowest(saw(0)))
    assert.isAtMost(least, 0)
    assert.isAtLeast(most, 0)
  })

  it("is found in it", () => {
    const { least, median } = slopeOf(lowest(saw(50)))
    assert.isAbove(least, 0)
    assert.approximately(median, 50, 10)
  })

  it("is not moved by an outlier", () => {
    const samples = saw(0).with(599, { at: 599, value: 900_000 })
    assert.isAtMost(slopeOf(lowest(samples)).least, 0)
  })
})
