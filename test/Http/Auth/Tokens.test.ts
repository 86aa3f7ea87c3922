/** Which tokens count, and what is said of those that do not. */
import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto"
import * as http from "node:http"
import type { AddressInfo } from "node:net"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { exportJWK, SignJWT } from "jose"

import { type Keys, makeTokens } from "../../../src/Http/Auth/Tokens.ts"

const secret = "s".repeat(32)
const bySecret: Keys = { by: "secret", secret: Redacted.make(secret) }
const now = 1_790_000_000
const atNow = TestClock.setTime(now * 1000)

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" })
const ed = generateKeyPairSync("ed25519")
const pem = (key: KeyObject) => String(key.export({ type: "spki", format: "pem" }))

const claims = {
  sub: "17",
  exp: now + 60,
  ratecast: { read: ["pools", "support:{sub}"], write: ["support:{sub}"] }
}
const sign = (
  payload: object = claims,
  key: KeyObject | Uint8Array = Buffer.from(secret),
  alg = "HS256",
  more = {}
) => Effect.promise(() => new SignJWT(payload as never).setProtectedHeader({ alg, ...more }).sign(key))

const check = Effect.fnUntraced(function* (token: string, keys: Keys = bySecret, options: object = {}) {
  yield* atNow
  const { check } = yield* makeTokens({ keys, issuer: undefined, audience: undefined, ...options })
  return yield* check(token, false)
})
const refusal = (token: string, keys?: Keys, options?: object) =>
  Effect.map(Effect.flip(check(token, keys, options)), ({ detail }) => detail)

const part = (value: object | string) =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")
/** Signed by hand, with whatever header. */
const forged = (header: object, payload: object = claims, key = secret) => {
  const text = `${part(header)}.${part(payload)}`
  return `${text}.${createHmac("sha256", key).update(text).digest("base64url")}`
}

describe("a token counts", () => {
  it.effect("signed with our secret, and says who it is, what they may, and until when", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* check(yield* sign({ ...claims, jti: "t1" })), {
        by: "token",
        subject: "17",
        rights: { read: ["pools", "support:17"], write: ["support:17"], refresh: [] },
        expiresAt: (now + 60) * 1000,
        issuedAt: undefined,
        tokenId: "t1",
        byCookie: false,
        byTicket: false
      })
    })
  )

  for (const [alg, pair] of [
    ["RS256", rsa],
    ["ES256", ec],
    ["EdDSA", ed]
  ] as const)
    it.effect(`signed by ${alg} with the private half of our public key, and by no other`, () =>
      Effect.gen(function* () {
        const keys: Keys = { by: "public key", pem: pem(pair.publicKey) }
        assert.strictEqual((yield* check(yield* sign(claims, pair.privateKey, alg), keys)).subject, "17")
        const other = pair === ed ? rsa : ed
        const token = yield* sign(claims, other.privateKey, other === ed ? "EdDSA" : "RS256")
        assert.match(yield* refusal(token, keys), /algorithm that does not count/)
      })
    )

  it.effect("with a subject for each {sub}, literally, and none for one that would mean more", () =>
    Effect.gen(function* () {
      for (const sub of ["*", "{sub}", "", "a\nb", "1*"]) {
        const { rights } = yield* check(yield* sign({ ...claims, sub }))
        assert.deepStrictEqual([rights.read, rights.write], [["pools"], []])
      }
      const { rights } = yield* check(yield* sign({ ...claims, sub: "$&.+" }))
      assert.deepStrictEqual(rights.write, ["support:$&.+"])
      const { sub: _, ...nobody } = claims
      assert.deepStrictEqual((yield* check(yield* sign(nobody))).rights.read, ["pools"])
    })
  )
})

