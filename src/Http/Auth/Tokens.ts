/** Tokens: JWT, checked by `jose`. Which algorithms count is decided by our key, never by the token (RFC 8725, 3.1). */
import { createPublicKey, type KeyObject } from "node:crypto"

import { Clock, Data, DateTime, Effect, Redacted, Schema, type Scope } from "effect"
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose"

import type { Keys } from "../../Settings.ts"
import type { Caller } from "./Caller.ts"
import { type Jwks, makeJwks, Unfetched } from "./Jwks.ts"
import { expand } from "./Rights.ts"

export type { Keys } from "../../Settings.ts"

export interface TokenOptions {
  readonly keys: Keys
  /** `undefined`: any, which is right only where the key signs for nobody else. */
  readonly issuer: string | undefined
  readonly audience: string | undefined
}

/** What is wrong with a token, in words for whoever sent it; `expired 3 min ago`. */
export class BadToken extends Data.TaggedError("BadToken")<{
  readonly detail: string
  /** It may be a good one: it cannot be told now. */
  readonly isOurs?: boolean
  /** Nobody who may sign has signed it. */
  readonly isForged?: boolean
}> {}

/** The settings say how to check tokens, and it cannot be done so. */
export class BadKey extends Data.TaggedError("BadKey")<{ readonly detail: string }> {}

/** Longer ones are not looked at. */
const maxLength = 8 * 1024
/** RFC 7515, 7.1 */
const shape = /^[\w-]+\.[\w-]+\.[\w-]*$/
const noToken = "this is not a token"
/** Of other people's clocks, seconds: a token may be so much younger than it looks. Never older. */
const clockTolerance = 30
/** RFC 7518, 3.2: a key is as long as its hash. */
const minSecretBytes = 32
/** RFC 7518, 3.3 */
const minRsaBits = 2048

const patterns = Schema.optionalKey(Schema.Array(Schema.String))
const Claim = Schema.decodeUnknownOption(
  Schema.Struct({ read: patterns, write: patterns, refresh: patterns })
)

type Key = Uint8Array | KeyObject | JWTVerifyGetKey

interface Verifier {
  readonly key: Effect.Effect<Key, Unfetched>
  /** Where there may be newer keys than those. */
  readonly newest?: Effect.Effect<Key, Unfetched>
  readonly algorithms: Array<string>
}

const known = (key: Key, algorithm: string): Effect.Effect<Verifier> =>
  Effect.succeed({ key: Effect.succeed(key), algorithms: [algorithm] })

const byUrl = ({ keys, newest }: Jwks): Verifier => ({
  key: keys,
  newest,
  algorithms: ["RS256", "ES256", "EdDSA"]
})

const algorithmOf = (key: KeyObject): string | undefined => {
  const { asymmetricKeyDetails, asymmetricKeyType } = key
  if (asymmetricKeyType === "rsa") return "RS256"
  if (asymmetricKeyType === "ed25519") return "EdDSA"
  return asymmetricKeyType === "ec" && asymmetricKeyDetails?.namedCurve === "prime256v1" ? "ES256" : undefined
}

const verifierOf = (keys: Keys): Effect.Effect<Verifier, BadKey, Scope.Scope> => {
  switch (keys.by) {
    case "secret": {
      const key = Buffer.from(Redacted.value(keys.secret))
      return key.length < minSecretBytes
        ? new BadKey({
            detail: `JWT_SECRET: expected at least ${minSecretBytes} bytes; try openssl rand -hex 32`
          })
        : known(key, "HS256")
    }
    case "public key": {
      try {
        const key = createPublicKey(keys.pem)
        const algorithm = algorithmOf(key)
        if ((key.asymmetricKeyDetails?.modulusLength ?? minRsaBits) < minRsaBits)
          return new BadKey({ detail: `JWT_PUBLIC_KEY: expected RSA of at least ${minRsaBits} bits` })
        return algorithm === undefined
          ? new BadKey({ detail: "JWT_PUBLIC_KEY: expected RSA, P-256 or Ed25519" })
          : known(key, algorithm)
      } catch {
        return new BadKey({ detail: "JWT_PUBLIC_KEY: this is no public key in PEM" })
      }
    }
    case "jwks": {
      const url = URL.parse(keys.url)
      return url === null || !/^https?:$/.test(url.protocol)
        ? new BadKey({ detail: `JWKS_URL: ${keys.url} is not an http or https URL` })
        : Effect.map(makeJwks(url), byUrl)
    }
  }
}

export interface Tokens {
  readonly check: (token: string, byCookie?: boolean) => Effect.Effect<Caller, BadToken>
}

