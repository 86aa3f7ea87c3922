/** Guesses at the API key and at tokens: so many a minute of one address, and nobody else is the worse for it. */
import { generateKeyPairSync } from "node:crypto"
import type * as http from "node:http"

import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { exportJWK, generateKeyPair, SignJWT } from "jose"

import { type Config, defineConfig, written } from "../../../src/Config.ts"
import { Guesses } from "../../../src/Http/Limits/Guesses.ts"
import { steady } from "../../../src/Steady.ts"
import { EventClient, SocketClient } from "../../Clients.ts"
import { Backend, startDaemon, until } from "../../Daemon.ts"
import { sleep } from "../Market.ts"
import { apiKey, bearer, Club, mint } from "./Club.ts"

const from = (address: string) => ({ "x-forwarded-for": address })
const forged = new SignJWT({ exp: 4e9 })
  .setProtectedHeader({ alg: "EdDSA" })
  .sign(generateKeyPairSync("ed25519").privateKey)

describe("wrong keys and tokens of one address", () => {
  const club = new Club({ AUTH_FAILURES_PER_MINUTE: "10", TRUSTED_PROXIES: "127.0.0.0/8, ::1" })
  const snapshot = (address: string, headers: { readonly [name: string]: string }) =>
    club.ask("GET", "/v1/snapshot?collections=chat", { ...from(address), ...headers })
  /** Until it is told that it was too often. */
  const guesses = async (address: string) => {
    for (let i = 0; i < 11; i++) await snapshot(address, bearer(`guess ${i}`))
  }

  it("are told so ten times, then to wait; whoever is elsewhere, or shows nothing, notices nothing", async () => {
    const answers: Array<number> = []
    for (let i = 0; i < 30; i++) {
      const { headers, json, status } = await snapshot(
        "1.0.0.1",
        bearer(i % 2 === 0 ? `guess ${i}` : await forged)
      )
      answers.push(status)
      if (status !== 429) continue
      assert.strictEqual(json["code"], "too_many")
      assert.isAtLeast(Number(headers.get("retry-after")), 1)
      assert.isAtMost(Number(headers.get("retry-after")), 7)
    }
    assert.deepStrictEqual(answers, [...Array(10).fill(401), ...Array(20).fill(429)])
    assert.strictEqual((await snapshot("1.0.0.2", bearer("guess"))).status, 401)
    const pools = await club.ask("GET", "/v1/snapshot?collections=pools", from("1.0.0.1"))
    assert.strictEqual(pools.status, 200)
  })

  it("make others of that address wait only where they come with what was never good before", async () => {
    const known = await mint({ sub: "known", read: ["chat"] })
    assert.strictEqual((await snapshot("2.0.0.9", bearer(known))).status, 200)
    await guesses("2.0.0.1")
    assert.strictEqual((await snapshot("2.0.0.1", bearer(known))).status, 200)
    assert.strictEqual((await snapshot("2.0.0.1", bearer(apiKey))).status, 200)
    // Else a guess would be told by that it is right.
    const fresh = bearer(await mint({ sub: "fresh", read: ["chat"] }))
    assert.strictEqual((await snapshot("2.0.0.1", fresh)).status, 429)
    assert.strictEqual((await snapshot("2.0.0.2", fresh)).status, 200)
  })

  it("count on every road, however they are shown", async () => {
    await guesses("3.0.0.1")
    const [cookie, protocol] = ["ratecast_token=guess", "ratecast.v1, ratecast.token.guess"]
    assert.strictEqual((await snapshot("3.0.0.1", { cookie })).status, 429)
    assert.strictEqual((await snapshot("3.0.0.1", { "sec-websocket-protocol": protocol })).status, 429)
    const stream = await EventClient.open(`${club.url}/v1/stream?collections=chat`, {
      headers: { ...from("3.0.0.1"), ...bearer("guess") }
    })
    await stream.ended
    assert.strictEqual(stream.goodbye!["code"], "too_many")
    for (const path of ["/v1/tickets", "/v1/revocations", "/v1/refresh/pools", "/v1/rows/chat"]) {
      const { status } = await club.ask("POST", path, { ...from("3.0.0.1"), ...bearer("guess") }, {})
      assert.strictEqual(status, 429, path)
    }
  })

  it("may be as many where they were signed by us: expired, revoked, of another claim", async () => {
    const old = [
      await mint({ sub: "old", for: -60 }),
      await mint({ more: { nbf: 4e9 } }),
      await mint({ more: { ratecast: "x" } }),
      await mint({ sub: "revoked" })
    ]
    await club.ask("POST", "/v1/revocations", bearer(apiKey), { sub: "revoked" })
    for (let i = 0; i < 40; i++)
      assert.strictEqual((await snapshot("4.0.0.1", bearer(old[i % 4]!))).status, 401)
  })
})

describe("wrong tokens on a socket that is open", () => {
  const club = new Club({ AUTH_FAILURES_PER_MINUTE: "10" })

  it("count, too", async () => {
    const socket = await SocketClient.open(`${club.url}/v1/socket?collections=pools`)
    const codes: Array<unknown> = []
    for (let i = 0; i < 15; i++) {
      socket.say({ type: "token", ref: `t${i}`, token: `guess ${i}` })
      const { problem } = await socket.answer(`t${i}`)
      codes.push((problem as { readonly code: string }).code)
    }
    assert.deepStrictEqual(codes, [...Array(10).fill("unauthenticated"), ...Array(5).fill("too_many")])
    socket.close()
  })
})

