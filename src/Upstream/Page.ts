/** How one page leads to the next: by a cursor in the body, an offset, or a page number; in the URL or in a POST body. */
import { Effect } from "effect"

import { atPath, missing, withPath } from "../BodyPath.ts"
import type { Pages } from "../Config.ts"
import { noPage, type PollFailed } from "./Failure.ts"
import type { Request } from "./Fetch.ts"

/** What the page parameter is set to; `undefined` for the first page by cursor, which has none. */
export type Position = string | number | undefined

export const firstPage = (pages: Pages): Position =>
  pages.by === "cursor" ? undefined : pages.by === "page" ? (pages.first ?? 1) : 0

/** The position after this page, or `undefined` after the last. */
export const nextPage = (
  pages: Pages,
  body: unknown,
  position: Position,
  rows: string | undefined
): Effect.Effect<Position, PollFailed> => {
  if (pages.by === "cursor") {
    const next = atPath(body, pages.next)
    return Effect.succeed(
      (typeof next === "string" && next !== "") || typeof next === "number" ? next : undefined
    )
  }
  const list = atPath(body, rows)
  if (!Array.isArray(list)) return noPage(missing(body, rows))
  const step = pages.by === "page" ? 1 : pages.size
  return Effect.succeed(list.length < pages.size ? undefined : (position as number) + step)
}

export const pageRequest = (request: Request, pages: Pages, position: Position): Request => {
  const parameters: Array<readonly [string, string | number]> = []
  if (position !== undefined) parameters.push([pages.parameter, position])
  if (pages.by !== "cursor" && pages.sizeParameter !== undefined)
    parameters.push([pages.sizeParameter, pages.size])
  if (request.method === "POST") {
    return {
      ...request,
      body: parameters.reduce<unknown>((body, [path, value]) => withPath(body, path, value), request.body)
    }
  }
  const url = new URL(request.url)
  for (const [name, value] of parameters) url.searchParams.set(name, String(value))
  return { ...request, url: url.href }
}
