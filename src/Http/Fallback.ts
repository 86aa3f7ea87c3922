/** Where no route is: a preflight, a file of the page, a method that the path does not have, or nothing. */
import { Effect, Option } from "effect"
import { HttpStaticServer } from "effect/http"
import type { HttpRouter, HttpServerRequest } from "effect/http"

import { didYouMean } from "../Nearest.ts"
import { isPreflight, preflightResponse } from "./Cors.ts"
import type { Handler } from "./Guard.ts"
import { Problem } from "./Problem.ts"

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  readonly path: `/${string}`
}

/** A route, and who answers. */
export type Endpoint = Route & { readonly handler: Handler<HttpRouter.RouteContext> }

export const fallback = Effect.fnUntraced(function* (
  routes: ReadonlyArray<Route>,
  page: Option.Option<string>
) {
  const files = Option.isSome(page)
    ? yield* HttpStaticServer.make({ root: page.value, cacheControl: "no-cache" })
    : undefined
  const nothing = (path: string) =>
    new Problem({
      code: "not_found",
      detail: `there is nothing at ${path.slice(0, 200)}${didYouMean(
        path,
        routes.map((route) => route.path)
      )}`
    })

  return ((request: HttpServerRequest.HttpServerRequest) => {
    if (isPreflight(request)) return Effect.succeed(preflightResponse)
    const path = request.url.split("?")[0]!
    const allowed = routes.filter((route) => matches(route.path, path)).map(({ method }) => method)
    if (allowed.length > 0) {
      const allow = allowed.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ")
      return Effect.fail(
        new Problem({ code: "method_not_allowed", detail: `${path.slice(0, 200)} takes ${allow}`, allow })
      )
    }
    const reads = request.method === "GET" || request.method === "HEAD"
    return files === undefined || !reads || path.startsWith("/v1/")
      ? Effect.fail(nothing(path))
      : Effect.mapError(files, () => nothing(path))
  }) satisfies Handler<HttpServerRequest.HttpServerRequest>
})

const matches = (pattern: string, path: string): boolean => {
  const steps = pattern.split("/")
  const taken = path.split("/")
  return steps.length === taken.length && steps.every((step, i) => step.startsWith(":") || step === taken[i])
}
