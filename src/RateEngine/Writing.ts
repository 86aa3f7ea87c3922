/** What a write makes of one row of a written collection, or why it is refused: pure functions of the row as it is. */
import { Schema } from "effect"

import type { Declared } from "../Catalog.ts"
import { type Delta, field, type Row, type Rows } from "../Collection.ts"
import type { HookedWrite, WrittenOptions } from "../Config.ts"
import { misfitOf } from "../Misfit.ts"
import { tagOf } from "../RowTag.ts"
import { editOf, emptyDelta, oldest } from "./Diff.ts"
import { unfitField } from "../Upstream.ts"

/** What was written, and the revision from which on everybody sees it. */
export interface Wrote {
  readonly revision: number
  readonly key: string
  /** None where it was deleted. */
  readonly row: Row | undefined
  readonly isNew: boolean
}

/** What somebody asks for. Rows and fields are as they came: any JSON. */
export type Write = {
  /** `chat`, or a member of a family: `support:17`. */
  readonly collection: string
  /** Whose token was shown. */
  readonly sub?: string | undefined
  /** By what they showed who they are. Default: nothing. */
  readonly by?: HookedWrite<Row>["by"]
  /** From where, as it is counted. */
  readonly address?: string | undefined
} & (
  | ({ readonly op: "put"; readonly key: string; readonly row: unknown; readonly isNew?: boolean } & Matching)
  | ({
      readonly op: "patch"
      readonly key: string
      readonly set: { readonly [name: string]: unknown }
      readonly unset: ReadonlyArray<string>
    } & Matching)
  | { readonly op: "append"; readonly row: unknown }
  | ({ readonly op: "delete"; readonly key: string } & Matching)
)

interface Matching {
  /** Tags of which the row has one, or `*` for any row. */
  readonly ifMatch?: ReadonlyArray<string> | "*" | undefined
}

export interface Refusal {
  readonly _tag: "Refusal"
  readonly code: "invalid_row" | "unknown_row" | "conflict" | "precondition_failed" | "too_large"
  readonly detail: string
}

/** A row before and after; no `key` yet where one is to be given, no `row` where it is to be deleted. */
export interface Draft {
  readonly _tag: "Draft"
  readonly key: string | undefined
  readonly before: Row | undefined
  readonly row: Row | undefined
}

const refusal = (code: Refusal["code"], detail: string): Refusal => ({ _tag: "Refusal", code, detail })

/** Of a key, in bytes of UTF-8. */
const maxKey = 256
const defaultMaxBytes = 64 * 1024
/** Of a row of a written collection, as JSON. */
export const mostBytesOf = ({ made }: Pick<Declared, "made">): number =>
  (made.options as WrittenOptions<Row>).maxBytes ?? defaultMaxBytes

/** Stands in for the key that an appended row is given when it is committed. */
const noKey = "0".repeat(12)

export class Writing {
  private readonly options: WrittenOptions<Row>
  private readonly keyField: string
  private readonly fields: ReadonlyArray<string>
  private readonly retained: number
  private readonly decode: (row: unknown) => ReturnType<ReturnType<typeof Schema.decodeUnknownResult>>

  constructor({ collection, made, row }: Declared) {
    this.options = made.options as WrittenOptions<Row>
    this.keyField = collection.key
    this.fields = collection.fields
    this.retained = collection.retain!.rows
    this.decode = Schema.decodeUnknownResult(row, { onExcessProperty: "error" })
  }

  /** `wasEvicted`: the key is that of a row which is history now. */
  draft(write: Write, before: Row | undefined, wasEvicted: boolean): Draft | Refusal {
    const wrong = this.forbidden(write, before, wasEvicted)
    if (wrong !== undefined) return wrong
    switch (write.op) {
      case "append":
        return this.decoded(undefined, undefined, write.row)
      case "put":
        return this.decoded(write.key, before, write.row)
      case "patch":
        return this.decoded(write.key, before, patched(before!, write))
      case "delete":
        return { _tag: "Draft", key: write.key, before, row: undefined }
    }
  }

  /** A row that a hook has put in place of another. */
  replaced(draft: Draft, row: unknown): Draft | Refusal {
    return draft.row === undefined
      ? draft
      : this.decoded(draft.key, draft.before, this.withoutKey(draft, row))
  }

