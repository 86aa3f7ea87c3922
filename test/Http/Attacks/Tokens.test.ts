/** Tokens as attackers make them (RFC 8725, 2, and what libraries were caught by): none counts, by whichever key is ours. */
import { constants, createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from "node:crypto"

import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { TestClock } from "effect/testing"

import { type Keys, makeTokens } from "../../../src/Http/Auth/Tokens.ts"

const now = 1_790_000_000
const secret = "s".repeat(32)
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 })
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" })
const ed = generateKeyPairSync("ed25519")
const pem = (key: KeyObject) => String(key.export({ type: "spki", format: "pem" }))
const der = (key: KeyObject) => key.export({ type: "spki", format: "der" })
const jwk = (key: KeyObject) => key.export({ format: "jwk" })

const ours: { readonly [name: string]: Keys } = {
  secret: { by: "secret", secret: Redacted.make(secret) },
  rsa: { by: "public key", pem: pem(rsa.publicKey) },
  ec: { by: "public key", pem: pem(ec.publicKey) },
  ed: { by: "public key", pem: pem(ed.publicKey) }
}

const claims = { sub: "admin", exp: now + 60, ratecast: { read: ["*"], write: ["*"] } }
const part = (value: object | string | Buffer) =>
  (Buffer.isBuffer(value)
    ? value
    : Buffer.from(typeof value === "string" ? value : JSON.stringify(value))
  ).toString("base64url")
