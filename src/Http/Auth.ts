/** Auth: who asks, what they may, and until when. Made once; the roads ask it before they ask anything else. */
import { createHash, timingSafeEqual } from "node:crypto"

import { Clock, Context, Effect, Layer, Redacted } from "effect"
import type { HttpServerRequest } from "effect/http"

import { Readers } from "../Hub.ts"
import { type Access, accessOf, Settings } from "../Settings.ts"
import { steady } from "../Steady.ts"
import { type Deed, makeAudit } from "./Auth/Audit.ts"
import { anonymous, backend, type Caller } from "./Auth/Caller.ts"
import { credentialOf } from "./Auth/Credential.ts"
import { type Revocation, type Revoked, Revocations } from "./Auth/Revocations.ts"
import { allRights } from "./Auth/Rights.ts"
import { Tickets } from "./Auth/Tickets.ts"
import { BadKey, makeTokens } from "./Auth/Tokens.ts"
import { type Ending, Watches } from "./Auth/Watches.ts"
import { Limits } from "./Limits.ts"
import { isNamedOrigin, notLetIn } from "./Origin.ts"
import { Problem } from "./Problem.ts"
import { attempt, searchOf } from "./Road.ts"
import { type Own, Siblings } from "./Siblings.ts"

export interface Asking {
  /** Whether a ticket may stand in the query. */
  readonly takesTicket?: boolean
  /** Whether something is changed: a browser sends its cookies whichever page asks. */
  readonly changes?: boolean
}

export class Auth extends Context.Service<
  Auth,
  {
    /** What a request shows, or nobody in particular where it shows nothing; never the latter for something that is wrong. */
    readonly callerOf: (
      request: HttpServerRequest.HttpServerRequest,
      asking?: Asking
    ) => Effect.Effect<Caller, Problem>
    /** Another token of the same subject, from an address. */
    readonly renew: (caller: Caller, token: string, address: string) => Effect.Effect<Caller, Problem>
    /** Fails where the token has ended since it was shown. */
    readonly stillGood: (caller: Caller) => Effect.Effect<void, Problem>
    /** Calls back within a second of the end of the caller's token; what it returns takes that back. */
    readonly watch: (caller: Caller, end: (why: Ending) => void) => () => void
    /** `undefined`: too many wait already. */
    readonly ticket: (caller: Caller, forMs?: number) => string | undefined
    /** `false`: no more of them can be remembered. What is read with such tokens ends in any case. */
    readonly revoke: (revoked: Revoked) => Effect.Effect<boolean>
    /** Notes what this caller has changed, where it was a backend. */
    readonly audit: (caller: Caller, deed: Deed) => Effect.Effect<void>
    /** For siblings: what was issued here, and what was revoked elsewhere. */
    readonly own: Pick<Own, "redeem" | "revoke">
  }
>()("ratecast/Http/Auth") {
  static readonly layer = Layer.effect(
    Auth,
    Effect.gen(function* () {
      const { access: settings, origins } = yield* Settings
      const access = accessOf(settings)
      return yield* typeof access === "string" ? new BadKey({ detail: access }) : make(access, origins)
    })
  )

  /** Everybody may do everything: for clients in memory, which no address and no page can reach. */
  static readonly layerOpen = Layer.effect(
    Auth,
    Effect.orDie(
      make(
        { keys: undefined, issuer: undefined, audience: undefined, apiKey: undefined, anonymous: allRights },
        new Set()
      )
    )
  ).pipe(Layer.provide(Limits.layerOpen))
}

const bad = (detail: string) => new Problem({ code: "unauthenticated", detail })
const digest = (text: string): Buffer => createHash("sha256").update(text).digest()

const wrongSoOften = (retryAfterMs: number) =>
  new Problem({
    code: "too_many",
    detail: "so many keys and tokens of this address were wrong that no other is looked at just now",
    retryAfterMs
  })

const notHere = new Problem({
  code: "invalid_query",
  detail: 'a "ticket" opens a stream or a socket; here the token is sent as Authorization: Bearer'
})