  /** As a backend is shown it: without what stands in for a key. */
  shown({ key, row }: Draft): Row | undefined {
    if (key !== undefined || row === undefined) return row
    const { [this.keyField]: _, ...others } = row
    return others
  }

  /** The hook was shown a row with what stands in for its key, and may have given that back. */
  private withoutKey({ key }: Draft, row: unknown): unknown {
    if (key !== undefined || typeof row !== "object" || row === null) return row
    const { [this.keyField]: shown, ...others } = row as Row
    return shown === noKey ? others : row
  }

  /** `held`: all rows as they are. `key`: of the draft, or what it is given. */
  delta({ before, row }: Draft, key: string, held: Rows): Delta {
    if (row === undefined) return { ...emptyDelta, remove: [key] }
    if (before !== undefined) {
      const edit = editOf(this.fields, key, before, row)
      return edit === undefined ? emptyDelta : { ...emptyDelta, set: new Map([[key, edit]]) }
    }
    const whole = field(row, this.keyField) === key ? row : { ...row, [this.keyField]: key }
    return {
      ...emptyDelta,
      put: new Map([[key, whole]]),
      evict: oldest(held, held.size + 1 - this.retained)
    }
  }

  private forbidden(write: Write, before: Row | undefined, wasEvicted: boolean): Refusal | undefined {
    if (write.op === "append") return undefined
    const { key } = write
    if (Buffer.byteLength(key) > maxKey) return refusal("invalid_row", `a key has at most ${maxKey} bytes`)
    if (!key.isWellFormed() || key === "") return refusal("invalid_row", "a key is text, and not empty")
    if (wasEvicted)
      return refusal("conflict", "this row has left the live window; history is not written any more")
    if (before === undefined) {
      const none = `${JSON.stringify(write.collection)} has no row ${JSON.stringify(key.slice(0, 80))}`
      if (write.op !== "put") return refusal("unknown_row", none)
      return write.ifMatch === undefined ? undefined : refusal("precondition_failed", none)
    }
    if (write.op === "put" && write.isNew === true)
      return refusal("precondition_failed", "there is a row of this key already")
    const { ifMatch } = write
    if (ifMatch !== undefined && ifMatch !== "*" && !ifMatch.includes(tagOf(before)))
      return refusal("precondition_failed", "the row is another by now; read it again")
    return this.options.edits === false
      ? refusal("conflict", "rows of this collection are not changed once they are written")
      : undefined
  }

  private decoded(key: string | undefined, before: Row | undefined, row: unknown): Draft | Refusal {
    if (typeof row !== "object" || row === null || Array.isArray(row))
      return refusal("invalid_row", "a row is a JSON object")
    const own = field(row as Row, this.keyField)
    if (own !== undefined && own !== key)
      return refusal(
        "invalid_row",
        key === undefined
          ? `"${this.keyField}" is given by the server`
          : `"${this.keyField}" is another than the key it is written to`
      )
    const whole = own === undefined ? { ...row, [this.keyField]: key ?? noKey } : row
    const decoded = this.decode(whole)
    const reason =
      decoded._tag === "Failure" ? misfitOf(decoded.failure, this.fields) : unfitField(decoded.success as Row)
    if (reason !== undefined) return refusal("invalid_row", reason.slice(0, mostSaid))
    const fit = (decoded as { readonly success: Row }).success
    const most = this.options.maxBytes ?? defaultMaxBytes
    if (Buffer.byteLength(JSON.stringify(fit)) > most)
      return refusal("too_large", `a row has at most ${most} bytes as JSON`)
    return { _tag: "Draft", key, before, row: fit }
  }
}

const patched = (
  before: Row,
  {
    set,
    unset
  }: { readonly set: { readonly [name: string]: unknown }; readonly unset: ReadonlyArray<string> }
): { readonly [name: string]: unknown } => {
  const members = new Map<string, unknown>(Object.entries(before))
  for (const [name, value] of Object.entries(set)) members.set(name, value)
  for (const name of unset) members.delete(name)
  return Object.fromEntries(members)
}

/** Characters of a reason. */
const mostSaid = 500
