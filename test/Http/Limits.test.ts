/** How much one address and one subject may take, over real sockets. */
import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"

import { Addresses } from "../../src/Http/Limits/Addresses.ts"
import { EventClient, refusedUpgrade, SocketClient } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { apiKey, bearer, type Claims, Club, mint } from "./Auth/Club.ts"

const from = (address: string) => ({ "x-forwarded-for": address })

describe("connections of one address", () => {
  const club = new Club({
    MAX_CONNECTIONS_PER_ADDRESS: "3",
    MAX_CONNECTIONS: "8",
    TRUSTED_PROXIES: "127.0.0.0/8, ::1"
  })
  const stream = (address: string) =>
    EventClient.open(`${club.url}/v1/stream?collections=pools`, { headers: from(address) })
  const left = () => until("all to be gone", () => club.daemon.hub.readers() === 0)

  it("are bounded on every road, each in its way; others notice nothing", async () => {
    const reading = await Promise.all([stream("1.1.1.1"), stream("1.1.1.1"), stream("1.1.1.1")])
    const over = await stream("1.1.1.1")
    assert.strictEqual(over.status, 200)
    assert.strictEqual(await over.ended, "clean")
    assert.strictEqual(over.goodbye!["code"], "too_many")
    assert.isAtLeast(over.parser.retry!, 1_000)
    const poll = await club.ask("GET", "/v1/changes?collections=pools&wait=0s", from("1.1.1.1"))
    assert.strictEqual(`${poll.status} ${String(poll.json["code"])}`, "429 too_many")
    assert.strictEqual(poll.headers.get("retry-after"), "5")
    const socket = await refusedUpgrade(`${club.url}/v1/socket?collections=pools`, from("1.1.1.1"))
    assert.strictEqual(socket.statusCode, 429)
    assert.strictEqual(socket.headers["retry-after"], "5")
    socket.resume()
    // Neither is what holds no connection.
    assert.strictEqual((await club.ask("GET", "/v1/snapshot?collections=pools", from("1.1.1.1"))).status, 200)
    const other = await stream("2.2.2.2")
    assert.strictEqual((await other.first()).type, "snapshot")
    reading[0].close()
    await until("room again", async () => {
      const next = await stream("1.1.1.1")
      await next.first()
      next.close()
      return next.goodbye === undefined
    })
    for (const client of [...reading, other]) client.close()
    await left()
  })

  it("are bounded in all, too, and every one that ends gives its place back", async () => {
    for (let round = 0; round < 3; round++) {
      const readers = await Promise.all(Array.from({ length: 8 }, (_, i) => stream(`3.0.0.${i}`)))
      await Promise.all(readers.map((reader) => reader.first()))
      assert.isTrue(readers.every(({ goodbye }) => goodbye === undefined))
      const over = await stream("4.4.4.4")
      await over.ended
      assert.strictEqual(over.goodbye!["code"], "too_many")
      for (const reader of readers) reader.close()
      await left()
    }
  })

  it("give their place back however they are refused", async () => {
    for (let i = 0; i < 10; i++) {
      await club.ask("GET", "/v1/stream?collections=nowhere", from("5.5.5.5"))
      await club.ask("GET", "/v1/stream?nonsense=1", from("5.5.5.5"))
      await club.ask("HEAD", "/v1/stream?collections=pools", from("5.5.5.5"))
      await club.ask("GET", "/v1/changes?collections=pools", { ...from("5.5.5.5"), ...bearer("x") })
      await club.ask("GET", "/v1/socket", from("5.5.5.5"))
    }
    const reader = await stream("5.5.5.5")
    assert.strictEqual((await reader.first()).type, "snapshot")
    reader.close()
    await left()
  })
})

describe("who is no trusted proxy", () => {
  const club = new Club({ MAX_CONNECTIONS_PER_ADDRESS: "2", TRUSTED_PROXIES: "10.0.0.1" })

  it("is counted by its own address, whatever it forwards, and the log says once what to set", async () => {
    const readers = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        EventClient.open(`${club.url}/v1/stream?collections=pools`, { headers: from(`9.9.9.${i}`) })
      )
    )
    await Promise.all(readers.map((reader) => reader.first()))
    assert.strictEqual(readers.filter(({ goodbye }) => goodbye !== undefined).length, 4)
    assert.strictEqual(club.daemon.logs.filter((line) => line.includes("TRUSTED_PROXIES")).length, 1)
    for (const reader of readers) reader.close()
  })
})

describe("connections of one subject", () => {
  const club = new Club({ MAX_CONNECTIONS_PER_SUBJECT: "2" })
  const claims: Claims = { read: ["chat"] }

  it("are bounded by the token, from wherever they come; a socket is told so by 4429", async () => {
    const open = async (sub: string) =>
      EventClient.open(`${club.url}/v1/stream`, { headers: bearer(await mint({ ...claims, sub })) })
    const readers = [await open("1"), await open("1"), await open("2")]
    const over = await open("1")
    await over.ended
    assert.strictEqual(over.goodbye!["code"], "too_many")
    const socket = await SocketClient.open(`${club.url}/v1/socket`, [
      "ratecast.v1",
      `ratecast.token.${await mint({ ...claims, sub: "1" })}`
    ])
    assert.deepStrictEqual(await socket.closed, { code: 4429, reason: "too_many" })
    assert.isAtLeast(socket.goodbye!["retryAfterMs"] as number, 1_000)
    for (const reader of readers) assert.isUndefined(reader.goodbye)
    for (const reader of readers) reader.close()
  })
})

