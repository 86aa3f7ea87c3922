/** `ratecast token`: makes a token to try things with, and says what is in one and what is wrong with it. */
import { randomUUID } from "node:crypto"

import { Clock, Console, DateTime, Effect, Option, Redacted } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { decodeJwt, decodeProtectedHeader, type JWTPayload, SignJWT } from "jose"

import { type Deed, expand, notMeant } from "../Http/Auth/Rights.ts"
import { ago, ahead, makeTokens } from "../Http/Auth/Tokens.ts"
import { didYouMean } from "../Nearest.ts"
import { type Access, accessConfig, accessOf } from "../Settings.ts"
import { badSettings, fatal } from "./Fatal.ts"

const access = accessConfig.pipe(
  Effect.catchTag("ConfigError", (error) => fatal(badSettings(error))),
  Effect.flatMap((settings) => {
    const found = accessOf(settings)
    return typeof found === "string" ? fatal(found) : Effect.succeed(found)
  })
)

const units: { readonly [unit: string]: number } = { s: 1, min: 60, m: 60, h: 3_600, d: 86_400 }
const longest = 3_650 * 86_400

/** Seconds; NaN where it is no time. */
const secondsOf = (text: string): number => {
  const match = /^(\d{1,9})(s|min|m|h|d)$/.exec(text)
  const seconds = match === null ? NaN : Number(match[1]) * units[match[2]!]!
  return seconds >= 1 && seconds <= longest ? seconds : NaN
}

const patterns = (name: string, what: string) =>
  Flag.String(name).pipe(
    Flag.atLeast(0),
    Flag.withDescription(`Patterns of collections that may be ${what}; may repeat, or be separated by commas`)
  )

const split = (given: ReadonlyArray<string>): ReadonlyArray<string> =>
  given.flatMap((each) => each.split(",")).filter((each) => each !== "")

const explain = Command.make(
  "explain",
  { token: Argument.String("token").pipe(Argument.withDescription("The token")) },
  Effect.fnUntraced(function* ({ token }) {
    const now = yield* Clock.currentTimeMillis
    const read = yield* Effect.option(
      Effect.try(() => [decodeProtectedHeader(token), decodeJwt(token)] as const)
    )
    if (Option.isNone(read))
      return yield* fatal("this is not a token: three parts of base64url with dots between")
    const [{ alg }, claims] = read.value
    for (const [name, value] of linesOf(alg, claims, now)) yield* Console.log(`${name.padEnd(10)} ${value}`)
    const settings = yield* access
    const wrong = yield* verdict(settings, token, claims, now)
    if (wrong !== undefined) return yield* fatal(`it does not count: ${wrong}`)
    const checked = settings.keys === undefined ? unchecked : "yes, with these settings"
    yield* Console.log(`${"counts".padEnd(10)} ${checked}`)
    for (const odd of oddIn(claims)) yield* Console.error(odd)
  })
).pipe(
  Command.withDescription(
    "Says what is in a token, and what is wrong with it by the settings of the daemon (JWT_SECRET, JWT_ISSUER, ...)"
  ),
  Command.withExamples([
    {
      command: "JWT_SECRET_FILE=secret npx ratecast token explain eyJhbGci...",
      description: "it does not count: the token expired 3 min ago"
    }
  ])
)

const unchecked =
  "nobody knows: its signature was not checked; set JWT_SECRET, JWT_PUBLIC_KEY or JWKS_URL as the daemon has it"

/** What is wrong with it; `undefined`: nothing. */
const verdict = (
  { audience, issuer, keys }: Access,
  token: string,
  { exp, nbf }: JWTPayload,
  now: number
): Effect.Effect<string | undefined> => {
  if (keys === undefined) {
    if (exp === undefined) return Effect.succeed('the token has no "exp"')
    if (exp * 1000 <= now) return Effect.succeed(`the token expired ${ago(now - exp * 1000)}`)
    if (nbf !== undefined && nbf * 1000 > now)
      return Effect.succeed(`the token is not valid before ${ahead(nbf * 1000 - now)}`)
    return Effect.succeed(undefined)
  }
  return makeTokens({ keys, issuer, audience }).pipe(
    Effect.flatMap(({ check }) => check(token)),
    Effect.scoped,
    Effect.as(undefined),
    Effect.catch(({ detail }) => Effect.succeed(detail))
  )
}

/** As JSON, and what a terminal would take for a command as its number. */
const shown = (value: unknown): string => plain(JSON.stringify(value) ?? "-")

