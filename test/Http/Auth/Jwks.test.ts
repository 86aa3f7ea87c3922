/** Keys by URL: how often they are asked for, what becomes of tokens when they change, and when they cannot be had. */
import { generateKeyPairSync, type KeyObject } from "node:crypto"
import * as http from "node:http"
import type { AddressInfo } from "node:net"

import { afterAll, assert, beforeAll, beforeEach, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { SignJWT } from "jose"

import { makeTokens } from "../../../src/Http/Auth/Tokens.ts"
import { until } from "../../Daemon.ts"

const now = 1_790_000_000
const pairs = { old: generateKeyPairSync("ed25519"), new: generateKeyPairSync("ed25519") }
type Kid = keyof typeof pairs
const jwk = (kid: Kid) => ({ ...pairs[kid].publicKey.export({ format: "jwk" }), kid, use: "sig" })
const setOf = (...kids: ReadonlyArray<Kid>) => JSON.stringify({ keys: kids.map(jwk) })
const claims = { sub: "7", exp: now + 30 * 24 * 60 * 60 }
const sign = (kid: Kid, key: KeyObject = pairs[kid].privateKey) =>
  Effect.promise(() => new SignJWT(claims).setProtectedHeader({ alg: "EdDSA", kid }).sign(key))
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url")
let made = 0
/** Of a key that nobody has; each is another one. */
const unknown = () => `${part({ alg: "EdDSA", kid: `k${made++}` })}.${part(claims)}.${"A".repeat(86)}`

/** What the URL answers, how often it was asked, and by how many at once. */
const issuer = {
  asked: 0,
  atOnce: 0,
  most: 0,
  answer: (response: http.ServerResponse): void => void response.end(setOf("old"))
}
const says = (text: string) => (issuer.answer = (response) => void response.end(text))
const fails = () => (issuer.answer = (response) => void response.writeHead(503).end())
const server = http.createServer((_, response) => {
  issuer.asked++
  issuer.most = Math.max(issuer.most, ++issuer.atOnce)
  response.on("close", () => issuer.atOnce--)
  issuer.answer(response)
})
let url = ""
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  Object.assign(issuer, { asked: 0, most: 0 })
  says(setOf("old"))
})

const started = Effect.gen(function* () {
  yield* TestClock.setTime(now * 1000)
  const { check } = yield* makeTokens({ keys: { by: "jwks", url }, issuer: undefined, audience: undefined })
  /** `good`, or why not. */
  return (token: string) =>
    check(token).pipe(Effect.match({ onSuccess: () => "good", onFailure: ({ detail }) => detail }))
})
const notKnown = "the token is not signed by a key that is known here"
const notFetched = "the keys could not be fetched; try again"
/** What is done beside, once it is. */
const asked = (times: number) =>
  Effect.promise(() => until(`asked ${times} times`, () => issuer.asked === times && issuer.atOnce === 0))

describe("ten thousand tokens, each of another unknown key,", () => {
  it.effect("ask for the keys once in 30 s, however they come, and a good one counts all the while", () =>
    Effect.gen(function* () {
      const check = yield* started
      const good = yield* sign("old")
      assert.strictEqual(yield* check(good), "good")
      for (let step = 0; step < 10; step++) {
        const answers = yield* Effect.all(
          Array.from({ length: 1_000 }, () => check(unknown())),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([...new Set(answers)], [notKnown])
        assert.strictEqual(yield* check(good), "good")
        // Now, after 30 s, 60 s and 90 s.
        assert.strictEqual(issuer.asked, 1 + Math.floor((step * 10) / 30))
        yield* TestClock.adjust("10 seconds")
      }
      assert.strictEqual(issuer.most, 1)
    })
  )

  it.effect("ask no more often while the URL fails, and are not told that they are bad", () =>
    Effect.gen(function* () {
      const check = yield* started
      const good = yield* sign("old")
      assert.strictEqual(yield* check(good), "good")
      fails()
      yield* TestClock.adjust("30 seconds")
      for (let second = 0; second < 60; second++) {
        for (let i = 0; i < 20; i++) assert.strictEqual(yield* check(unknown()), notFetched)
        assert.strictEqual(yield* check(good), "good")
        yield* TestClock.adjust("1 second")
      }
      assert.strictEqual(issuer.asked, 3)
    })
  )
})

describe("a key that is rotated in", () => {
  it.effect("counts within 30 s, whoever asks for unknown ones at the time, and from then on always", () =>
    Effect.gen(function* () {
      const check = yield* started
      const tokens = { old: yield* sign("old"), new: yield* sign("new") }
      assert.strictEqual(yield* check(tokens.old), "good")
      yield* TestClock.adjust("30 seconds")
      // Somebody has spent the one time.
      yield* check(unknown())
      says(setOf("old", "new"))
      let refused = 0
      for (let second = 0; second < 120; second++) {
        for (let i = 0; i < 5; i++) yield* check(unknown())
        assert.strictEqual(yield* check(tokens.old), "good")
        const answer = yield* check(tokens.new)
        if (answer !== "good") assert.strictEqual(second, refused++, answer)
        yield* TestClock.adjust("1 second")
      }
      assert.isAtMost(refused, 30)
      assert.isAtMost(issuer.asked, 6)
    })
  )

  it.effect("counts at once where nobody has asked for 30 s", () =>
    Effect.gen(function* () {
      const check = yield* started
      assert.strictEqual(yield* check(yield* sign("old")), "good")
      says(setOf("new"))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* check(yield* sign("new")), "good")
      assert.strictEqual(yield* check(yield* sign("old")), notKnown)
    })
  )
})

