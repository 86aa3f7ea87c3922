/** What every road does first: understand the query, and wait where the client is ahead of us. */
import { Effect, Random } from "effect"
import type { HttpServerRequest } from "effect/http"

import type { Catalog } from "../Catalog.ts"
import { parseCursor, type Query, type Readers } from "../Hub.ts"
import type { Writes } from "../RateEngine.ts"
import type { Demand } from "../Upstream.ts"
import { type Asked, askedInUrl } from "./Asked.ts"
import type { Auth } from "./Auth.ts"
import type { Caller } from "./Auth/Caller.ts"
import type { Connections } from "./Connections.ts"
import type { Limits } from "./Limits.ts"
import { Problem } from "./Problem.ts"
import { resolve } from "./Resolve.ts"
import type { Siblings } from "./Siblings.ts"

/** What the roads stand on. */
export interface Ground {
  readonly catalog: Catalog["Service"]
  readonly hub: Readers["Service"]
  readonly upstream: Demand["Service"]
  readonly writes: Writes["Service"]
  readonly auth: Auth["Service"]
  readonly limits: Limits["Service"]
  /** Those that ping. */
  readonly connections: Connections
  readonly siblings: Siblings
  /** A client left by itself: a line in the log of those who debug, and a counter. */
  readonly left: (route: string) => void
  /** Pages that may reach us from elsewhere. */
  readonly origins: ReadonlySet<string>
}

/** Runs what may throw a Problem. */
export const attempt = <A>(run: () => A): Effect.Effect<A, Problem> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(run())
    } catch (thrown) {
      return thrown instanceof Problem ? Effect.fail(thrown) : Effect.die(thrown)
    }
  })

export const searchOf = (request: HttpServerRequest.HttpServerRequest): URLSearchParams => {
  const mark = request.url.indexOf("?")
  return new URLSearchParams(mark === -1 ? "" : request.url.slice(mark + 1))
}

/** What URLs ask for: ten thousand clients come with a few of them, and reading one costs more than answering it. */
const read = new Map<string, Asked>()
const maxRead = 256
/** Longer ones are rare, and would be held for as long as they are not overtaken. */
const maxReadLength = 512

const readUrl = (request: HttpServerRequest.HttpServerRequest): Asked => {
  const mark = request.url.indexOf("?")
  const search = mark === -1 ? "" : request.url.slice(mark + 1)
  let asked = read.get(search)
  if (asked === undefined) {
    asked = askedInUrl(new URLSearchParams(search), undefined)
    // A ticket is a secret, and comes once.
    if (search.length > maxReadLength || search.includes("ticket=")) return asked
    if (read.size >= maxRead) read.clear()
    // A copy: a slice would hold the whole URL.
    read.set(Buffer.from(search).toString(), asked)
  }
  return asked
}

export const askedOf = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<Asked, Problem> =>
  attempt(() => {
    const asked = readUrl(request)
    const since = request.headers["last-event-id"]
    return since === undefined || since === "" ? asked : { ...asked, since }
  })

/** What was asked for in one URL, resolved; by `own`, which every reading of a URL has one of, whatever the cursor. */
type Resolved = WeakMap<Asked["own"], Query>
/** By rights: what one caller may read is not what another may. Those of everybody who shows nothing are one object. */
const queries = new WeakMap<Catalog["Service"], WeakMap<Caller["rights"], Resolved>>()

const queryIn = ({ catalog, limits }: Ground, asked: Asked, caller: Caller): Query => {
  let byRights = queries.get(catalog)
  if (byRights === undefined) queries.set(catalog, (byRights = new WeakMap()))
  let known = byRights.get(caller.rights)
  if (known === undefined) byRights.set(caller.rights, (known = new WeakMap()))
  let query = known.get(asked.own)
  if (query === undefined) known.set(asked.own, (query = resolve(catalog, asked, caller, limits.sizes.items)))
  return query
}

const minRevisionShape = /^(?:([0-9a-z]{1,32})-)?([0-9]{1,15})(?:-[0-9a-f]{12})?$/

/** The query, once the revision that the client has seen elsewhere is here, or it has been waited for. */
export const queryOf = Effect.fnUntraced(function* (
  ground: Ground,
  asked: Asked,
  caller: Caller,
  minRevision: string | undefined
): Effect.fn.Return<Query, Problem> {
  const query = yield* attempt(() => queryIn(ground, asked, caller))
  yield* arrival(ground, asked.since, minRevision)
  yield* admission(ground, query.parts.keys())
  return query
})

/** Waits where the client has seen a later revision elsewhere, by its cursor or by `Ratecast-Min-Revision`. */
export const arrival = (
  ground: Ground,
  since: string | undefined,
  minRevision: string | undefined
): Effect.Effect<void> =>
  // Most come for the first time.
  since === undefined && minRevision === undefined ? Effect.void : reached(ground, since, minRevision)

const reached = Effect.fnUntraced(function* (
  { hub }: Ground,
  since: string | undefined,
  minRevision: string | undefined
): Effect.fn.Return<void> {
  const cursor = since === undefined ? undefined : parseCursor(since)
  if (cursor !== undefined) yield* hub.reach(cursor)
  const least = minRevisionShape.exec(minRevision ?? "")
  if (least !== null) yield* hub.reach({ epoch: least[1] ?? hub.epoch, revision: Number(least[2]) })
})

/** Whether so many members of families may be read; asked last, since others come while a request waits. */
export const admission = (
  { upstream }: Ground,
  collections: Iterable<string>
): Effect.Effect<void, Problem> =>
  Effect.flatMap(upstream.full(collections), (full) =>
    full === undefined
      ? Effect.void
      : Effect.fail(
          new Problem({
            code: "too_many",
            detail: `too many members of "${full}" are read at once`,
            retryAfterMs: 5_000
          })
        )
  )

export const minRevisionOf = (request: HttpServerRequest.HttpServerRequest): string | undefined =>
  request.headers["ratecast-min-revision"]

/** When a client that is sent away may come back, ms: spread, so that a thousand do not come back at once. */
export const retryAfter = Random.nextIntBetween(1_000, 5_000)

/** Caches must ask again; and what somebody was told who showed a token is for nobody else. */
export const cachingFor = ({ by }: Caller, how = "no-cache") => ({
  "cache-control": by === "nothing" ? how : `private, ${how}`,
  vary: "Accept-Encoding, Authorization, Cookie, Origin"
})