describe("writes", () => {
  const club = new Club({ WRITES_PER_SECOND: "5", WRITE_BURST: "10", TRUSTED_PROXIES: "127.0.0.1" })
  const row = { to: "all", text: "x" }
  const write = async (sub: string, address: string) =>
    club.ask(
      "POST",
      "/v1/rows/chat",
      { ...bearer(await mint({ sub, write: ["chat"] })), ...from(address) },
      row
    )

  it("of one subject and of one address come at their rate, and the rest is told when", async () => {
    const each: ReadonlyArray<(i: number) => readonly [sub: string, address: string]> = [
      (i) => ["same", `1.0.0.${i}`],
      (i) => [`${i}`, "2.0.0.1"]
    ]
    for (const who of each) {
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => write(...who(i))))
      const good = answers.filter(({ status }) => status === 201).length
      assert.isAtLeast(good, 10)
      assert.isAtMost(good, 12)
      const refused = answers.filter(({ status }) => status === 429)
      assert.strictEqual(refused.length, 20 - good)
      for (const { headers, json } of refused) {
        assert.strictEqual(json["code"], "too_many")
        assert.isAtLeast(Number(headers.get("retry-after")), 1)
      }
      await new Promise((done) => setTimeout(done, 1_000))
      assert.strictEqual((await write(...who(0))).status, 201)
    }
  })

  it("on a socket, too, and a backend is not slowed down", async () => {
    const token = await mint({ sub: "s", read: ["chat"], write: ["chat"] })
    const socket = await SocketClient.open(`${club.url}/v1/socket`, [
      "ratecast.v1",
      `ratecast.token.${token}`
    ])
    for (let i = 0; i < 20; i++)
      socket.say({ type: "write", ref: `w${i}`, op: "append", collection: "chat", row })
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => socket.answer(`w${i}`)))
    const refused = answers.filter(({ type }) => type === "error")
    assert.isAtLeast(refused.length, 8)
    assert.strictEqual((refused[0]!["problem"] as { readonly code: string }).code, "too_many")
    socket.close()
    const backend = await Promise.all(
      Array.from({ length: 50 }, () => club.ask("POST", "/v1/rows/chat", bearer(apiKey), row))
    )
    assert.isTrue(backend.every(({ status }) => status === 201))
  })
})

describe("a socket that says too much", () => {
  const club = new Club({ MESSAGES_PER_SECOND: "20" })

  it("is ended with 4429, and one that says less goes on", async () => {
    const calm = await SocketClient.open(`${club.url}/v1/socket?collections=pools`)
    for (let i = 0; i < 15; i++) calm.say({ type: "ping" })
    const loud = await SocketClient.open(`${club.url}/v1/socket?collections=pools`)
    for (let i = 0; i < 60; i++) loud.say({ type: "ping" })
    assert.deepStrictEqual(await loud.closed, { code: 4429, reason: "too_many" })
    await until("all pongs", () => calm.messages.filter(({ type }) => type === "pong").length === 15)
    assert.isUndefined(calm.goodbye)
    calm.close()
  })
})

describe("the address of a client", () => {
  const addresses = new Addresses(["10.0.0.0/8", "fd00::/8", "192.168.1.7"])
  const of = (peer: string, forwarded?: string) =>
    addresses.of({
      headers: forwarded === undefined ? {} : { "x-forwarded-for": forwarded },
      remoteAddress: Option.some(peer)
    } as never).group
  const cases: ReadonlyArray<
    readonly [what: string, peer: string, forwarded: string | undefined, expected: string]
  > = [
    ["the peer", "1.2.3.4", undefined, "1.2.3.4"],
    ["the peer, whatever it forwards", "1.2.3.4", "10.0.0.1", "1.2.3.4"],
    ["what a trusted proxy forwards", "10.0.0.1", "5.6.7.8", "5.6.7.8"],
    [
      "the nearest that is not trusted, not what the client wrote",
      "10.0.0.1",
      "6.6.6.6, 5.6.7.8, 10.2.0.1",
      "5.6.7.8"
    ],
    ["the proxy where it forwards nothing", "192.168.1.7", undefined, "192.168.1.7"],
    ["the proxy where what it forwards is none", "10.0.0.1", "unknown", "10.0.0.1"],
    ["the last good one where something further left is none", "10.0.0.1", "x, 10.0.0.2", "10.0.0.2"],
    ["without its port", "10.0.0.1", "5.6.7.8:4711", "5.6.7.8"],
    ["IPv4 as IPv6 carries it", "::ffff:10.0.0.1", "::ffff:5.6.7.8", "5.6.7.8"],
    ["an IPv6 /64", "2001:db8:1:2:3:4:5:6", undefined, "2001:db8:1:2::/64"],
    ["the same /64, written short", "2001:0db8:1:2::9", undefined, "2001:db8:1:2::/64"],
    ["with zeros left out", "2001:db8::1", undefined, "2001:db8:0:0::/64"],
    ["in brackets", "fd12::1", "[2001:db8::1]:443", "2001:db8:0:0::/64"],
    ["with a zone", "fe80::1%eth0", undefined, "fe80:0:0:0::/64"],
    ["loopback, as any", "::1", undefined, "0:0:0:0::/64"]
  ]
  for (const [what, peer, forwarded, expected] of cases)
    it(`is ${what}`, () => void assert.strictEqual(of(peer, forwarded), expected))
})
