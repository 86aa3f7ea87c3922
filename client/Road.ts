/** What the roads have in common: where they lead, how they are asked, and what they tell. */
import { CastError } from "./CastError.ts"
import type { Problem } from "./Wire.ts"

/** Where the server is, and by what it is reached. */
export interface Reached {
  /** Ends in a slash. */
  readonly url: string
  readonly fetch: typeof fetch
  readonly WebSocket: typeof WebSocket
  readonly credentials?: "omit" | "same-origin" | "include" | undefined
}

export interface Asked extends Reached {
  readonly query: { readonly [parameter: string]: string }
  readonly since: string | undefined
  readonly token: string | undefined
}

/** Why a road ended. Without a `status` that says otherwise it is worth coming back. */
export type End = Omit<Problem, "detail"> & { readonly detail?: string | undefined }

export interface Opened {
  readonly close: () => void
}

/** `hear`: a message, or nothing where bytes came that are not a whole one yet. What they are told after `close` counts for nothing. */
export type Road = (asked: Asked, hear: (text?: string) => void, end: (end: End) => void) => Opened

export const address = ({ query, since, url }: Asked, road: string): string =>
  `${url}v1/${road}?${new URLSearchParams(since ? { ...query, since } : query)}`

interface Sent {
  readonly [name: string]: string
}

/** Throws what is wrong: the problem of a server that is ours; what somebody in between says may be gone next time. */
export const request = async (
  { credentials, fetch, token }: Reached & { readonly token: string | undefined },
  url: string,
  { headers, ...init }: Omit<RequestInit, "headers"> & { readonly headers?: Sent } = {}
): Promise<Response> => {
  const response = await fetch(url, {
    ...init,
    credentials: credentials!,
    headers: { ...headers, ...(token && { authorization: `Bearer ${token}` }) }
  })
  const said = (name: string) => response.headers.get(name)
  const type = said("content-type") ?? ""
  // Somebody in between, or a server of pages, has a page for whatever is asked.
  if (response.ok && !type.includes("html")) return response
  const problem = type.includes("problem") && ((await response.json()) as Problem)
  throw new CastError({
    retryAfterMs: +said("retry-after")! * 1000 || 0,
    // Others have problems, too: only ours have a code.
    ...(problem && problem.code ? problem : { detail: `${url}: ${response.status} ${type}` })
  })
}

/** A road over `fetch`. What is thrown is told, and whatever is left of it is let go. */
export const fetching = (end: (end: End) => void, run: (signal: AbortSignal) => Promise<void>): Opened => {
  const controller = new AbortController()
  const close = () => controller.abort()
  const tell = (error?: Error | void) => {
    close()
    end(error instanceof CastError ? error : { detail: error?.message })
  }
  run(controller.signal).then(tell, tell)
  return { close }
}
