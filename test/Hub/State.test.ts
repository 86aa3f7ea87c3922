import { assert, describe, it } from "@effect/vitest"

import { type Change, changesSince } from "../../src/Hub/Changes.ts"
import { State } from "../../src/Hub/State.ts"
import { type Entry, Table } from "../../src/Hub/Table.ts"
import { type Options, run, type Tally } from "./History.ts"
import { Violation } from "./World.ts"

/** `SEED=7 SEEDS=100000 npx vitest run test/Hub/State.test.ts` looks further. */
const first = Number(process.env["SEED"] ?? 1)
const seeds = Number(process.env["SEEDS"] ?? 400)

describe("the rows a client holds at cursor C equal the server's rows at C", () => {
  for (const keys of [3, 12, 60]) {
    it(`for ${seeds} random histories over ${keys} keys`, { timeout: 600_000 }, () => {
      const total: Tally = { changes: 0, snapshots: 0, resumes: 0, commits: 0 }
      for (let seed = first; seed < first + seeds; seed++) {
        const tally = run({ seed, steps: 90, keys })
        for (const name of ["changes", "snapshots", "resumes", "commits"] as const) total[name] += tally[name]
      }
      for (const count of Object.values(total)) assert.isAbove(count, seeds)
    })
  }
})

/** What a Table keeps to itself, for planting mistakes. */
interface Inside {
  live: Map<string, Entry>
  dead: Map<string, Entry>
  floor: number
  health: unknown
  healthRev: number
  revisions: Float64Array
  columns: ReadonlyMap<string, number>
  put(key: string, row: unknown, revision: number): void
  kill(key: string, revision: number, evicted: boolean): void
  forget(): void
  apply(delta: unknown, revision: number): void
}

const inside = Table.prototype as unknown as Inside
const alter = <K extends "put" | "kill" | "forget" | "apply">(
  name: K,
  make: (original: Inside[K]) => (this: Inside, ...args: Parameters<Inside[K]>) => void
) => {
  const original = inside[name]
  inside[name] = make(original) as Inside[K]
  return () => {
    inside[name] = original
  }
}

/** A change that can be spoiled. */
interface Spoiled extends Change {
  readonly remove: Array<string>
  readonly unset: Map<string, ReadonlyArray<string>>
}

const each = (edit: (change: Spoiled) => void) =>
  ((...args) => {
    const changes = changesSince(...args)
    if (changes !== "forgotten") for (const change of changes.values()) edit(change as Spoiled)
    return changes
  }) satisfies typeof changesSince

type Line = [string, unknown, number, number, number, number, 0 | 1, unknown]

/** Checkpoints that keep other lines of rows. */
const lines = (edit: (line: Line) => ReadonlyArray<Line>) => (piece: string) => {
  const parsed = JSON.parse(piece) as { readonly rows?: ReadonlyArray<Line> }
  return parsed.rows === undefined ? piece : JSON.stringify({ rows: parsed.rows.flatMap(edit) })
}

/** Checkpoints with another value for this member. */
const spoiled = (name: string, value: unknown) => (piece: string) => {
  const parsed = JSON.parse(piece) as { readonly [name: string]: unknown }
  return name in parsed ? JSON.stringify({ ...parsed, [name]: value }) : piece
}

const mutants: ReadonlyArray<
  readonly [mistake: string, plant: () => { undo?: () => void } & Pick<Options, "changesSince" | "spoil">]
