/** `GET /v1/history/{collection}`: rows of a written collection page by page, the newest first, as far back as is kept. */
import { Effect } from "effect"
import { HttpRouter, type HttpServerRequest } from "effect/http"

import type { Catalog } from "../Catalog.ts"
import { didYouMean } from "../Nearest.ts"
import type { Caller } from "./Auth/Caller.ts"
import { textResponse } from "./Json.ts"
import { Problem } from "./Problem.ts"
import { lookUp } from "./Resolve.ts"
import { admission, arrival, attempt, cachingFor, type Ground, minRevisionOf, searchOf } from "./Road.ts"
import { originOf } from "./WriteAsked.ts"

const defaultLimit = 50
const maxLimit = 500
const known = ["before", "limit"]

export const history = (ground: Ground) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const { catalog, hub, upstream } = ground
    const caller = yield* ground.auth.callerOf(request)
    const collection = (yield* HttpRouter.params)["collection"] ?? ""
    const { before, limit } = yield* attempt(() => pageOf(searchOf(request)))
    yield* attempt(() => hasHistory(catalog, collection, caller))
    yield* arrival(ground, undefined, minRevisionOf(request))
    upstream.touch([collection])
    yield* loaded(ground, collection)
    // One more tells whether there is another page.
    const rows = yield* hub.past(collection, before, limit + 1)
    if (rows === "unavailable")
      return yield* new Problem({
        code: "unavailable",
        detail: "older rows cannot be read just now, here or from the backend that has them; try again",
        retryAfterMs: 2_000
      })
    if (rows === undefined)
      return yield* new Problem({
        code: "unknown_row",
        detail: `"${collection}" has no row ${JSON.stringify(before?.slice(0, 80))} to begin before, or none any more; begin anew without it`
      })
    const page = rows.slice(0, limit)
    const next = rows.length > limit ? page.at(-1)!.key : null
    const text = page.map(({ key, row }) => `{"key":${JSON.stringify(key)},"row":${row}}`).join()
    return textResponse(`{"rows":[${text}],"before":${JSON.stringify(next)}}`, {
      ...cachingFor(caller, "no-store")
    })
  })

/** Throws a Problem. */
const hasHistory = (catalog: Catalog["Service"], name: string, caller: Caller): void => {
  const { collection } = lookUp(catalog, name, caller, "read")
  if (name.includes("*"))
    throw new Problem({
      code: "unknown_collection",
      detail: "the history of one collection is read at a time, not of a pattern"
    })
  if (collection.kind !== "written")
    throw new Problem({
      code: "not_found",
      detail: `"${name}" has no history: its rows come from ${originOf(collection)}, and only written collections have one`
    })
}

/** What is still read from where it was is not all there is. */
const loaded = Effect.fnUntraced(function* (ground: Ground, collection: string) {
  const { hub, upstream } = ground
  if (hub.look(collection).health.state !== "loading") return
  yield* admission(ground, [collection])
  upstream.touch([collection])
  return yield* new Problem({
    code: "unavailable",
    detail: "the rows that were there before are still to be read; try again",
    retryAfterMs: 2_000
  })
})

const invalid = (detail: string) => new Problem({ code: "invalid_query", detail })

/** Throws a Problem. */
const pageOf = (search: URLSearchParams): { readonly before: string | undefined; readonly limit: number } => {
  for (const name of search.keys()) {
    if (!known.includes(name) && !name.startsWith("_"))
      throw invalid(`unknown parameter "${name.slice(0, 80)}"${didYouMean(name, known)}`)
    if (search.getAll(name).length > 1) throw invalid(`"${name.slice(0, 80)}" is given twice`)
  }
  const limit = search.get("limit") ?? String(defaultLimit)
  if (!/^\d{1,3}$/.test(limit) || Number(limit) < 1 || Number(limit) > maxLimit)
    throw invalid(`"limit" is ${JSON.stringify(limit.slice(0, 80))}; expected 1 to ${maxLimit}`)
  return { before: search.get("before") ?? undefined, limit: Number(limit) }
}