const hs = (
  header: object | string,
  payload: object | string = claims,
  key: string | Buffer = secret,
  hash = "sha256"
) => {
  const text = `${part(header)}.${part(payload)}`
  return `${text}.${createHmac(hash, key).update(text).digest("base64url")}`
}
const unsigned = (header: object, signature = "") => `${part(header)}.${part(claims)}.${signature}`
const es = (
  header: object,
  pair = ec,
  payload: object | string = claims,
  dsaEncoding: "ieee-p1363" | "der" = "ieee-p1363"
) => {
  const text = `${part(header)}.${part(payload)}`
  return `${text}.${part(signBytes("sha256", Buffer.from(text), { key: pair.privateKey, dsaEncoding }))}`
}
const rs = (header: object, pair = rsa, padding?: number) => {
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${part(signBytes("sha256", Buffer.from(text), { key: pair.privateKey, ...(padding === undefined ? {} : { padding }) }))}`
}
const HS256 = { alg: "HS256" }
const good = hs(HS256)
const other = generateKeyPairSync("ec", { namedCurve: "P-256" })

const vectors: ReadonlyArray<readonly [what: string, key: string, token: string]> = [
  ...["none", "None", "NONE", "nOnE", "", "null"].map(
    (alg) => [`alg ${alg || "empty"}`, "secret", unsigned({ alg })] as const
  ),
  ["alg none, signed all the same", "secret", hs({ alg: "none" })],
  ["alg none with no dot behind", "secret", unsigned({ alg: "none" }).slice(0, -1)],
  ["no alg", "secret", hs({ typ: "JWT" })],
  ["an alg that is null", "secret", hs({ alg: null })],
  ["a list of algs", "secret", hs({ alg: ["HS256"] })],
  ["an alg of another case", "secret", hs({ alg: "hs256" })],
  ["an alg with a NUL behind", "secret", hs({ alg: "HS256\0" })],
  ["HS512 of the right secret", "secret", hs({ alg: "HS512" }, claims, secret, "sha512")],
  ["HS256 of an empty secret", "secret", hs(HS256, claims, "")],
  ["HS256 of the PEM of our RSA key", "rsa", hs(HS256, claims, pem(rsa.publicKey))],
  ["HS256 of the PEM without its last line end", "rsa", hs(HS256, claims, pem(rsa.publicKey).trim())],
  ["HS256 of the DER of our RSA key", "rsa", hs(HS256, claims, der(rsa.publicKey))],
  ["HS256 of the PEM of our EC key", "ec", hs(HS256, claims, pem(ec.publicKey))],
  [
    "HS256 of the bytes of our Ed25519 key",
    "ed",
    hs(HS256, claims, Buffer.from(jwk(ed.publicKey).x!, "base64url"))
  ],
  ["PS256 of our RSA key", "rsa", rs({ alg: "PS256" }, rsa, constants.RSA_PKCS1_PSS_PADDING)],
  ["RS256 said, PS256 done", "rsa", rs({ alg: "RS256" }, rsa, constants.RSA_PKCS1_PSS_PADDING)],
  ["an empty signature", "secret", `${good.split(".").slice(0, 2).join(".")}.`],
  ["half of a signature", "secret", good.slice(0, -20)],
  [
    "a signature of zeros: psychic",
    "ec",
    `${part({ alg: "ES256" })}.${part(claims)}.${part(Buffer.alloc(64))}`
  ],
  [
    "a signature of r = s = n",
    "ec",
    `${part({ alg: "ES256" })}.${part(claims)}.${part(Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551".repeat(2), "hex"))}`
  ],
  ["a signature in DER", "ec", es({ alg: "ES256" }, ec, claims, "der")],
  ["a signature by another key of the curve", "ec", es({ alg: "ES256" }, other)],
  ["its own key (jwk)", "ec", es({ alg: "ES256", jwk: jwk(other.publicKey) }, other)],
  [
    "a key somewhere else (jku)",
    "ec",
    es({ alg: "ES256", jku: "https://evil.example/jwks", kid: "a" }, other)
  ],
  ["a certificate somewhere else (x5u)", "ec", es({ alg: "ES256", x5u: "https://evil.example/x" }, other)],
  [
    "its own certificate (x5c)",
    "ec",
    es({ alg: "ES256", x5c: [der(other.publicKey).toString("base64")] }, other)
  ],
  ["a kid that is a path", "secret", hs({ ...HS256, kid: "../../../../dev/null" }, claims, "")],
  ["a kid that is SQL", "secret", hs({ ...HS256, kid: "x' UNION SELECT ''--" }, claims, "")],
  ["a kid that is a command", "secret", hs({ ...HS256, kid: "|cat /etc/passwd" }, claims, "")],
  ["a kid of a prototype", "secret", hs({ ...HS256, kid: "__proto__" }, claims, "[object Object]")],
  ["an extension that is critical", "secret", hs({ ...HS256, crit: ["x"], x: 1 })],
  ["an empty list of what is critical", "secret", hs({ ...HS256, crit: [] })],
  ["a payload that is not encoded (b64)", "secret", hs({ ...HS256, crit: ["b64"], b64: false })],
  ["a header that is no object", "secret", hs('"HS256"')],
  ["a header that is no JSON", "secret", hs("{alg:HS256}")],
  ["a payload that is no object", "secret", hs(HS256, "[]")],
  [
    "a payload of another token",
    "secret",
    [good.split(".")[0], part({ ...claims, sub: "root" }), good.split(".")[2]].join(".")
  ],
  ["an exp that is text", "secret", hs(HS256, { ...claims, exp: "4000000000" })],
  ["an exp that is null", "secret", hs(HS256, { ...claims, exp: null })],
  ["an exp that was", "secret", hs(HS256, { ...claims, exp: -1 })],
  ["an exp said twice, the last of them over", "secret", hs(HS256, `{"exp":${now + 60},"exp":1,"sub":"x"}`)],
  ["an nbf that is text", "secret", hs(HS256, { ...claims, nbf: "0" })],
  ["an nbf of tomorrow", "secret", hs(HS256, { ...claims, nbf: now + 86_400 })],
  ["a subject that is a list", "secret", hs(HS256, { ...claims, sub: ["admin"] })],
  ["an id that is an object", "secret", hs(HS256, { ...claims, jti: {} })],
  ["five parts, as one that is encrypted", "secret", `${part({ alg: "dir", enc: "A128GCM" })}..x.y.z`],
  ["another token inside", "secret", hs({ ...HS256, cty: "JWT" }, good)],
  ["whitespace inside", "secret", good.replace(".", " .")],
  ["a signature of other base64", "secret", `${good.slice(0, good.lastIndexOf("."))}.+/+/${"A".repeat(39)}`],
  ["JSON in place of a compact one", "secret", JSON.stringify({ payload: part(claims), signatures: [] })]
]

const check = (token: string, keys: Keys) =>
  Effect.gen(function* () {
    yield* TestClock.setTime(now * 1000)
    const { check } = yield* makeTokens({ keys, issuer: undefined, audience: undefined })
    return yield* check(token)
  })

describe("a token does not count that has", () => {
  for (const [what, key, token] of vectors)
    it.effect(what, () =>
      Effect.map(Effect.flip(check(token, ours[key]!)), (error) => {
        assert.strictEqual(error._tag, "BadToken")
        assert.notInclude(JSON.stringify(error), token.slice(-20))
      })
    )

  it.effect("and each key here does count where it is used as it should be", () =>
    Effect.gen(function* () {
      assert.isAtLeast(vectors.length, 40)
      for (const [key, token] of [
        ["secret", good],
        ["rsa", rs({ alg: "RS256" })],
        ["ec", es({ alg: "ES256" })]
      ] as const)
        assert.strictEqual((yield* check(token, ours[key]!)).subject, "admin")
    })
  )
})

describe("a key that is too short is refused at the start:", () => {
  it.effect("RSA of 1024 bits", () => {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 })
    const keys: Keys = { by: "public key", pem: pem(publicKey) }
    return Effect.map(
      Effect.flip(makeTokens({ keys, issuer: undefined, audience: undefined })),
      ({ detail }) => void assert.match(detail, /2048 bits/)
    )
  })
})
