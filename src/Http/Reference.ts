/** For operators and developers: metrics, the contract, and a page to read it on. */
import { Effect, Scope } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiScalar, OpenApi } from "effect/http-api"

import { Readers } from "../Hub.ts"
import { hasAdminListener, Settings, tlsOf } from "../Settings.ts"
import { Api } from "./Api.ts"
import type { Endpoint } from "./Fallback.ts"
import { Siblings } from "./Siblings.ts"

/** Where the roads are, as seen from where the reference is. */
const publicUrl = (settings: Settings["Service"]): string => {
  const { basePath, host, port } = settings
  if (!hasAdminListener(settings)) return basePath === "" ? "/" : basePath
  const name = host === "0.0.0.0" || host === "::" ? "localhost" : host
  return `${tlsOf(settings) === undefined ? "http" : "https"}://${name}:${port}${basePath}`
}

/** A page to read, and nothing that its maker offers beside it; the types of 4.1.0 know the first of these only. */
const scalar = {
  withDefaultFonts: false,
  showDeveloperTools: "never",
  hideClientButton: true,
  telemetry: false
}

/** What the docs page may load: nothing. It has all within itself, and asks the roads alone. */
const policyOf = (roads: string): string =>
  [
    "default-src 'none'",
    "script-src 'unsafe-inline'",
    "style-src 'unsafe-inline'",
    "img-src data:",
    "font-src data:",
    `connect-src 'self' ${URL.parse(roads)?.origin ?? ""}`.trim(),
    "base-uri 'none'",
    "form-action 'none'"
  ].join("; ")

/** What all threads have counted, with the readers of this moment. */
export const metricsText = Effect.gen(function* () {
  const hub = yield* Readers
  const { metrics } = yield* Siblings
  return Effect.map(Effect.andThen(Effect.sync(hub.count), metrics), (text) =>
    HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
  )
})

export const reference = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const metrics = yield* metricsText
  const url = publicUrl(yield* Settings)
  const policy = policyOf(url)
  const api = Api.annotate(OpenApi.Servers, [{ url }])
  const openapi = HttpServerResponse.jsonUnsafe(OpenApi.fromApi(api))
  // The page's script is 3 MB: loaded when somebody looks, not at every start.
  const docs = yield* Effect.cached(
    HttpRouter.toHttpEffect(HttpApiScalar.layer(api, { path: "/docs", scalar })).pipe(Scope.provide(scope))
  )
  const endpoints: ReadonlyArray<Endpoint> = [
    {
      method: "GET",
      path: "/metrics",
      handler: () => metrics
    },
    { method: "GET", path: "/openapi.json", handler: () => Effect.succeed(openapi) },
    {
      method: "GET",
      path: "/docs",
      handler: (request) =>
        Effect.flatten(docs).pipe(
          Effect.provideService(HttpServerRequest.HttpServerRequest, request),
          Effect.provideService(Scope.Scope, scope),
          Effect.map(HttpServerResponse.setHeader("content-security-policy", policy)),
          Effect.orDie
        )
    }
  ]
  return endpoints
})
