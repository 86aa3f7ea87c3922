/** What a client asks to be written, over HTTP or on a WebSocket, and what it is answered. */
import { Effect } from "effect"

import { type Catalog, declares } from "../Catalog.ts"
import type { Collection } from "../Collection.ts"
import { didYouMean } from "../Nearest.ts"
import { type Write, WriteRefused, type Wrote } from "../RateEngine.ts"
import type { Auth } from "./Auth.ts"
import { allow, type Caller, may } from "./Auth/Caller.ts"
import { Problem, type ProblemCode } from "./Problem.ts"
import { lookUp } from "./Resolve.ts"
import { attempt } from "./Road.ts"
import { strongTag, strongTagsIn } from "./Tags.ts"

export type Op = Write["op"]

/** The write, and who asks for it; from where does not matter of a backend. */
export const writeBy = (write: Write, { by, subject }: Caller, address: string): Write => ({
  ...write,
  by,
  sub: subject,
  ...(by === "api key" ? {} : { address })
})

/** Whether the caller may, and anybody can write to it at all. Throws a Problem. */
export const writable = (catalog: Catalog["Service"], name: string, caller: Caller): void => {
  const declared = declares(catalog, name)
  // To whoever may read it it is no secret, and no token would help.
  if (declared !== undefined && declared.collection.kind !== "written" && may(caller, "read", name))
    throw notWritable(name, declared.collection)
  const { collection } = lookUp(catalog, name, caller, "write")
  if (name.includes("*"))
    throw new Problem({ code: "unknown_collection", detail: "one collection is written to, not a pattern" })
  if (collection.kind !== "written") throw notWritable(name, collection)
}

const notWritable = (name: string, collection: Collection): Problem =>
  new Problem({
    code: "not_writable",
    detail: `nobody writes to "${name.slice(0, 80)}": its rows come from ${originOf(collection)}`,
    allow: "GET, HEAD"
  })

/** Where the rows come from that nobody writes. */
export const originOf = ({ kind }: Pick<Collection, "kind">): string =>
  kind === "polled" ? "an upstream" : "other collections"

/**
 * Runs when all that a write waits for is over, just before it is made, also where the client has left: whether the caller
 * may still write; and what the API key writes is noted. `undefined`: neither is to be asked.
 */
export const permitted = (
  { audit, stillGood }: Auth["Service"],
  caller: Caller,
  collection: string,
  address: string,
  current: Effect.Effect<Caller> = Effect.succeed(caller)
): Effect.Effect<void, WriteRefused> | undefined => {
  if (caller.by === "api key") {
    let isNoted = false
    // A write that is made anew, since its row had become another, is one.
    return Effect.suspend(() => {
      if (isNoted) return Effect.void
      isNoted = true
      return audit(caller, { what: "write", of: collection, address })
    })
  }
  return caller.by === "token"
    ? current.pipe(
        Effect.tap(stillGood),
        Effect.flatMap((caller) => attempt(() => allow(caller, "write", collection))),
        Effect.mapError(
          ({ code, detail }) =>
            new WriteRefused({ code: code === "forbidden" ? code : "unauthenticated", detail })
        )
      )
    : undefined
}

export const problemOf = ({
  code,
  detail,
  retryAfterMs = code === "unavailable" ? 1_000 : undefined
}: WriteRefused): Problem =>
  new Problem({
    code: code satisfies ProblemCode,
    detail,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs })
  })

/** The members of an answer, as they stand in a response or in an `ack`. */
export const answerOf = (epoch: string, { key, revision, row }: Wrote) => ({
  epoch,
  revision,
  key,
  ...(row === undefined ? {} : { row })
})

export interface Matching {
  readonly ifMatch?: ReadonlyArray<string> | "*"
  readonly isNew?: boolean
}

/** Throws a Problem. */
export const writeOf = (
  op: Op,
  collection: string,
  key: string | undefined,
  body: unknown,
  matching: Matching
): Write => {
  switch (op) {
    case "append":
      return { op, collection, row: body }
    case "put":
      return { op, collection, key: key!, row: body, ...matching }
    case "delete":
      return { op, collection, key: key!, ...matching }
    case "patch":
      return { op, collection, key: key!, ...patchOf(body), ...matching }
  }
}

const wrong = (detail: string) => new Problem({ code: "invalid_row", detail })

const patchOf = (body: unknown) => {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw wrong('a patch is {"set":{…},"unset":[…]}')
  const { set = {}, unset = [], ...others } = body as { readonly set?: unknown; readonly unset?: unknown }
  const [odd] = Object.keys(others)
  if (odd !== undefined)
    throw wrong(`a patch is {"set":{…},"unset":[…]}; it has no ${JSON.stringify(odd.slice(0, 80))}`)
  if (typeof set !== "object" || set === null || Array.isArray(set))
    throw wrong('"set" is an object of fields')
  if (!Array.isArray(unset) || !unset.every((name) => typeof name === "string"))
    throw wrong('"unset" is a list of field names')
  return { set: set as { readonly [name: string]: unknown }, unset: unset as ReadonlyArray<string> }
}

const members = ["type", "ref", "op", "collection", "key", "row", "set", "unset", "ifMatch"]
const ops: ReadonlyArray<string> = ["put", "patch", "append", "delete"] satisfies ReadonlyArray<Op>

/** The same from a `write` message of a WebSocket. Throws a Problem. */
export const writeInMessage = (message: { readonly [name: string]: unknown }): Write => {
  const odd = Object.keys(message).find((name) => !members.includes(name) && !name.startsWith("_"))
  if (odd !== undefined) throw wrongMessage(`unknown member "${odd.slice(0, 80)}"${didYouMean(odd, members)}`)
  const { collection, ifMatch, key, op, row, set, unset } = message
  if (typeof op !== "string" || !ops.includes(op)) throw wrongMessage(`"op" is one of ${ops.join(", ")}`)
  if (typeof collection !== "string") throw wrongMessage('"collection" is a name')
  if (op === "append" ? key !== undefined : typeof key !== "string")
    throw wrongMessage(op === "append" ? 'the server gives the "key"' : '"key" is a string')
  const tags = typeof ifMatch === "string" && ifMatch !== "*" ? strongTagsIn(ifMatch) : undefined
  if (ifMatch !== undefined && ifMatch !== "*" && tags === undefined)
    throw wrongMessage(`"ifMatch" is ${strongTag}; or * for any row`)
  const body =
    op === "patch"
      ? { ...(set === undefined ? {} : { set }), ...(unset === undefined ? {} : { unset }) }
      : row
  const matching: Matching = ifMatch === undefined ? {} : { ifMatch: tags ?? "*" }
  return writeOf(op as Op, collection, key as string | undefined, body, matching)
}

const wrongMessage = (detail: string) => new Problem({ code: "bad_message", detail })
