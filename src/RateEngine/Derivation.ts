/** One derived collection: a pure function of others, run over what their rows will be once this commit is made. */
import { Schema } from "effect"

import type { Declared } from "../Catalog.ts"
import { type Delta, field, type Row, type Rows } from "../Collection.ts"
import type { DerivedByKey, DerivedWhole, InputChange } from "../Config.ts"
import { misfitIn } from "../Misfit.ts"
import { unfitField } from "../Upstream.ts"
import { diffKeys, diffRows, emptyDelta, Overlay, touchesRows } from "./Diff.ts"
import type { Tolerance } from "./Tolerance.ts"

/** The rows of an input before and after, and what changed between. */
interface Input {
  readonly before: Rows
  readonly delta: Delta | undefined
}

export interface Derived {
  readonly delta: Delta
  /** Whether the config's function threw: nothing is known to be right. */
  readonly failed: boolean
  /** Rows that do not fit the schema, or what the config's function threw: both are mistakes in the config. */
  readonly mistakes: ReadonlyArray<string>
}

export class Derivation {
  private readonly declared: Declared
  private readonly tolerance: Tolerance | undefined
  private readonly decode: (row: unknown) => ReturnType<ReturnType<typeof Schema.decodeUnknownResult>>
  /** Whether the next run looks at everything, not only at what changed. */
  private whole = true

  constructor(declared: Declared, tolerance: Tolerance | undefined) {
    this.declared = declared
    this.tolerance = tolerance
    // What a function returns is checked as its type says, not as an upstream would have sent it.
    this.decode = Schema.decodeUnknownResult(Schema.toType(declared.row) as never)
  }

  /** `input` looks an input up by the name of its collection. */
  run(held: Rows, now: number, input: (collection: string) => Input): Derived {
    const inputs = new Map([...this.declared.inputs].map(([alias, name]) => [alias, input(name)]))
    const changed = [...inputs].filter(([, { delta }]) => delta !== undefined && touchesRows(delta))
    if (changed.length === 0 && !this.whole) return { delta: emptyDelta, failed: false, mistakes: [] }
    const rows = Object.fromEntries(
      [...inputs].map(([alias, { before, delta }]) => [
        alias,
        delta === undefined ? before : new Overlay(before, delta)
      ])
    )
    const options = this.declared.made.options as DerivedWhole<Row, unknown> | DerivedByKey<Row, unknown>
    const mistakes: Array<string> = []
    this.tolerance?.begin(now)
    try {
      const delta =
        "rows" in options
          ? this.all(options, held, rows, mistakes)
          : this.some(options, held, rows, changed, mistakes)
      this.whole = false
      return { delta, failed: false, mistakes }
    } catch (thrown) {
      // Computed anew at the next change of an input: what was missed now is not missed for good.
      this.whole = true
      return { delta: emptyDelta, failed: true, mistakes: [`threw ${String(thrown)}`] }
    }
  }

  private all(
    options: DerivedWhole<Row, unknown>,
    held: Rows,
    inputs: object,
    mistakes: Array<string>
  ): Delta {
    const next = new Map<string, Row>()
    for (const { key, row } of options.rows(inputs as never)) {
      const checked = this.check(key, row, held, mistakes)
      if (checked !== undefined) next.set(key, checked)
    }
    const delta = diffRows(this.declared.collection.fields, held, next, this.tolerance?.holds)
    this.tolerance?.end(delta, (key) => next.get(key))
    return delta
  }

  private some(
    options: DerivedByKey<Row, unknown>,
    held: Rows,
    inputs: object,
    changed: ReadonlyArray<readonly [string, Input]>,
    mistakes: Array<string>
  ): Delta {
    const keys = new Set<string>()
    // The first run, and the one after a mistake, look at every row of every input as if it were new.
    const changes = this.whole
      ? everyRow(inputs)
      : changed.flatMap(([alias, input]) => [...changesOf(alias, input)])
    for (const change of changes)
      for (const key of options.touches(change as never, inputs as never)) keys.add(key)
    if (this.whole) for (const key of held.keys()) keys.add(key)
    const next = new Map<string, Row | undefined>()
    const at = (key: string) => {
      if (!next.has(key)) {
        const row = options.rowAt(key, inputs as never)
        next.set(key, row === undefined ? undefined : this.check(key, row, held, mistakes))
      }
      return next.get(key)
    }
    const delta = diffKeys(this.declared.collection.fields, held, keys, at, this.tolerance?.holds)
    this.tolerance?.end(delta, at, keys)
    return delta
  }

  /** A row that does not fit its schema keeps its last good version. */
  private check(key: string, row: Row, held: Rows, mistakes: Array<string>): Row | undefined {
    const name = this.declared.collection.key
    const made = field(row, name) === undefined ? { ...row, [name]: key } : row
    const decoded = this.decode(made)
    const reason =
      decoded._tag === "Failure"
        ? misfitIn(made, decoded.failure, this.declared.collection.fields, 300).reason
        : unfitField(decoded.success as Row)
    if (reason === undefined) return (decoded as { readonly success: Row }).success
    mistakes.push(`row ${JSON.stringify(key.slice(0, 80))}: ${reason}`)
    return held.get(key)
  }
}

type Change = InputChange<{ readonly [alias: string]: never }>

const changesOf = function* (input: string, { before, delta }: Input): Generator<Change> {
  if (delta === undefined) return
  for (const [key, row] of delta.put) yield { input, key, before: before.get(key), after: row }
  for (const [key, { row }] of delta.set) yield { input, key, before: before.get(key), after: row }
  for (const key of [...delta.remove, ...delta.evict])
    yield { input, key, before: before.get(key), after: undefined }
}

const everyRow = (inputs: object): Array<Change> =>
  Object.entries(inputs as { readonly [alias: string]: Rows }).flatMap(([input, rows]) =>
    [...rows].map(([key, after]) => ({ input, key, before: undefined, after }))
  )
