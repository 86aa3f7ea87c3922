import { spawn } from "node:child_process"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"

import { canonicalText, Held } from "../Held.ts"
import { Dice } from "../Hub/World.ts"
import { Digest } from "./Digest.ts"
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