describe("a token does not count", () => {
  it.effect("that is expired, or not valid yet, in words with the time", () =>
    Effect.gen(function* () {
      assert.strictEqual(
        yield* refusal(yield* sign({ ...claims, exp: now - 180 })),
        "the token expired 3 min ago"
      )
      assert.strictEqual(
        yield* refusal(yield* sign({ ...claims, exp: now - 1 })),
        "the token expired 1 s ago"
      )
      assert.strictEqual(
        yield* refusal(yield* sign({ ...claims, exp: now })),
        "the token expired a moment ago"
      )
      assert.strictEqual(
        yield* refusal(yield* sign({ ...claims, nbf: now + 7200 })),
        "the token is not valid before 2 h from now"
      )
      yield* check(yield* sign({ ...claims, nbf: now + 10 }))
      const { exp: _, ...endless } = claims
      assert.strictEqual(yield* refusal(yield* sign(endless)), 'the token has no "exp"')
    })
  )

  it.effect("of another audience or issuer, or of none", () =>
    Effect.gen(function* () {
      const options = { audience: "ratecast", issuer: "https://id" }
      const good = { ...claims, aud: "ratecast", iss: "https://id" }
      yield* check(yield* sign(good), bySecret, options)
      assert.match(yield* refusal(yield* sign({ ...good, aud: "x" }), bySecret, options), /another audience/)
      assert.match(yield* refusal(yield* sign({ ...good, iss: "x" }), bySecret, options), /another issuer/)
      assert.match(yield* refusal(yield* sign(claims), bySecret, options), /has no "(aud|iss)"/)
    })
  )

  it.effect("that is unsigned, or signed with our public key as if that were a secret", () =>
    Effect.gen(function* () {
      for (const alg of ["none", "None", "NONE", "nOnE"])
        assert.match(yield* refusal(`${part({ alg })}.${part(claims)}.`), /algorithm|not a token/)
      const keys: Keys = { by: "public key", pem: pem(rsa.publicKey) }
      assert.match(
        yield* refusal(forged({ alg: "HS256" }, claims, keys.pem), keys),
        /algorithm that does not count/
      )
    })
  )

  it.effect("that brings its own key, or asks for what we do not understand", () =>
    Effect.gen(function* () {
      const jwk = yield* Effect.promise(() => exportJWK(createPublicKey(pem(ed.publicKey))))
      const own = yield* sign(claims, ed.privateKey, "EdDSA", { jwk })
      assert.match(yield* refusal(own), /algorithm that does not count/)
      assert.match(
        yield* refusal(own, { by: "public key", pem: pem(generateKeyPairSync("ed25519").publicKey) }),
        /not signed by a key/
      )
      assert.match(yield* refusal(forged({ alg: "HS256", crit: ["exp"], exp: 1 })), /not a token/)
    })
  )

  it.effect("that is changed, garbage, huge, or of a claim that is none", () =>
    Effect.gen(function* () {
      const token = yield* sign()
      const [head, , signature] = token.split(".")
      const more = part({ ...claims, ratecast: { read: ["*"] } })
      assert.match(yield* refusal(`${head!}.${more}.${signature!}`), /not signed by a key/)
      for (const garbage of ["", ".", "..", "a.b.c", "🙂", `${token}.x`, token.slice(0, -4)])
        assert.match(yield* refusal(garbage), /not a token|not signed/)
      assert.match(yield* refusal("x".repeat(9_000)), /at most 8192/)
      for (const ratecast of [[], "read", { read: "*" }, { read: [1] }])
        assert.match(yield* refusal(yield* sign({ ...claims, ratecast })), /claim "ratecast"/)
    })
  )
})

const keyOf = async (pair: { readonly publicKey: KeyObject }, kid: string) => ({
  ...(await exportJWK(pair.publicKey)),
  kid,
  use: "sig"
})

describe("keys by URL", () => {
  let asked = 0
  let keys: ReadonlyArray<object> = []
  const server = http.createServer((_, response) => {
    asked++
    response.setHeader("content-type", "application/json")
    response.end(JSON.stringify({ keys }))
  })
  let url = ""
  beforeAll(async () => {
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
    keys = [await keyOf(ed, "one"), await keyOf(ec, "two")]
  })
  afterAll(() => void server.close())

  it.effect(
    "are fetched once, whichever of them signs; an unknown one does not make us ask again and again",
    () =>
      Effect.gen(function* () {
        yield* atNow
        const { check } = yield* makeTokens({
          keys: { by: "jwks", url },
          issuer: undefined,
          audience: undefined
        })
        for (let i = 0; i < 5; i++) {
          yield* check(yield* sign(claims, ed.privateKey, "EdDSA", { kid: "one" }), false)
          yield* check(yield* sign(claims, ec.privateKey, "ES256", { kid: "two" }), false)
        }
        for (let i = 0; i < 100; i++) {
          const token = yield* sign(claims, rsa.privateKey, "RS256", { kid: `k${i}` })
          assert.match((yield* Effect.flip(check(token, false))).detail, /not signed by a key/)
        }
        assert.isAtMost(asked, 2)
      })
  )

  it.effect("that cannot be fetched are not the token's fault", () =>
    Effect.gen(function* () {
      const keys: Keys = { by: "jwks", url: "http://127.0.0.1:1/jwks" }
      assert.match(
        yield* refusal(yield* sign(claims, ed.privateKey, "EdDSA", { kid: "one" }), keys),
        /could not be fetched/
      )
    })
  )
})

describe("a key that cannot be meant", () => {
  const cases: ReadonlyArray<readonly [what: string, keys: Keys, detail: RegExp]> = [
    [
      "a short secret",
      { by: "secret", secret: Redacted.make("short") },
      /JWT_SECRET: expected at least 32 bytes/
    ],
    ["no PEM", { by: "public key", pem: "hello" }, /JWT_PUBLIC_KEY: this is no public key/],
    [
      "a curve we do not take",
      { by: "public key", pem: pem(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey) },
      /expected RSA, P-256 or Ed25519/
    ],
    ["no URL", { by: "jwks", url: "keys" }, /JWKS_URL: keys is not/]
  ]
  for (const [what, keys, detail] of cases)
    it.effect(`is said to be: ${what}`, () =>
      Effect.map(
        Effect.flip(makeTokens({ keys, issuer: undefined, audience: undefined })),
        (error) => void assert.match(error.detail, detail)
      )
    )
})