const plain = (text: string): string =>
  text.replace(
    /[\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
  )

const linesOf = (
  alg: string | undefined,
  { aud, exp, iat, iss, jti, nbf, ratecast, sub }: JWTPayload,
  now: number
): ReadonlyArray<readonly [name: string, value: string]> => {
  const at = (seconds: unknown): string => {
    const time = typeof seconds === "number" ? DateTime.make(seconds * 1000) : Option.none()
    if (Option.isNone(time)) return shown(seconds)
    const ms = Number(seconds) * 1000 - now
    return `${DateTime.formatIso(time.value)}, ${ms <= 0 ? ago(-ms) : ahead(ms)}`
  }
  const rights = (name: string): string => {
    const list: unknown = (ratecast as { readonly [name: string]: unknown } | undefined)?.[name]
    if (!Array.isArray(list) || !list.every((each) => typeof each === "string")) return shown(list)
    return (
      expand(list, typeof sub === "string" ? sub : undefined)
        .map(shown)
        .join(" ") || "nothing"
    )
  }
  const given: ReadonlyArray<readonly [name: string, claim: unknown, value: (claim: unknown) => string]> = [
    ["algorithm", alg, shown],
    ["subject", sub, shown],
    ["issuer", iss, shown],
    ["audience", aud, shown],
    ["id", jti, shown],
    ["made", iat, at],
    ["not before", nbf, at],
    ["expires", exp, at]
  ]
  return [
    ...given
      .filter(([, claim]) => claim !== undefined)
      .map(([name, claim, value]) => [name, value(claim)] as const),
    ["reads", rights("read")],
    ["writes", rights("write")],
    ["refreshes", rights("refresh")]
  ]
}

/** What is in a claim that cannot be meant, and whether that leaves nothing. */
const oddIn = ({ ratecast, sub }: JWTPayload): ReadonlyArray<string> => {
  if (typeof ratecast !== "object" || ratecast === null)
    return [`it allows nothing: it has no claim "ratecast", which holds ${claimShape}`]
  const lists = deeds.map((name): unknown => (ratecast as { readonly [name: string]: unknown })[name])
  const patterns = lists.flat().filter((each) => typeof each === "string")
  const unknown = Object.keys(ratecast).filter((name) => !deeds.includes(name))
  return [
    ...unknown.map(
      (name) => `the claim "ratecast" has a member ${shown(name)} without effect${didYouMean(name, deeds)}`
    ),
    ...notMeant(patterns).map(plain),
    ...(expand(patterns, typeof sub === "string" ? sub : undefined).length === 0
      ? [`it allows nothing: the claim "ratecast" holds ${claimShape}, lists of patterns`]
      : [])
  ]
}

const deeds: ReadonlyArray<string> = ["read", "write", "refresh"] satisfies ReadonlyArray<Deed>
const claimShape = '{"read":[…],"write":[…],"refresh":[…]}'

const allowsNothing =
  "this token allows nothing of its own; say what it may: npx ratecast token --sub 7 --read prices --read 'support:{sub}'"

export const token = Command.make(
  "token",
  {
    sub: Flag.String("sub").pipe(
      Flag.optional,
      Flag.withDescription("Whose it is: the subject, {sub} in patterns")
    ),
    read: patterns("read", "read"),
    write: patterns("write", "written to"),
    refresh: patterns("refresh", "refreshed"),
    for: Flag.String("for").pipe(
      Flag.withDefault("1h"),
      Flag.filter(
        (text) => !Number.isNaN(secondsOf(text)),
        () => "a time such as 30s, 15min, 1h or 7d, up to ten years"
      ),
      Flag.withDescription("How long it counts: 30s, 15min, 1h, 7d. Default: 1h")
    )
  },
  Effect.fnUntraced(function* ({ for: text, read, refresh, sub, write }) {
    const { audience, issuer, keys } = yield* access
    if (keys?.by !== "secret")
      return yield* fatal(
        "JWT_SECRET is not set: tokens are made with the secret that the daemon checks them with; where it has a public key, whoever has the private one makes them"
      )
    const patterns = [...split(read), ...split(write), ...split(refresh)]
    if (expand(patterns, Option.getOrUndefined(sub)).length === 0) yield* Console.error(allowsNothing)
    for (const odd of notMeant(patterns)) yield* Console.error(odd)
    // It says what is wrong with the secret.
    yield* makeTokens({ keys, issuer, audience }).pipe(
      Effect.scoped,
      Effect.catch(({ detail }) => fatal(detail))
    )
    const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const claims: JWTPayload = {
      ...(Option.isSome(sub) ? { sub: sub.value } : {}),
      ...(issuer === undefined ? {} : { iss: issuer }),
      ...(audience === undefined ? {} : { aud: audience }),
      jti: randomUUID(),
      iat: now,
      exp: now + secondsOf(text),
      ratecast: { read: split(read), write: split(write), refresh: split(refresh) }
    }
    const key = Buffer.from(Redacted.value(keys.secret))
    const made = yield* Effect.promise(() =>
      new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(key)
    )
    yield* Console.log(made)
  })
).pipe(
  Command.withDescription(
    "Makes a token with JWT_SECRET, for trying things and for scripts; a login makes its own with any JWT library"
  ),
  Command.withSubcommands([explain]),
  Command.withExamples([
    {
      command:
        "npx ratecast token --sub 7 --read pools --read 'support:{sub}' --write 'support:{sub}' --for 1h",
      description: "For user 7: the pools, and a thread of their own"
    },
    {
      command:
        "curl -N -H \"Authorization: Bearer $(npx ratecast token --read '*')\" localhost:8080/v1/stream",
      description: "Reads everything for an hour"
    }
  ])
)