describe("a key that is taken out", () => {
  it.effect("counts for ten minutes at most, and nobody waits for the news", () =>
    Effect.gen(function* () {
      const check = yield* started
      const token = yield* sign("old")
      assert.strictEqual(yield* check(token), "good")
      says(setOf("new"))
      yield* TestClock.adjust("599 seconds")
      assert.strictEqual(yield* check(token), "good")
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* check(token), "good")
      yield* asked(2)
      yield* Effect.promise(() =>
        until("the end of it", () => Effect.runPromise(check(token)).then((answer) => answer === notKnown))
      )
    })
  )
})

describe("keys that cannot be fetched", () => {
  it.effect("go on for a day as they were last, and not longer; then they come back", () =>
    Effect.gen(function* () {
      const check = yield* started
      const token = yield* sign("old")
      assert.strictEqual(yield* check(token), "good")
      fails()
      for (let minute = 0; minute < 24 * 60; minute += 5) {
        assert.strictEqual(yield* check(token), "good", `after ${minute} min`)
        yield* TestClock.adjust("5 minutes")
      }
      yield* Effect.promise(() => until("silence", () => issuer.atOnce === 0))
      assert.strictEqual(yield* check(token), notFetched)
      says(setOf("old"))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(yield* check(token), "good")
    })
  )

  it.effect("yet are waited for by all who come meanwhile", () =>
    Effect.gen(function* () {
      let answer: http.ServerResponse | undefined
      issuer.answer = (response) => (answer = response)
      const check = yield* started
      const token = yield* sign("old")
      const some = Effect.all(
        Array.from({ length: 50 }, () => check(token)),
        { concurrency: "unbounded" }
      )
      const first = yield* Effect.forkChild(some)
      yield* Effect.promise(() => until("a question", () => answer !== undefined))
      const second = yield* Effect.forkChild(some)
      yield* Effect.yieldNow
      answer!.end(setOf("old"))
      for (const waiting of [first, second])
        assert.deepStrictEqual([...new Set(yield* Fiber.join(waiting))], ["good"])
      assert.strictEqual(issuer.asked, 1)
    })
  )

  it.effect("at the start are asked for again after 5 s", () =>
    Effect.gen(function* () {
      fails()
      const check = yield* started
      const token = yield* sign("old")
      for (let i = 0; i < 100; i++) assert.strictEqual(yield* check(token), notFetched)
      assert.strictEqual(issuer.asked, 1)
      says(setOf("old"))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* check(token), "good")
      assert.strictEqual(issuer.asked, 2)
    })
  )

  it.effect("are not waited for longer than 5 s, and only by whoever shows an unknown one", () =>
    Effect.gen(function* () {
      const check = yield* started
      const token = yield* sign("old")
      assert.strictEqual(yield* check(token), "good")
      issuer.answer = () => {}
      yield* TestClock.adjust("30 seconds")
      const waiting = yield* Effect.forkChild(check(unknown()))
      yield* Effect.promise(() => until("a question", () => issuer.asked === 2))
      assert.strictEqual(yield* check(token), "good")
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(waiting), notFetched)
      yield* Effect.promise(() => until("its end", () => issuer.atOnce === 0))
    })
  )

  const answers: ReadonlyArray<readonly [what: string, answer: typeof issuer.answer]> = [
    ["no JSON", (response) => void response.end("<html>")],
    ["no keys", (response) => void response.end('{"error":"busy"}')],
    ["an empty set of keys", (response) => void response.end('{"keys":[]}')],
    ["keys that are secret", (response) => void response.end('{"keys":[{"kty":"oct","k":"AAAA"}]}')],
    ["2 MB", (response) => void response.end(`{"keys":[],"x":"${"x".repeat(2_000_000)}"}`)],
    ["a redirect", (response) => void response.writeHead(302, { location: url }).end()],
    ["half an answer", (response) => void response.write(`{"keys":`, () => response.destroy())]
  ]
  for (const [what, answer] of answers)
    it.effect(`are those before, where the URL answers ${what}`, () =>
      Effect.gen(function* () {
        const check = yield* started
        const token = yield* sign("old")
        assert.strictEqual(yield* check(token), "good")
        issuer.answer = answer
        yield* TestClock.adjust("30 seconds")
        assert.strictEqual(yield* check(unknown()), notFetched)
        assert.strictEqual(issuer.asked, 2)
        assert.strictEqual(yield* check(token), "good")
      })
    )
})
