import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Logger, Result } from "effect"

import { type Catalog, declares } from "../../src/Catalog.ts"
import { loadCatalog } from "../../src/Catalog/Load.ts"
import { commitText } from "../../src/Hub/CommitText.ts"
import { State } from "../../src/Hub/State.ts"
import { Consequences } from "../../src/RateEngine/Consequences.ts"
import { Body } from "../../src/Upstream/Body.ts"
import { type Extraction, makeExtraction, threadFrom } from "../../src/Upstream/Extraction.ts"
import { Extractors } from "../../src/Upstream/Extractors.ts"
import type { Outcome } from "../../src/Upstream.ts"
import { resources } from "../Residue.ts"
import { runs, sources } from "./Series.ts"

const file = join(import.meta.dirname, "threaded.config.ts")
/** What an engine makes of answers, as text: commits with all their bytes, remarks, and whether a reading counted. */
const engine = (catalog: Catalog["Service"]) => {
  const state = new State({ epoch: "e", describe: (name) => declares(catalog, name)!.collection })
  const consequences = new Consequences(catalog)
  let now = 1
  const settle = (outcome: Outcome, source: string): string => {
    now += 1_000
    const reading = { source, at: now, outcome, settled: Deferred.makeUnsafe<boolean>() }
    const { commit, counts, remarks } = consequences.ofReading(state, reading, now)
    const text = commitText(commit)
    if (commit.deltas.size > 0) state.apply(commit, text)
    return `${text} ${JSON.stringify(remarks)} ${counts}`
  }
  return { settle, state }
}

const texts = (bodies: ReadonlyArray<string>) => bodies.map((text) => new Body(Buffer.from(text)))

const both = Effect.gen(function* () {
  const { file: from, ...here } = yield* loadCatalog(file)
  assert.isDefined(from)
  const there = yield* makeExtraction({ ...here, file: from! }).pipe(Effect.provideService(threadFrom, 0))
  return { here, there, inProcess: yield* makeExtraction(here) }
})

/** Without the names of what loses digits: rows that a function makes are looked at for those now and then only. */
const remarks = (said: string): string =>
  said.slice(said.lastIndexOf("} [")).replaceAll(/"inexact":\[[^\]]*\]/g, "")

const outcomeOf = (found: Result.Result<unknown, unknown>): Outcome =>
  Result.isSuccess(found)
    ? { _tag: "Bodies", extracts: found.success as never, size: 0 }
    : { _tag: "Failed", failure: found.failure as never }

/** By key and without order, which is only that of a road that remembers. */
const held = (state: State): unknown =>
  Object.fromEntries(
    [...state.tables].map(([name, table]) => [
      name,
      [table.health, Object.fromEntries([...table].toSorted(([a], [b]) => (a < b ? -1 : 1)))]
    ])
  )

