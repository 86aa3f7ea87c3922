/** Limits: how much one address and one subject may take of what all share. Judged before anything is asked that costs. */
import { Clock, Context, Effect, Layer } from "effect"
import type { HttpServerRequest } from "effect/http"

import { type Limited, Settings, type Sizes } from "../Settings.ts"
import { steady } from "../Steady.ts"
import type { Caller } from "./Auth/Caller.ts"
import { Addresses, proxy } from "./Limits/Addresses.ts"
import { Bucket } from "./Limits/Bucket.ts"
import { Counts } from "./Limits/Counts.ts"
import { Guesses } from "./Limits/Guesses.ts"
import { type NoPlace, Quotas, quotasOf, type TooSoon } from "./Limits/Quotas.ts"
import { noPlace, Slot } from "./Limits/Slot.ts"
import { Problem } from "./Problem.ts"

type Request = HttpServerRequest.HttpServerRequest

const unlimited: Limited = {
  connections: 1e9,
  connectionsPerAddress: 1e9,
  connectionsPerSubject: 1e9,
  writesPerSecond: 1e9,
  writeBurst: 1e9,
  messagesPerSecond: 1e9,
  authFailuresPerMinute: 1e9,
  trustedProxies: []
}
const unbounded: Sizes = { url: 1e9, headers: 1e9, body: 1e9, message: 1e9, items: 1e9 }

export class Limits extends Context.Service<
  Limits,
  {
    /** Runs something with a slot, and releases that afterwards unless it is kept. */
    readonly admit: <A, E, R>(
      request: Request,
      use: (slot: Slot) => Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | Problem, R>
    /** Counts one write of this caller from this address. */
    readonly write: (caller: Caller, address: string) => Effect.Effect<void, Problem>
    readonly addressOf: (request: Request) => string
    /** Counts a connection, whatever comes on it, by its peer; gives as whose, `undefined` where it is one too many. */
    readonly arrive: (peer: string | undefined) => string | undefined
    readonly depart: (whose: string) => void
    readonly sizes: Sizes
    /** At the API key and at tokens, by address. */
    readonly guesses: Guesses
    /** For the messages of one connection. */
    readonly messages: () => Bucket
  }
>()("ratecast/Http/Limits") {
  static readonly layer = Layer.effect(
    Limits,
    Effect.gen(function* () {
      const { limits, sizes } = yield* Settings
      return yield* make(limits, sizes, yield* Quotas)
    })
  )

  /** None, for clients in memory. */
  static readonly layerOpen = Layer.effect(
    Limits,
    Effect.flatMap(quotasOf(unlimited), (quotas) => make(unlimited, unbounded, quotas))
  )
}

/**
 * Connections of one address for each that may last: browsers keep six at once, and what comes and goes needs some.
 * Whoever holds more holds them for nothing.
 */
const perLasting = 10

const notYet = (tooSoon: TooSoon, { writeBurst, writesPerSecond }: Limited): Problem =>
  tooSoon === "late"
    ? new Problem({
        code: "unavailable",
        detail: "how much has been written was not known in time; try again",
        retryAfterMs: 1_000
      })
    : new Problem({
        code: "too_many",
        detail: `of one subject and of one address ${writesPerSecond === 1 ? "1 write a second is" : `${writesPerSecond} writes a second are`} taken (WRITES_PER_SECOND), and ${writeBurst} at once (WRITE_BURST)`,
        retryAfterMs: tooSoon
      })

function make(limited: Limited, sizes: Sizes, quotas: Quotas["Service"]) {
  return Effect.gen(function* () {
    const time = steady(yield* Clock.Clock)
    const addresses = new Addresses(limited.trustedProxies)
    const arrived = new Counts(limited.connectionsPerAddress * perLasting)
    let warned = false
    let crowded = false
    const run = Effect.runForkWith(yield* Effect.context<never>())

    const warn = Effect.suspend(() => {
      if (warned) return Effect.void
      warned = true
      return Effect.logWarning(
        "clients come through a proxy that is not trusted, so that all of them count as one address: set TRUSTED_PROXIES to its address"
      )
    })

    return Limits.of({
      admit: <A, E, R>(request: Request, use: (slot: Slot) => Effect.Effect<A, E, R>) =>
        Effect.suspend(() => {
          const { group, isUnknownProxy } = addresses.of(request)
          const slot = new Slot(group, quotas.place())
          const served = (why: NoPlace | undefined): Effect.Effect<A, E | Problem, R> => {
            if (why === undefined) return use(slot)
            const refused = noPlace(why)
            return why === "address" && isUnknownProxy ? Effect.andThen(warn, refused) : refused
          }
          return Effect.ensuring(
            Effect.suspend(() => Effect.flatMap(slot.take(), served)),
            Effect.sync(() => slot.isKept || slot.release())
          )
        }),
      write: ({ by, subject }, address) =>
        // A backend is not slowed down.
        by === "api key"
          ? Effect.void
          : Effect.flatMap(quotas.write(address, subject), (tooSoon) =>
              tooSoon === undefined ? Effect.void : notYet(tooSoon, limited)
            ),
      addressOf: (request) => addresses.of(request).group,
      arrive: (peer) => {
        const group = addresses.ofPeer(peer)
        if (group === proxy || arrived.take(group)) return group
        if (!crowded)
          run(
            Effect.logWarning(
              `more than ${limited.connectionsPerAddress * perLasting} connections come from one address, and no more of it are taken: if that is a proxy, set TRUSTED_PROXIES to its address`
            )
          )
        crowded = true
        return undefined
      },
      depart: (whose) => {
        if (whose !== proxy) arrived.give(whose)
      },
      sizes,
      guesses: new Guesses(time, limited.authFailuresPerMinute),
      messages: () => new Bucket(time, limited.messagesPerSecond)
    })
  })
}