> = [
  ["a restart has lost the tombstones", () => ({ spoil: lines((line) => (line[5] > 0 ? [] : [line])) })],
  ["a restart has lost the floors", () => ({ spoil: spoiled("floor", 0) })],
  [
    "a restart has lost the births",
    () => ({ spoil: lines(([key, row, rev, , ...rest]) => [[key, row, rev, 0, ...rest]]) })
  ],
  [
    "a restart has lost the former deaths",
    () => ({ spoil: lines(([key, row, rev, born, , ...rest]) => [[key, row, rev, born, 0, ...rest]]) })
  ],
  [
    "a restart has lost the revisions of fields",
    () => ({ spoil: lines((line) => [[...line.slice(0, 7), 0] as unknown as Line]) })
  ],
  ["a restart has lost the revision of a collection's state", () => ({ spoil: spoiled("healthRev", 0) })],
  ["what died is not named", () => ({ changesSince: each((change) => change.remove.splice(0)) })],
  [
    "a tombstone stays where the row stood in the list",
    () => ({
      undo: alter(
        "kill",
        () =>
          function (key, revision, evicted) {
            const entry = this.live.get(key)
            if (entry === undefined) return
            this.live.delete(key)
            Object.assign(entry, { rev: revision, gone: revision, evicted })
            this.dead.set(key, entry)
          }
      )
    })
  ],
  [
    "forgetting a tombstone does not raise the floor",
    () => ({
      undo: alter(
        "forget",
        (forget) =>
          function () {
            const { floor } = this
            forget.call(this)
            this.floor = floor
          }
      )
    })
  ],
  [
    "the floor is one too low",
    () => ({
      undo: alter(
        "forget",
        (forget) =>
          function () {
            const { floor } = this
            forget.call(this)
            if (this.floor !== floor) this.floor--
          }
      )
    })
  ],
  [
    "a re-created row keeps the field revisions of its former life",
    () => ({
      undo: alter(
        "put",
        (put) =>
          function (key, row, revision) {
            const line = (this.live.get(key) ?? this.dead.get(key))?.line
            const width = this.columns.size
            const old =
              line === undefined ? undefined : this.revisions.slice(line * width, (line + 1) * width)
            put.call(this, key, row, revision)
            if (old !== undefined) this.revisions.set(old, line! * width)
            if (old !== undefined) this.live.get(key)!.born = 1
          }
      )
    })
  ],
  [
    "a re-created row keeps its birth",
    () => ({
      undo: alter(
        "put",
        (put) =>
          function (key, row, revision) {
            const born = this.dead.get(key)?.born
            put.call(this, key, row, revision)
            if (born !== undefined) this.live.get(key)!.born = born
          }
      )
    })
  ],
  [
    "a former death is forgotten",
    () => ({
      undo: alter(
        "put",
        (put) =>
          function (key, row, revision) {
            put.call(this, key, row, revision)
            this.live.get(key)!.before = 0
          }
      )
    })
  ],
  [
    "a row that leaves `where` is not named",
    () => ({
      changesSince: (state, query, place) => {
        const changes = changesSince(state, query, place)
        if (changes !== "forgotten") {
          for (const [name, change] of changes as ReadonlyMap<string, Spoiled>) {
            const table = state.tables.get(name)
            const left = change.remove.filter((key) => table?.live.has(key))
            for (const key of left) change.remove.splice(change.remove.indexOf(key), 1)
          }
        }
        return changes
      }
    })
  ],
  [
    "a field that is taken away is not unset",
    () => ({ changesSince: each((change) => change.unset.clear()) })
  ],
  [
    "a changed state is not told",
    () => ({
      undo: alter(
        "apply",
        (apply) =>
          function (delta, revision) {
            apply.call(this, delta, revision)
            this.healthRev = 0
          }
      )
    })
  ],
  [
    "the walk ends one too early",
    () => ({
      changesSince: (state, query, place) => changesSince(state, query, { ...place, seen: place.seen + 1 })
    })
  ],
  [
    "rows are compared with the place seen, not the place sent, and the other way round",
    () => ({
      changesSince: (state, query, place) =>
        changesSince(state, query, { seen: place.seen, sent: Math.min(state.revision, place.seen + 1) })
    })
  ],
  [
    "the proof is not looked at",
    () => {
      const { resume } = State.prototype
      State.prototype.resume = function (query, text) {
        const answer = resume.call(this, query, text)
        if (answer._tag === "Reset" && (answer.reason === "query" || answer.reason === "diverged")) {
          return { _tag: "Resumed", revision: Number(text.split("-")[1]) }
        }
        return answer
      }
      return {
        undo: () => {
          State.prototype.resume = resume
        }
      }
    }
  ],
  [
    "a forgotten collection leaves no floor",
    () => {
      const { empty } = State.prototype
      State.prototype.empty = function (collection) {
        const table = empty.call(this, collection)
        table.floor = 0
        return table
      }
      return {
        undo: () => {
          State.prototype.empty = empty
        }
      }
    }
  ]
]

describe("the oracle finds each planted mistake", () => {
  for (const [mistake, plant] of mutants) {
    it(mistake, { timeout: 60_000 }, () => {
      const { undo, ...planted } = plant()
      try {
        let found: unknown
        for (let seed = 1; seed <= 1_000 && found === undefined; seed++) {
          try {
            run({ seed, steps: 90, keys: seed % 3 === 0 ? 3 : 12, ...planted })
          } catch (error) {
            found = error
          }
        }
        assert.isTrue(found instanceof Violation || /not held/.test(String(found)), String(found))
      } finally {
        undo?.()
      }
    })
  }
})