describe("whichever road a body takes", () => {
  it.live(
    "the same commits, remarks and failures come of it, byte for byte",
    () =>
      Effect.gen(function* () {
        let commits = 0
        const ends = new Set<string>()
        const { here, inProcess, there } = yield* both
        for (let seed = 1; seed <= 40; seed++) {
          const [a, b] = [engine(here), engine(here)]
          yield* Effect.scoped(
            Effect.gen(function* () {
              const opened = new Map<string, readonly [Extraction, Extraction]>()
              for (const source of sources)
                opened.set(source, [yield* inProcess(source), yield* there(source)])
              for (const [source, bodies] of runs(seed, 40)) {
                const [mine, other] = opened.get(source)!
                const one = yield* Effect.result(mine(texts(bodies)))
                const two = yield* Effect.result(other(texts(bodies)))
                const [said, told] = [a.settle(outcomeOf(one), source), b.settle(outcomeOf(two), source)]
                assert.strictEqual(told, said, `seed ${seed}`)
                commits = a.state.revision
                for (const [, { health }] of a.state.tables) ends.add(health.error?.code ?? health.state)
              }
            })
          )
          assert.strictEqual(b.state.revision, commits)
        }
        for (const end of [
          "live",
          "upstream_empty",
          "upstream_shrunk",
          "upstream_shape",
          "upstream_not_json"
        ])
          assert.isTrue(ends.has(end), end)
      }).pipe(Effect.scoped),
    60_000
  )

  it.effect("what is remembered of the last body changes nothing of what the next one says", () =>
    Effect.gen(function* () {
      const { file: _, ...catalog } = yield* loadCatalog(file)
      for (let seed = 100; seed <= 150; seed++) {
        const [a, b] = [engine(catalog), engine(catalog)]
        const remembering = new Map(sources.map((source) => [source, new Extractors(catalog, source)]))
        const said = (extractors: Extractors, bodies: ReadonlyArray<string>): Outcome => {
          try {
            return { _tag: "Bodies", extracts: extractors.extract(texts(bodies)), size: 0 }
          } catch {
            return { _tag: "Failed", failure: { code: "upstream_not_json", detail: "" } as never }
          }
        }
        for (const [source, bodies] of runs(seed, 40)) {
          const one = a.settle(said(remembering.get(source)!, bodies), source)
          const two = b.settle(said(new Extractors(catalog, source), bodies), source)
          assert.strictEqual(remarks(one), remarks(two), `seed ${seed}`)
          assert.deepStrictEqual(held(a.state), held(b.state), `seed ${seed}`)
        }
      }
    })
  )
})

const rowsOf = (count: number, does?: string) =>
  texts([JSON.stringify(Array.from({ length: count }, (_, i) => ({ id: `${i}`, rate: "1", does })))])

describe("the thread of large bodies", () => {
  const before = resources()

  it.live("that dies fails its poll, and the next one begins anew", () =>
    Effect.gen(function* () {
      const { there } = yield* both
      const made = yield* there("made")
      assert.strictEqual((yield* made(rowsOf(3))).get("made")!.rows.size, 3)
      const failure = yield* Effect.flip(made(rowsOf(3, "exit")))
      assert.strictEqual(failure.code, "upstream_unreachable")
      const extract = (yield* made(rowsOf(4))).get("made")!
      assert.deepStrictEqual([...extract.since!.changed.keys()], ["m/3"])
      assert.strictEqual(extract.rows.size, 4)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )

  it.live("that hangs is ended by the timeout of its poll", () =>
    Effect.gen(function* () {
      const { there } = yield* both
      const [made, list] = [yield* there("made"), yield* there("list")]
      yield* made(rowsOf(3))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.timeout(made(rowsOf(3, "hang")), "300 millis"))))
      assert.strictEqual((yield* list(rowsOf(5))).get("list")!.rows.size, 5)
      assert.strictEqual((yield* made(rowsOf(4))).get("made")!.rows.size, 4)
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )

  it.live("is not used with a config that has changed since the start", () =>
    Effect.gen(function* () {
      const folder = join(import.meta.dirname, `changed-${process.pid}`)
      mkdirSync(folder)
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(folder, { recursive: true })))
      const copy = join(folder, "threaded.config.ts")
      copyFileSync(file, copy)
      const text = `export { default } from "../threaded.config.ts"\n`
      writeFileSync(copy, text)
      const catalog = yield* loadCatalog(copy)
      writeFileSync(copy, `// since\n${text}`)
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      const extraction = yield* makeExtraction(catalog).pipe(Effect.provideService(threadFrom, 0))
      const list = yield* extraction("list")
      const found = yield* list(rowsOf(5)).pipe(Effect.provide(Logger.layer([logger])))
      assert.strictEqual(found.get("list")!.rows.size, 5)
      assert.include(lines.join(), "the config file has changed")
    }).pipe(Effect.scoped)
  )

  it.live("leaves nothing behind", () =>
    Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { there } = yield* both
          yield* (yield* there("list"))(rowsOf(5))
          assert.isAbove(resources()["MessagePort"] ?? 0, before["MessagePort"] ?? 0)
        })
      )
      yield* Effect.sleep("50 millis")
      assert.strictEqual(resources()["MessagePort"] ?? 0, before["MessagePort"] ?? 0)
    })
  )
})