describe("where no token counts", () => {
  const club = new Club({ AUTH_FAILURES_PER_MINUTE: "10", JWT_SECRET: "" })

  it("guesses at the key are counted all the same", async () => {
    const answers: Array<number> = []
    for (let i = 0; i < 20; i++)
      answers.push((await club.ask("POST", "/v1/revocations", bearer(`${apiKey}${i}`), { sub: "x" })).status)
    assert.deepStrictEqual(answers, [...Array(10).fill(401), ...Array(10).fill(429)])
    assert.strictEqual((await club.ask("POST", "/v1/revocations", bearer(apiKey), { sub: "x" })).status, 204)
  })
})

describe("a key that was never shown", () => {
  it("is a guess like any other: from where too many were wrong it is not looked at", async () => {
    const row = Schema.Struct({ id: Schema.String })
    const config = defineConfig({ collections: { chat: written({ key: "id", row }) } }) as Config
    const env = { API_KEY: apiKey, AUTH_FAILURES_PER_MINUTE: "10", TRUSTED_PROXIES: "127.0.0.1" }
    const daemon = await startDaemon(config, { ...env, ANONYMOUS_READ: "" })
    const show = async (key: string, address: string) =>
      (await fetch(`${daemon.url}/v1/snapshot`, { headers: { ...bearer(key), ...from(address) } })).status
    for (let i = 0; i < 10; i++) assert.strictEqual(await show(`guess ${i}`, "1.0.0.1"), 401)
    assert.strictEqual(await show(apiKey, "1.0.0.1"), 429)
    assert.strictEqual(await show(apiKey, "1.0.0.2"), 200)
    assert.strictEqual(await show(apiKey, "1.0.0.1"), 200)
    await daemon.close()
  })
})

describe("guesses that come all at once", () => {
  it("are counted before they are looked at: no more of them are than may be wrong", async () => {
    const answers: Array<http.ServerResponse> = []
    const jwks = new Backend()
    jwks.handler = (_, response) => answers.push(response)
    await jwks.start()
    const row = Schema.Struct({ id: Schema.String })
    const config = defineConfig({ collections: { chat: written({ key: "id", row }) } }) as Config
    const daemon = await startDaemon(config, {
      JWKS_URL: jwks.url,
      AUTH_FAILURES_PER_MINUTE: "10",
      ANONYMOUS_READ: ""
    })
    const { privateKey, publicKey } = await generateKeyPair("ES256")
    const sign = (key: typeof privateKey) =>
      new SignJWT({ ratecast: { read: ["chat"] } })
        .setProtectedHeader({ alg: "ES256", kid: "k" })
        .setExpirationTime("1h")
        .sign(key)
    const { privateKey: another } = await generateKeyPair("ES256")
    const show = async (token: string) =>
      (await fetch(`${daemon.url}/v1/snapshot`, { headers: bearer(token) })).status
    const forged = await sign(another)
    const all = Array.from({ length: 50 }, (_, i) =>
      show(`${forged.slice(0, -8)}${String(i).padStart(8, "A")}`)
    )
    await until("the keys are asked for", () => answers.length > 0)
    await sleep(200)
    for (const answer of answers)
      answer.end(JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg: "ES256" }] }))
    const statuses = await Promise.all(all)
    assert.strictEqual(statuses.filter((status) => status === 401).length, 10)
    assert.strictEqual(statuses.filter((status) => status === 429).length, 40)
    // Nobody of that address waits longer than for one more to be allowed.
    const refused = await fetch(`${daemon.url}/v1/snapshot`, { headers: bearer(await sign(privateKey)) })
    assert.strictEqual(refused.status, 429)
    assert.isAtMost(Number(refused.headers.get("retry-after")), 6)
    await daemon.close()
    await jwks.close()
  })
})

const wrong = (guesses: Guesses, address: string, times = 1) => {
  for (let i = 0; i < times; i++) guesses.take(address, "wrong")
}

describe("the minute", () => {
  it.effect("comes back little by little", () =>
    Effect.gen(function* () {
      const guesses = new Guesses(steady(yield* Clock.Clock), 60)
      wrong(guesses, "a", 60)
      assert.strictEqual(guesses.wait("a", "x"), 1_000)
      // Those that are not looked at cost nothing.
      wrong(guesses, "a", 60)
      assert.strictEqual(guesses.wait("a", "x"), 1_000)
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(guesses.wait("a", "x"), 1)
      yield* TestClock.adjust("1 millis")
      assert.isUndefined(guesses.wait("a", "x"))
      yield* TestClock.adjust("1 hour")
      wrong(guesses, "a", 59)
      assert.isUndefined(guesses.wait("a", "x"))
      wrong(guesses, "a")
      assert.isDefined(guesses.wait("a", "x"))
      assert.isUndefined(guesses.wait("b", "x"))
    })
  )

  it.effect("is given back what turned out to be no guess, and not more", () =>
    Effect.gen(function* () {
      const guesses = new Guesses(steady(yield* Clock.Clock), 2)
      for (let i = 0; i < 100; i++) {
        const back = guesses.take("a", `token ${i}`)
        assert.isFunction(back)
        ;(back as () => void)()
      }
      wrong(guesses, "a", 2)
      assert.isDefined(guesses.wait("a", "x"))
      guesses.wasGood("known")
      ;(guesses.take("a", "known") as () => void)()
      assert.isDefined(guesses.wait("a", "x"))
    })
  )

  it.effect(
    "of addresses that nobody has seen for long is forgotten: a million take no more room than 20,000",
    () =>
      Effect.gen(function* () {
        const guesses = new Guesses(steady(yield* Clock.Clock), 1)
        for (let i = 0; i < 100_000; i++) wrong(guesses, `address ${i}`)
        assert.isUndefined(guesses.wait("address 79999", "x"))
        assert.isDefined(guesses.wait("address 80000", "x"))
      })
  )
})
