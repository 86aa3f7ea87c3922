/** A config that has no place for rows that were written: nobody can read those anew, so they are not let go of unasked. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Schema } from "effect"

import { type Config, defineConfig, type Written, written } from "../../src/Config.ts"
import { Disk, Forgettable, Hub, JournalFailed, layerMemory } from "../../src/Hub.ts"
import { RateEngine } from "../../src/RateEngine.ts"
import { hubOf, Script } from "../Kit.ts"

const Note = Schema.Struct({ id: Schema.String, text: Schema.String })
const StrictNote = Schema.Struct({ id: Schema.String, text: Schema.String.check(Schema.isMaxLength(3)) })
const notes = written({ key: "id", row: Note })
const nobody = new Script(() => ({ body: [] }))

const put = (collection: string, key: string, text: string) =>
  Effect.flatMap(RateEngine, (engine) => engine.write({ op: "put", collection, key, row: { text } }))
const keysOf = (collection: string) => Effect.map(Hub, ({ board }) => [...board.rows(collection).keys()])

const world = () => {
  const disk = new Disk()
  return <A, E>(
    collections: { readonly [name: string]: Written<typeof Note.Type> },
    body: Effect.Effect<A, E, Hub | RateEngine>,
    forgettable: ReadonlyArray<string> = []
  ) =>
    body.pipe(
      Effect.provide(
        hubOf(defineConfig({ collections }) as Config, nobody, undefined, layerMemory(disk)) as never
      ),
      Effect.provideService(Forgettable, new Set(forgettable))
    ) as Effect.Effect<A, E | JournalFailed>
}

/** Why it did not start. */
const refusal = (run: Effect.Effect<unknown, unknown>) =>
  Effect.map(Effect.exit(run), (exit) => {
    assert.isTrue(Exit.isFailure(exit))
    return Cause.squash((exit as Exit.Failure<unknown, unknown>).cause) as JournalFailed
  })

const MoreNote = Schema.Struct({ id: Schema.String, text: Schema.String, by: Schema.String })
const LessNote = Schema.Struct({ id: Schema.String, words: Schema.optional(Schema.String) })
const as = (row: unknown) => written({ key: "id", row: row as typeof Note })
const strict = written({ key: "id", row: StrictNote }) as Written<typeof Note.Type>
const others = [
  [
    "a schema that rows do not fit",
    { notes: strict },
    /notes: 1 row that its schema does not take any more: of "text"/
  ],
  ["a field that they have to have", { notes: as(MoreNote) }, /notes: 2 rows that .* "by" is missing/],
  [
    "a field that is called otherwise now",
    { notes: as(LessNote) },
    /notes: 2 rows with a value of "text", which its schema has no more/
  ],
  ["their collection no longer declared", { note: notes }, /notes: 2 rows of a collection that is no longer/],
  ["another key", { notes: written({ key: "text", row: Note }) }, /notes: 2 rows under another key/]
] as const

describe("rows that were written", () => {
  for (const [what, otherwise, why] of others)
    it.effect(`stop a start with ${what}, and are there when it is as it was`, () => {
      const run = world()
      return Effect.gen(function* () {
        yield* run({ notes }, Effect.andThen(put("notes", "a", "long"), put("notes", "b", "b")))
        const failure = yield* refusal(run(otherwise, keysOf("notes")))
        assert.instanceOf(failure, JournalFailed)
        assert.strictEqual(failure.trouble, "unfit")
        assert.match(failure.message, why)
        assert.include(failure.message, "FORGET_WRITTEN=notes starts without them")
        assert.deepStrictEqual(yield* run({ notes }, keysOf("notes")), ["a", "b"])
      })
    })

  it.effect("stay where a new field may be missing", () => {
    const run = world()
    const more = Schema.Struct({ ...Note.fields, by: Schema.optional(Schema.String) })
    return Effect.gen(function* () {
      yield* run({ notes }, put("notes", "a", "long"))
      assert.deepStrictEqual(yield* run({ notes: as(more) }, keysOf("notes")), ["a"])
    })
  })

  it.effect("are deleted where that is said", () => {
    const run = world()
    return Effect.gen(function* () {
      yield* run({ notes }, Effect.andThen(put("notes", "a", "long"), put("notes", "b", "b")))
      assert.deepStrictEqual(yield* run({ notes: strict }, keysOf("notes"), ["notes"]), ["b"])
      assert.deepStrictEqual(yield* run({ notes }, keysOf("notes")), ["b"])
    })
  })

  it.effect("of members of a family are as dear, by the family's name", () => {
    const run = world()
    return Effect.gen(function* () {
      const all = Array.from({ length: 100 }, (_, i) => put(`thread:${i}`, "a", "long"))
      yield* run({ "thread:{id}": notes }, Effect.all(all))
      const failure = yield* refusal(run({ notes }, keysOf("thread:7")))
      assert.match(failure.message, /\(thread: 100 rows \(of 100 members\) of a collection that is no longer/)
      assert.deepStrictEqual(yield* run({ notes }, keysOf("notes"), ["thread"]), [])
    })
  })
})
