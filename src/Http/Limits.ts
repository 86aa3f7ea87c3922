/** Limits: how much one address and one subject may take of what all share. Judged before anything is asked that costs. */
import { Clock, Context, Effect, Layer } from "effect"
import type { HttpServerRequest } from "effect/http"

import { type Limited, Settings } from "../Settings.ts"
import { steady } from "../Steady.ts"
import type { Caller } from "./Auth/Caller.ts"
import { Addresses, proxy } from "./Limits/Addresses.ts"
import { Bucket } from "./Limits/Bucket.ts"
import { Counts } from "./Limits/Counts.ts"
import { Rates } from "./Limits/Rates.ts"
import { Slot, tooMany } from "./Limits/Slot.ts"
import type { Problem } from "./Problem.ts"

type Request = HttpServerRequest.HttpServerRequest

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
    /** For the messages of one connection. */
    readonly messages: () => Bucket
  }
>()("ratecast/Http/Limits") {
  static readonly layer = Layer.effect(
    Limits,
    Effect.flatMap(Settings, ({ limits }) => make(limits))
  )

  /** None, for clients in memory. */
  static readonly layerOpen = Layer.effect(
    Limits,
    Effect.suspend(() =>
      make({
        connections: 1e9,
        connectionsPerAddress: 1e9,
        connectionsPerSubject: 1e9,
        writesPerSecond: 1e9,
        writeBurst: 1e9,
        messagesPerSecond: 1e9,
        trustedProxies: []
      })
    )
  )
}

/**
 * Connections of one address for each that may last: browsers keep six at once, and what comes and goes needs some.
 * Whoever holds more holds them for nothing.
 */
const perLasting = 10

const writesTooFast = "so many writes a second are more than may be"

function make(limited: Limited) {
  return Effect.gen(function* () {
    const time = steady(yield* Clock.Clock)
    const addresses = new Addresses(limited.trustedProxies)
    const perAddress = new Counts(limited.connectionsPerAddress)
    const perSubject = new Counts(limited.connectionsPerSubject)
    const arrived = new Counts(limited.connectionsPerAddress * perLasting)
    const writes = new Rates(time, limited.writesPerSecond, limited.writeBurst)
    let all = 0
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
        Effect.suspend((): Effect.Effect<A, E | Problem, R> => {
          const { group, isUnknownProxy } = addresses.of(request)
          if (all >= limited.connections) return tooMany("there are as many connections as may be")
          if (!perAddress.take(group))
            return (isUnknownProxy ? warn : Effect.void).pipe(
              Effect.andThen(tooMany("there are as many connections of this address as may be"))
            )
          all++
          const slot = new Slot(group, perSubject, () => {
            all--
            perAddress.give(group)
          })
          return Effect.ensuring(
            use(slot),
            Effect.sync(() => slot.isKept || slot.release())
          )
        }),
      write: ({ by, subject }, address) =>
        // A backend is not slowed down.
        by === "api key"
          ? Effect.void
          : Effect.andThen(
              subject === undefined ? Effect.void : writes.take(`subject ${subject}`, writesTooFast),
              writes.take(`address ${address}`, writesTooFast)
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
      messages: () => new Bucket(time, limited.messagesPerSecond)
    })
  })
}
