/** Http: by which roads it leaves. One handler a file in `Http/`; here they get their paths. */
import { Effect, Layer, Option } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"

import { Catalog } from "./Catalog.ts"
import { Readers } from "./Hub.ts"
import { Auth } from "./Http/Auth.ts"
import { changes } from "./Http/Changes.ts"
import { collections } from "./Http/Collections.ts"
import { clientPing, Connections } from "./Http/Connections.ts"
import { dashboard } from "./Http/Dashboard.ts"
import { type Endpoint, fallback } from "./Http/Fallback.ts"
import { clientLeft, guard } from "./Http/Guard.ts"
import { livez, readyz } from "./Http/Health.ts"
import { history } from "./Http/History.ts"
import { Limits } from "./Http/Limits.ts"
import { Quotas } from "./Http/Limits/Quotas.ts"
import { Problem, problemResponse } from "./Http/Problem.ts"
import { reference } from "./Http/Reference.ts"
import { refresh } from "./Http/Refresh.ts"
import type { Ground } from "./Http/Road.ts"
import { revocations } from "./Http/Revocations.ts"
import { rows } from "./Http/Rows.ts"
import { Siblings } from "./Http/Siblings.ts"
import { layerServer } from "./Http/Server.ts"
import { snapshot } from "./Http/Snapshot.ts"
import { socket } from "./Http/Socket.ts"
import { stream } from "./Http/Stream.ts"
import { tickets } from "./Http/Tickets.ts"
import { write } from "./Http/Write.ts"
import { Writes } from "./RateEngine.ts"
import { hasAdminListener, Settings, tlsOf } from "./Settings.ts"
import { Demand } from "./Upstream.ts"

export { Auth } from "./Http/Auth.ts"
export { BadKey } from "./Http/Auth/Tokens.ts"
export { changes } from "./Http/Changes.ts"
export { Limits } from "./Http/Limits.ts"
export { type NoPlace, type Place, Quotas, type TooSoon } from "./Http/Limits/Quotas.ts"
export { Problem, problemDetails, problemIn } from "./Http/Problem.ts"
export { askedOf, type Ground, queryOf, retryAfter } from "./Http/Road.ts"
export type { Caller } from "./Http/Auth/Caller.ts"
export type { Revocation } from "./Http/Auth/Revocations.ts"
export { type Own, Siblings } from "./Http/Siblings.ts"
export { snapshot } from "./Http/Snapshot.ts"

/** For the roads, and for clients in memory. */
export const groundOf = Effect.fnUntraced(function* (
  origins: ReadonlySet<string>
): Effect.fn.Return<Ground, never, Auth | Catalog | Demand | Limits | Readers | Writes> {
  const run = Effect.runForkWith(yield* Effect.context<never>())
  const hub = yield* Readers
  const siblings = yield* Siblings
  return {
    catalog: yield* Catalog,
    hub,
    auth: yield* Auth,
    limits: yield* Limits,
    connections: new Connections(hub, siblings.prefix),
    siblings,
    upstream: yield* Demand,
    writes: yield* Writes,
    origins,
    left: (route) => void run(clientLeft(route))
  }
})

/** What there is under the base path, and who answers. */
export const roads = Effect.fnUntraced(function* (origins: ReadonlySet<string>) {
  const ground = yield* groundOf(origins)
  ground.siblings.answer({
    ...ground.auth.own,
    ping: (id) => ground.connections.ping(id),
    count: () => ground.hub.count()
  })
  const endpoints: ReadonlyArray<Endpoint> = [
    { method: "GET", path: "/v1/snapshot", handler: snapshot(ground) },
    { method: "GET", path: "/v1/changes", handler: changes(ground) },
    { method: "GET", path: "/v1/stream", handler: stream(ground) },
    { method: "GET", path: "/v1/socket", handler: yield* socket(ground) },
    { method: "GET", path: "/v1/collections", handler: collections(ground) },
    { method: "GET", path: "/v1/rows/:collection", handler: rows(ground) },
    { method: "GET", path: "/v1/rows/:collection/:key", handler: rows(ground) },
    { method: "PUT", path: "/v1/rows/:collection", handler: write(ground, "put") },
    { method: "PUT", path: "/v1/rows/:collection/:key", handler: write(ground, "put") },
    { method: "PATCH", path: "/v1/rows/:collection", handler: write(ground, "patch") },
    { method: "PATCH", path: "/v1/rows/:collection/:key", handler: write(ground, "patch") },
    { method: "DELETE", path: "/v1/rows/:collection", handler: write(ground, "delete") },
    { method: "DELETE", path: "/v1/rows/:collection/:key", handler: write(ground, "delete") },
    { method: "POST", path: "/v1/rows/:collection", handler: write(ground, "append") },
    { method: "GET", path: "/v1/history/:collection", handler: history(ground) },
    { method: "POST", path: "/v1/refresh/:collection", handler: refresh(ground) },
    { method: "POST", path: "/v1/tickets", handler: tickets(ground) },
    { method: "POST", path: "/v1/revocations", handler: revocations(ground) },
    { method: "POST", path: "/v1/connections/:id/ping", handler: clientPing(ground) },
    ...probes(ground)
  ]
  return endpoints
})