/** Fails where the settings cannot be meant. */
export const makeTokens = Effect.fnUntraced(function* ({
  audience,
  issuer,
  keys
}: TokenOptions): Effect.fn.Return<Tokens, BadKey, Scope.Scope> {
  const { algorithms, key, newest } = yield* verifierOf(keys)

  const verified = (token: string, now: number) => (key: Key) =>
    Effect.tryPromise({
      try: () =>
        jwtVerify(token, key as Uint8Array, {
          algorithms,
          requiredClaims: ["exp"],
          clockTolerance,
          currentDate: DateTime.toDateUtc(DateTime.makeUnsafe(now)),
          ...(issuer === undefined ? {} : { issuer }),
          ...(audience === undefined ? {} : { audience })
        }),
      catch: (error) => error
    })

  const check = Effect.fnUntraced(function* (
    token: string,
    byCookie = false
  ): Effect.fn.Return<Caller, BadToken> {
    if (token.length > maxLength)
      return yield* new BadToken({ detail: `a token has at most ${maxLength} characters`, isForged: true })
    // Whatever keys there are, or will be: a guess at the API key is one also where tokens cannot be checked.
    if (!shape.test(token)) return yield* new BadToken({ detail: noToken, isForged: true })
    const now = yield* Clock.currentTimeMillis
    const verify = verified(token, now)
    const { payload } = yield* Effect.flatMap(key, verify).pipe(
      Effect.catchIf(
        (error) => newest !== undefined && error instanceof errors.JWKSNoMatchingKey,
        () => Effect.flatMap(newest!, verify)
      ),
      Effect.mapError((error) =>
        keys.by === "jwks" && isOurs(error)
          ? new BadToken({ detail: "the keys could not be fetched; try again", isOurs: true })
          : new BadToken({ detail: reasonOf(error, now), isForged: !isSigned(error) && !isUnknown(error) })
      )
    )
    return yield* callerOf(payload, now, byCookie)
  })
  return { check }
})

const callerOf = (
  { exp, iat, jti, ratecast = {}, sub }: JWTPayload,
  now: number,
  byCookie: boolean
): Effect.Effect<Caller, BadToken> => {
  const expiresAt = exp! * 1000
  if (expiresAt <= now)
    return Effect.fail(new BadToken({ detail: `the token expired ${ago(now - expiresAt)}` }))
  for (const [name, value] of Object.entries({ sub, jti }) as ReadonlyArray<readonly [string, unknown]>)
    if (value !== undefined && typeof value !== "string")
      return Effect.fail(new BadToken({ detail: `the claim "${name}" is not a string` }))
  const claim = Claim(ratecast)
  if (claim._tag === "None")
    return Effect.fail(
      new BadToken({
        detail: 'the claim "ratecast" is not {"read":[…],"write":[…],"refresh":[…]}, lists of patterns'
      })
    )
  const { read = [], refresh = [], write = [] } = claim.value
  return Effect.succeed({
    by: "token",
    subject: sub,
    rights: { read: expand(read, sub), write: expand(write, sub), refresh: expand(refresh, sub) },
    expiresAt,
    issuedAt: iat === undefined ? undefined : iat * 1000,
    tokenId: jti,
    byCookie,
    byTicket: false
  })
}

/** Not only keys that cannot be fetched: what is none, or too short a one, is not the token's fault either. */
const isOurs = (error: unknown): boolean => error instanceof Unfetched || !(error instanceof errors.JOSEError)

/** Claims are looked at when the signature is right. */
const isSigned = (error: unknown): boolean =>
  error instanceof errors.JWTExpired || error instanceof errors.JWTClaimValidationFailed

/** Of a key that is not there, or not yet: it is not even tried, and may be one of ours. */
const isUnknown = (error: unknown): boolean => error instanceof errors.JWKSNoMatchingKey

/** Nothing of the token itself: it may be a secret of somebody. */
const reasonOf = (error: unknown, now: number): string => {
  if (error instanceof errors.JWTExpired)
    return `the token expired ${ago(now - (error.payload.exp ?? 0) * 1000)}`
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, payload, reason } = error
    if (reason === "missing") return `the token has no "${claim}"`
    if (claim === "nbf") return `the token is not valid before ${ahead((payload.nbf ?? 0) * 1000 - now)}`
    if (claim === "aud") return 'the token is for another audience ("aud")'
    if (claim === "iss") return 'the token is of another issuer ("iss")'
    return `the claim "${claim}" is not as it has to be`
  }
  if (error instanceof errors.JOSEAlgNotAllowed)
    return "the token is signed by an algorithm that does not count here"
  if (error instanceof errors.JWSSignatureVerificationFailed || error instanceof errors.JWKSNoMatchingKey)
    return "the token is not signed by a key that is known here"
  return noToken
}

const spans: ReadonlyArray<readonly [name: string, ms: number]> = [
  ["day", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1_000]
]

const span = (ms: number): string => {
  for (const [name, size] of spans) {
    const count = Math.floor(ms / size)
    if (count >= 1) return `${count} ${name}${name === "day" && count > 1 ? "s" : ""}`
  }
  return "a moment"
}

export const ago = (ms: number): string => `${span(ms)} ago`
export const ahead = (ms: number): string => `${span(ms)} from now`
