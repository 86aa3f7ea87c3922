/** `GET /v1/rows/{collection}/{key}`, or `?key=` for keys that do not fit into a path: one row. */
import { Effect } from "effect"
import { HttpRouter, type HttpServerRequest, HttpServerResponse } from "effect/http"

import { makeQuery } from "../Hub.ts"
import { didYouMean } from "../Nearest.ts"
import { tagOfText } from "../RowTag.ts"
import { textResponse } from "./Json.ts"
import { Problem } from "./Problem.ts"
import { admission, arrival, attempt, cachingFor, type Ground, minRevisionOf, searchOf } from "./Road.ts"
import { lookUp } from "./Resolve.ts"
import { weakTagsOf } from "./Tags.ts"

export const rows = (ground: Ground) =>
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const { catalog, hub, upstream } = ground
    const caller = yield* ground.auth.callerOf(request)
    const params = yield* HttpRouter.params
    const name = params["collection"] ?? ""
    const key = yield* attempt(() => rowKeyOf(request, params["key"]))
    const declared = yield* attempt(() => lookUp(catalog, name, caller, "read"))
    if (name.includes("*"))
      return yield* new Problem({
        code: "unknown_collection",
        detail: "a row is in one collection, not in a pattern"
      })
    yield* arrival(ground, undefined, minRevisionOf(request))
    yield* admission(ground, [name])
    upstream.touch([name])
    const row = yield* hub.row(name, key)
    if (row === undefined) {
      return yield* new Problem({
        code: "unknown_row",
        detail: `"${name}" has no row ${JSON.stringify(key.slice(0, 80))}`
      })
    }
    const text = JSON.stringify(row)
    const etag = `"${tagOfText(text)}"`
    const headers = { ...cachingFor(caller), etag }
    const tags = weakTagsOf(request.headers["if-none-match"])
    if (tags.includes(etag.slice(1, -1)) || request.headers["if-none-match"]?.trim() === "*") {
      return HttpServerResponse.empty({ status: 304, headers })
    }
    const collection = { ...declared.collection, name }
    const query = makeQuery([[name, { collection, keys: new Set([key]), fields: undefined, where: [] }]])
    return textResponse(
      `{"cursor":${JSON.stringify(hub.cursor(query))},"key":${JSON.stringify(key)},"row":${text}}`,
      headers
    )
  })

const invalid = (detail: string) => new Problem({ code: "invalid_query", detail })

/** The key of a row, in the path or as `?key=`. Throws a Problem. */
export const rowKeyOf = (
  request: HttpServerRequest.HttpServerRequest,
  inPath: string | undefined
): string => {
  const search = searchOf(request)
  for (const name of search.keys()) {
    if (name !== "key" && !name.startsWith("_"))
      throw invalid(`unknown parameter "${name.slice(0, 80)}"${didYouMean(name, ["key"])}`)
  }
  const keys = search.getAll("key")
  if (keys.length > 1) throw invalid(`"key" is given twice`)
  if (inPath !== undefined && inPath !== "") {
    if (keys.length > 0) throw invalid(`the key is given twice, in the path and as "key"`)
    return inPath
  }
  if (keys[0] === undefined) throw invalid(`no key; expected /v1/rows/{collection}/{key} or ?key=`)
  return keys[0]
}