const probes = (ground: Ground): ReadonlyArray<Endpoint> => [
  { method: "GET", path: "/livez", handler: () => livez },
  { method: "GET", path: "/readyz", handler: readyz(ground) }
]

/** Everything under a path, for life behind a proxy; the page's own links are relative, so it needs the last slash. */
const under =
  (basePath: string) =>
  <E, R>(served: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
      const rest = request.url.startsWith(basePath) ? request.url.slice(basePath.length) : undefined
      if (rest === "") return Effect.succeed(HttpServerResponse.redirect(`${basePath}/`))
      return rest !== undefined && (rest.startsWith("/") || rest.startsWith("?"))
        ? Effect.provideService(
            served,
            HttpServerRequest.HttpServerRequest,
            request.modify({ url: rest.replace(/^\?/, "/?") })
          )
        : Effect.succeed(
            problemResponse(
              new Problem({ code: "not_found", detail: `everything here is under ${basePath}/` })
            )
          )
    })

/** A path as the router reads it: a `;` is data there as anywhere, and what cannot be decoded is nowhere. */
const routable = <E, R>(served: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const [, path = "", rest = ""] = /^([^?]*)(.*)$/s.exec(request.url)!
    if (!isDecodable(path)) {
      const detail = "the path has a % that is not followed by what UTF-8 makes of a character"
      return Effect.succeed(problemResponse(new Problem({ code: "not_found", detail })))
    }
    return path.includes(";")
      ? Effect.provideService(
          served,
          HttpServerRequest.HttpServerRequest,
          request.modify({ url: path.replaceAll(";", "%3B") + rest })
        )
      : served
  })

const isDecodable = (path: string): boolean => {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

const serve = <R>(
  endpoints: (origins: ReadonlySet<string>) => Effect.Effect<ReadonlyArray<Endpoint>, never, R>,
  { basePath, page }: Pick<Settings["Service"], "basePath" | "page">
) =>
  HttpRouter.serve(
    HttpRouter.use(
      Effect.fnUntraced(function* (router) {
        const { origins, sizes } = yield* Settings
        const around = { origins, maxUrl: sizes.url }
        const all = yield* endpoints(origins)
        for (const { handler, method, path } of all) {
          const guarded = guard(path, around, handler)
          yield* router.add(method, path, guarded)
          // A method that the types of 4.1.0 leave out: for HEAD the router looks for GET only where it finds nothing,
          // and it would find the route for everything else.
          if (method === "GET") yield* router.add("HEAD" as "GET", path, guarded)
        }
        yield* router.add("*", "*", guard("*", around, yield* fallback(all, page)))
        yield* router.addGlobalMiddleware(routable)
        if (basePath !== "") yield* router.addGlobalMiddleware(under(basePath))
      })
    ),
    { disableLogger: true, disableListenLog: true }
  ).pipe(
    // A key in a path may be long; the router's own limit is 100 characters.
    Layer.provide(Layer.succeed(HttpRouter.RouterConfig, { maxParamLength: 8 * 1024, caseSensitive: true }))
  )

const main = Layer.unwrap(
  Effect.map(Settings, (settings) => {
    const { basePath, detach, host, port } = settings
    const socketPath = `${basePath}/v1/socket`
    return serve(
      Effect.fnUntraced(function* (origins) {
        return [
          ...(yield* roads(origins)),
          ...(hasAdminListener(settings) ? [] : yield* reference),
          ...(settings.dashboard ? yield* dashboard : [])
        ]
      }),
      settings
    ).pipe(
      Layer.provide(
        layerServer({ host, port, tls: tlsOf(settings), socketPath, detach, shared: settings.threads > 1 })
      )
    )
  })
)

const admin = Layer.unwrap(
  Effect.map(Settings, (settings) => {
    if (!hasAdminListener(settings)) return Layer.empty
    const { adminHost, adminPort, detach } = settings
    return serve(
      Effect.fnUntraced(function* (origins) {
        return [...(yield* reference), ...probes(yield* groundOf(origins))]
      }),
      { basePath: "", page: Option.none() }
    ).pipe(
      Layer.provide(
        layerServer({
          host: adminHost,
          port: adminPort,
          tls: undefined,
          socketPath: "/v1/socket",
          detach,
          shared: false
        })
      )
    )
  })
)

/** Built after the listeners, so released before them: streams end cleanly while the server still answers. */
const drain = Layer.effectDiscard(
  Effect.gen(function* () {
    const hub = yield* Readers
    yield* Effect.addFinalizer(() => hub.drain)
  })
)

const services = Auth.layer.pipe(Layer.provideMerge(Limits.layer))

export const Http = {
  layer: drain.pipe(
    Layer.provideMerge(Layer.mergeAll(main, admin)),
    Layer.provide(services),
    Layer.provide(Quotas.layer)
  ),
  /** For a thread that only serves readers, and for the one that serves none. */
  layerReaders: drain.pipe(Layer.provideMerge(main), Layer.provide(services)),
  layerOperators: drain.pipe(Layer.provideMerge(admin), Layer.provide(services))
}