function make(access: Access, origins: ReadonlySet<string>) {
  return Effect.gen(function* () {
    const hub = yield* Readers
    const clock = yield* Clock.Clock
    const { addressOf, guesses } = yield* Limits
    const audit = yield* makeAudit
    const tokens =
      access.keys === undefined
        ? undefined
        : yield* makeTokens({ keys: access.keys, issuer: access.issuer, audience: access.audience })
    const apiKey = access.apiKey === undefined ? undefined : digest(Redacted.value(access.apiKey))
    const nobody = anonymous(access.anonymous)
    const siblings = yield* Siblings
    const tickets = new Tickets(steady(clock), siblings.prefix)
    const revocations = new Revocations()
    const watches = new Watches(hub, clock)

    const ended = (caller: Caller): string | undefined => {
      if (caller.expiresAt !== undefined && caller.expiresAt <= clock.currentTimeMillisUnsafe())
        return "the token has expired"
      return revocations.has(caller) ? "the token has been revoked" : undefined
    }

    const stillGood = (caller: Caller): Effect.Effect<void, Problem> =>
      Effect.suspend(() => {
        const why = ended(caller)
        return why === undefined ? Effect.void : bad(why)
      })

    const checked = Effect.fnUntraced(function* (
      text: string,
      address: string,
      byCookie = false
    ): Effect.fn.Return<Caller, Problem> {
      const taken = guesses.take(address, text)
      if (typeof taken === "number") return yield* wrongSoOften(taken)
      if (tokens === undefined)
        return yield* bad("no token counts here: there is no key that it could be checked with")
      const caller = yield* tokens.check(text, byCookie).pipe(
        Effect.onInterrupt(() => Effect.sync(taken)),
        Effect.mapError(({ detail, isForged = false, isOurs = false }) => {
          if (!isForged) taken()
          return isOurs ? new Problem({ code: "unavailable", detail, retryAfterMs: 5_000 }) : bad(detail)
        })
      )
      taken()
      guesses.wasGood(text)
      revocations.saw(caller)
      yield* stillGood(caller)
      return caller
    })

    /** The key is a guess like any other until it is right. */
    const isKey = (text: string, address: string): boolean => {
      if (apiKey === undefined || guesses.wait(address, text) !== undefined) return false
      // Hashes are of one length, whatever is sent.
      const isRight = timingSafeEqual(digest(text), apiKey)
      if (isRight) guesses.wasGood(text)
      return isRight
    }

    const redeemed = Effect.fnUntraced(function* (text: string): Effect.fn.Return<Caller, Problem> {
      const caller = yield* text.startsWith(tickets.prefix)
        ? Effect.succeed(tickets.redeem(text))
        : siblings.redeem(text)
      if (caller === undefined)
        return yield* bad("this is not a ticket, or no longer: each opens one connection, within 30 s")
      yield* stillGood(caller)
      return caller
    })

    const revoke = (revocation: Revocation): boolean => {
      const added = revocations.add(revocation, clock.currentTimeMillisUnsafe())
      watches.revoke(revocation.revoked, (caller) => !added || revocations.has(caller))
      return added
    }

    return Auth.of({
      callerOf: Effect.fnUntraced(function* (request, { changes = false, takesTicket = false } = {}) {
        const shown = yield* attempt(() => credentialOf(request, searchOf(request)))
        switch (shown.by) {
          case "nothing":
            return nobody
          case "bearer": {
            const address = addressOf(request)
            return isKey(shown.text, address) ? backend : yield* checked(shown.text, address)
          }
          case "subprotocol":
            return yield* checked(shown.text, addressOf(request))
          case "ticket":
            return yield* takesTicket ? redeemed(shown.text) : notHere
          case "cookie":
            if (!isNamedOrigin(request, origins, changes))
              return yield* request.headers.origin === undefined
                ? new Problem({
                    code: "forbidden",
                    detail:
                      "a cookie counts with the header Origin, which a browser sends by itself; elsewhere use Authorization: Bearer"
                  })
                : notLetIn(request, origins, "use the cookie")
            return yield* checked(shown.text, addressOf(request), true)
        }
      }),
      renew: Effect.fnUntraced(function* (caller, token, address) {
        const next = yield* checked(token, address)
        if (caller.by !== "token" || next.subject !== caller.subject)
          return yield* new Problem({
            code: "forbidden",
            detail: "a connection is renewed with a token of the subject that opened it"
          })
        return { ...next, byTicket: caller.byTicket }
      }),
      stillGood,
      // A request may have waited for something since its token was looked at.
      watch: (caller, end) =>
        revocations.has(caller) ? hub.after(0, () => end("revoked")) : watches.add(caller, end),
      ticket: (caller, forMs) => tickets.issue(caller, forMs),
      revoke: (revoked) =>
        Effect.suspend(() => {
          const revocation = { revoked, at: clock.currentTimeMillisUnsafe() }
          const added = revoke(revocation)
          return Effect.map(siblings.revoke(revocation), (others) => added && others)
        }),
      audit: ({ by }, deed) => (by === "api key" ? audit(deed) : Effect.void),
      own: { redeem: (ticket) => tickets.redeem(ticket), revoke }
    })
  })
}
