/** Writing rows: `PUT`, `PATCH` and `DELETE /v1/rows/{collection}/{key}`, and `POST /v1/rows/{collection}`. */
import { createHash } from "node:crypto"

import { Effect } from "effect"
import { HttpRouter, type HttpServerRequest } from "effect/http"

import { declares } from "../Catalog.ts"
import { mostBytesOf } from "../RateEngine.ts"
import { tagOf } from "../RowTag.ts"
import { exactly } from "../Upstream.ts"
import { type Caller, may } from "./Auth/Caller.ts"
import { parseBody, textBody } from "./Body.ts"
import { textResponse } from "./Json.ts"
import { isAllowedOrigin, notLetIn } from "./Origin.ts"
import { Problem } from "./Problem.ts"
import { attempt, cachingFor, type Ground } from "./Road.ts"
import { rowKeyOf } from "./Rows.ts"
import { strongTagsOf } from "./Tags.ts"
import {
  answerOf,
  type Matching,
  type Op,
  permitted,
  problemOf,
  writable,
  writeBy,
  writeOf
} from "./WriteAsked.ts"

const maxIdempotencyKey = 256

export const write = (ground: Ground, op: Op) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const { catalog, hub, writes } = ground
    const caller = yield* ground.auth.callerOf(request, { changes: true })
    // A form of any page could send one, and never see the answer.
    if (!isAllowedOrigin(request, ground.origins)) return yield* notLetIn(request, ground.origins, "write")
    const params = yield* HttpRouter.params
    const collection = params["collection"] ?? ""
    const asked = op === "append" ? undefined : yield* attempt(() => rowKeyOf(request, params["key"]))
    yield* attempt(() => writable(catalog, collection, caller))
    const address = ground.limits.addressOf(request)
    yield* ground.limits.write(caller, address)
    const text = op === "delete" ? "" : yield* textBody(request, ground.limits.sizes.body)
    const declared = declares(catalog, collection)!
    // No row that may be is as long, however it is escaped; and to read it digit by digit costs.
    const most = mostBytesOf(declared)
    if (text.length > 3 * most + 1_024)
      return yield* new Problem({ code: "too_large", detail: `a row has at most ${most} bytes as JSON` })
    const body =
      op === "delete"
        ? undefined
        : yield* parseBody(text, (text) => exactly(text, declared.row, op === "patch" ? "set" : undefined))
    const matching = yield* attempt(() => matchingOf(request))
    const made = yield* attempt(() => writeOf(op, collection, asked, body, matching))
    const repeat = yield* attempt(() => repeatOf(request, caller, op, collection, asked, text))
    const wrote = yield* writes
      .write(writeBy(made, caller, address), repeat, permitted(ground.auth, caller, collection, address))
      .pipe(Effect.mapError(problemOf))
    // A patch of nothing would show the row to somebody who may only write.
    const row = op !== "patch" || may(caller, "read", collection) ? wrote.row : undefined
    return textResponse(
      JSON.stringify(answerOf(hub.epoch, { ...wrote, row })),
      {
        ...cachingFor(caller, "no-store"),
        ...(row === undefined ? {} : { etag: `"${tagOf(row)}"` })
      },
      wrote.isNew ? 201 : 200
    )
  })

const matchingOf = ({ headers }: HttpServerRequest.HttpServerRequest): Matching => {
  const match = headers["if-match"]?.trim()
  const none = headers["if-none-match"]?.trim()
  if (none !== undefined && none !== "*")
    throw new Problem({ code: "bad_request", detail: "If-None-Match: * is all that a write understands" })
  return {
    ...(match === undefined ? {} : { ifMatch: match === "*" ? "*" : strongTagsOf(match) }),
    ...(none === undefined ? {} : { isNew: true })
  }
}

/** By what a request that comes again is known: who sent it, its route and its `Idempotency-Key`. */
const repeatOf = (
  { headers }: HttpServerRequest.HttpServerRequest,
  { by, subject }: Caller,
  op: Op,
  collection: string,
  key: string | undefined,
  body: string
) => {
  const given = headers["idempotency-key"]
  if (given === undefined) return undefined
  if (given === "" || given.length > maxIdempotencyKey)
    throw new Problem({
      code: "bad_request",
      detail: `an Idempotency-Key has 1 to ${maxIdempotencyKey} characters`
    })
  return { id: digest(by, subject, op, collection, key, given), body: digest(body, headers["if-match"]) }
}

const digest = (...parts: ReadonlyArray<string | undefined>): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("base64url")
