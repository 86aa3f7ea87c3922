/**
 * Keys by URL (JWKS): the last good ones, and newer ones as soon as they may be asked for. Whatever tokens say, and
 * however many come, the URL is asked once in a while, by one request at a time.
 */
import { Clock, Data, Deferred, Effect, Exit, FiberSet, type Scope } from "effect"
import { createLocalJWKSet, type LocalJWKSet } from "jose"

import { steady } from "../../Steady.ts"

/** There are no keys, or none that can be told to be the newest. */
export class Unfetched extends Data.TaggedError("Unfetched")<{ readonly cause?: unknown }> {}

export interface Jwks {
  /** Those that there are. */
  readonly keys: Effect.Effect<LocalJWKSet, Unfetched>
  /** The same once newer ones have been asked for, where that may be: for a token whose key is not among them. */
  readonly newest: Effect.Effect<LocalJWKSet, Unfetched>
}

/** An unknown key id asks for the keys anew, at most so often, ms: or anybody could make us ask. */
const cooldown = 30_000
/** While there are none nobody gets in, ms. */
const cooldownAtFirst = 5_000
/** A key that was taken out counts for so long, ms. */
const freshFor = 10 * 60 * 1_000
/** Keys that cannot be renewed go on for so long, ms. */
const keptFor = 24 * 60 * 60 * 1_000
const within = "5 seconds"
const maxBytes = 1024 * 1024

export const makeJwks = Effect.fnUntraced(function* (url: URL): Effect.fn.Return<Jwks, never, Scope.Scope> {
  const { currentTimeMillisUnsafe } = steady(yield* Clock.Clock)
  const fork = yield* FiberSet.makeRuntime<never>()
  let held: { readonly keys: LocalJWKSet; readonly at: number } | undefined
  let askedAt = -Infinity
  let isMissed = false
  let running: Deferred.Deferred<void, Unfetched> | undefined

  /** In a fiber of its own: whoever asked first may leave, and others wait for the same. */
  const fetching = (now: number) => {
    const done = (running = Deferred.makeUnsafe<void, Unfetched>())
    askedAt = now
    fork(
      fetched(url).pipe(
        Effect.timeoutOrElse({
          duration: within,
          orElse: () => new Unfetched({ cause: `no answer within ${within}` })
        }),
        Effect.tap((keys) => Effect.sync(() => void (held = { keys, at: now }))),
        Effect.tapError(({ cause }) => Effect.logWarning("the keys of tokens could not be fetched", cause)),
        Effect.onExit((exit) => {
          running = undefined
          isMissed = Exit.isFailure(exit)
          return Deferred.done(done, Exit.asVoid(exit))
        }),
        Effect.ignore
      )
    )
    return done
  }

  const renewed = Effect.suspend((): Effect.Effect<void, Unfetched> => {
    if (running !== undefined) return Deferred.await(running)
    const now = currentTimeMillisUnsafe()
    if (now - askedAt >= (held === undefined ? cooldownAtFirst : cooldown))
      return Deferred.await(fetching(now))
    return isMissed ? Effect.fail(new Unfetched({})) : Effect.void
  })

  const present = Effect.suspend(() =>
    held === undefined ? Effect.fail(new Unfetched({})) : Effect.succeed(held.keys)
  )

  return {
    keys: Effect.suspend(() => {
      const now = currentTimeMillisUnsafe()
      if (held !== undefined && now - held.at >= keptFor) held = undefined
      if (held === undefined) return Effect.andThen(renewed, present)
      // Nobody waits for it.
      if (now - held.at >= freshFor && running === undefined && now - askedAt >= cooldown) fetching(now)
      return Effect.succeed(held.keys)
    }),
    newest: Effect.andThen(renewed, present)
  }
})

const fetched = (url: URL): Effect.Effect<LocalJWKSet, Unfetched> =>
  Effect.tryPromise({
    try: async (signal) => {
      const accept = "application/jwk-set+json, application/json"
      const headers = { accept, "user-agent": "ratecast" }
      const response = await fetch(url, { signal, redirect: "error", headers })
      if (response.status !== 200) throw new Error(`status ${response.status}`)
      const set = JSON.parse(await textOf(response))
      // It would take the place of those that there are.
      if (!hasKey(set)) throw new Error("there is no public key in it")
      return createLocalJWKSet(set)
    },
    catch: (cause) => new Unfetched({ cause })
  })

const hasKey = (set: unknown): boolean => {
  const { keys } = (set ?? {}) as { readonly keys?: unknown }
  return Array.isArray(keys) && keys.some((key) => ["RSA", "EC", "OKP"].includes(key?.kty))
}

const textOf = async (response: Response): Promise<string> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) throw new Error(`more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}
