/**
 * `/dashboard`: the page that shows collections, sources and readers. Its files hold no data: rows it reads as any client
 * does, with what its caller shows. What is for operators it gets where operators get it, and else by the API key alone.
 */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { extname, join } from "node:path"
import { gzipSync } from "node:zlib"

import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

import { dashboardFolder, hasAdminListener, Settings } from "../Settings.ts"
import { Auth } from "./Auth.ts"
import { refusal } from "./Auth/Caller.ts"
import type { Endpoint } from "./Fallback.ts"
import { takesGzip } from "./Gzip.ts"
import { Problem } from "./Problem.ts"
import { metricsText } from "./Reference.ts"
import { cachingFor } from "./Road.ts"
import { weakTagsOf } from "./Tags.ts"

const types: { readonly [extension: string]: string } = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml"
}

/** It asks nobody but the daemon it came from, and stands in no frame: what is clicked there is meant. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'"
].join("; ")

interface File {
  readonly plain: Buffer
  readonly packed: Buffer
  readonly type: string
  readonly tag: string
}

/** Read once: they are few, and what is asked for later is a name among these and never a path. */
const filesOf = (folder: string): ReadonlyMap<string, File> =>
  new Map(
    readdirSync(folder).flatMap((name) => {
      const type = types[extname(name)]
      if (type === undefined) return []
      const text = readFileSync(join(folder, name), "utf8")
      // It stands one step below the roads.
      const plain = Buffer.from(text.replace('data-base="./"', 'data-base="../"'))
      const tag = createHash("sha256").update(plain).digest("base64url").slice(0, 16)
      return [[name, { plain, packed: gzipSync(plain), type, tag }]]
    })
  )

export const dashboard = Effect.gen(function* () {
  const auth = yield* Auth
  const settings = yield* Settings
  const metrics = yield* metricsText
  // The settings were refused where there is none.
  const files = filesOf(dashboardFolder()!)

  const page = (name: string): Endpoint["handler"] =>
    Effect.fnUntraced(function* (request) {
      const file = files.get(name)
      if (file === undefined)
        return yield* new Problem({ code: "not_found", detail: `there is no ${name.slice(0, 80)} here` })
      const headers = {
        "cache-control": "no-cache",
        "content-security-policy": policy,
        // Weak: packed and plain it is the same file, and not the same bytes.
        etag: `W/"${file.tag}"`,
        vary: "Accept-Encoding"
      }
      if (weakTagsOf(request.headers["if-none-match"]).includes(file.tag))
        return HttpServerResponse.empty({ status: 304, headers })
      return takesGzip(request.headers["accept-encoding"])
        ? HttpServerResponse.uint8Array(file.packed, {
            contentType: file.type,
            headers: { ...headers, "content-encoding": "gzip" }
          })
        : HttpServerResponse.uint8Array(file.plain, { contentType: file.type, headers })
    })

  const endpoints: ReadonlyArray<Endpoint> = [
    {
      method: "GET",
      path: "/dashboard",
      // Its files stand beside it, so it needs the last slash, which is all one to the router.
      handler: (request) =>
        request.url.split("?")[0]!.endsWith("/")
          ? page("index.html")(request)
          : Effect.succeed(HttpServerResponse.redirect(`${settings.basePath}/dashboard/`))
    },
    {
      method: "GET",
      path: "/dashboard/:file",
      handler: (request) => Effect.flatMap(HttpRouter.params, (params) => page(params["file"] ?? "")(request))
    }
  ]
  /** Of operators, where they have a listener of their own: here for whoever may do everything. */
  const guarded: Endpoint = {
    method: "GET",
    path: "/metrics",
    handler: Effect.fnUntraced(function* (request) {
      const caller = yield* auth.callerOf(request)
      if (caller.by !== "api key") return yield* refusal(caller, "metrics cannot be read")
      return HttpServerResponse.setHeaders(yield* metrics, cachingFor(caller, "no-store"))
    })
  }
  return hasAdminListener(settings) ? [...endpoints, guarded] : endpoints
})
