/** `GET /v1/socket`: who may open one, the query on the URL, and what a client may say. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { answersIn, upgradeHeaders } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { frame } from "../Frames.ts"
import type { Message } from "../Held.ts"
import { alone, ask, heldRows, inTurn, Market, numbers, pool, sleep } from "./Market.ts"

let market: Market
const rows = numbers(20).map((i) => pool(`p${i}`, { type: i % 2 ? "stable" : "volatile" }))
let rate = 0
const commit = (at = market) => at.commit("pools", [{ ...rows[0]!, rate: String(++rate) }, ...rows.slice(1)])

beforeAll(async () => {
  market = await Market.open(rows)
})
afterEach(() => market.leave())
afterAll(() => market.close())

const problemOf = (message: object) => (message as { readonly problem: { readonly code: string } }).problem

describe("the handshake", () => {
  it("the subprotocol ratecast.v1 is echoed where it is offered, and is optional to ask for", async () => {
    const asked = await market.socket("collections=pools", ["other", "ratecast.v1"])
    assert.strictEqual(asked.ws.protocol, "ratecast.v1")
    const plain = await market.socket("collections=pools")
    assert.strictEqual(plain.ws.protocol, "")
    const other = await market.rawSocket("collections=pools", {
      headers: { "sec-websocket-protocol": "graphql" }
    })
    assert.notMatch(other.head, /sec-websocket-protocol/i)
    const token = await market.rawSocket("", {
      headers: { "sec-websocket-protocol": "ratecast.v1, ratecast.token.e30.e30.x" }
    })
    assert.match(token.head, /sec-websocket-protocol: ratecast\.v1\r\n/i)
    assert.notMatch(token.head, /token/, "only the former is echoed")
    assert.notMatch(token.head, /sec-websocket-extensions/i)
  })

  it("a plain GET is answered by status", async () => {
    const { headers, status } = await ask(market.at("/v1/socket"))
    assert.strictEqual(status, 426)
    assert.strictEqual(headers["content-type"], "application/problem+json")
    assert.strictEqual(headers["upgrade"], "websocket", "a 426 says to what (RFC 9110, 15.5.22)")
  })

  it("one that is broken is answered by status, with a problem", async () => {
    const wires = await inTurn(
      [{ "sec-websocket-key": "short" }, { "sec-websocket-version": "12" }, { upgrade: "h2c" }],
      async (odd) => {
        const wire = await market.wire()
        wire.request("GET /v1/socket HTTP/1.1", upgradeHeaders(odd))
        await until("an answer", () => wire.answers[0]?.whole === true)
        return wire.answers[0]!
      }
    )
    for (const { body, headers, status } of wires) {
      assert.include([400, 426], status)
      assert.strictEqual(headers["content-type"], "application/problem+json", body.toString())
    }
  })

  it("what is sent in one packet with the request is heard", async () => {
    const first = frame(JSON.stringify({ type: "subscribe", ref: "s", collections: ["pools"] }))
    const socket = await market.rawSocket("", { first })
    await until("a snapshot", () => socket.messages.length === 2)
    assert.deepStrictEqual(socket.types, ["ack", "snapshot"])
  })
})

/** How an upgrade is answered. */
const status = async (at: Market, origin: string | undefined, host?: string) => {
  const wire = await at.wire()
  const headers = { ...(origin === undefined ? {} : { origin }), ...(host === undefined ? {} : { host }) }
  wire.request("GET /v1/socket HTTP/1.1", upgradeHeaders(headers))
  await until("an answer", () => wire.text.includes("\r\n\r\n"))
  const head = wire.bytes.subarray(0, wire.bytes.indexOf("\r\n\r\n") + 4)
  const [answer] = wire.text.startsWith("HTTP/1.1 101") ? answersIn(head) : wire.answers
  wire.socket.destroy()
  if (answer!.status !== 101) {
    assert.strictEqual(answer!.headers["content-type"], "application/problem+json")
    assert.strictEqual((JSON.parse(answer!.body.toString()) as { readonly code: string }).code, "forbidden")
  }
  return answer!.status
}

describe("Origin is judged before the upgrade, by status", () => {
  it("none and the same origin may, no other", async () => {
    const { port } = market
    assert.strictEqual(await status(market, undefined), 101)
    assert.strictEqual(await status(market, `http://127.0.0.1:${port}`), 101)
    assert.strictEqual(await status(market, "http://rates.example", "Rates.Example"), 101)
    for (const origin of [
      "https://evil.example",
      "null",
      "",
      "*",
      `http://127.0.0.1:${port + 1}`,
      "http://127.0.0.1",
      `http://localhost:${port}`,
      `http://[::1]:${port}`,
      `http://127.0.0.1.evil.example:${port}`,
      `http://evil-127.0.0.1:${port}`,
      `http://127.0.0.1:${port}.evil.example`,
      `http://127.0.0.1:${port}@evil.example`,
      `http://evil.example/127.0.0.1:${port}`,
      `http://evil.example?127.0.0.1:${port}`,
      `http://127.0.0.1:${port}, http://evil.example`,
      `http://evil.example http://127.0.0.1:${port}`,
      `ftp://127.0.0.1:${port}`,
      `chrome-extension://127.0.0.1:${port}`,
      `127.0.0.1:${port}`,
      `//127.0.0.1:${port}`,
      "file://",
      "http://"
    ]) {
      assert.strictEqual(await status(market, origin), 403, origin)
    }
  })

  it("with ORIGINS those too, to the letter", () =>
    alone(rows, { env: { ORIGINS: "https://app.example, http://localhost:3000" } }, async (own) => {
      for (const origin of [
        undefined,
        "https://app.example",
        "http://localhost:3000",
        `http://127.0.0.1:${own.port}`
      ])
        assert.strictEqual(await status(own, origin), 101, origin)
      for (const origin of [
        "http://app.example",
        "https://app.example:443",
        "https://app.example:8443",
        "https://APP.example",
        "https://app.example/",
        "https://app.example.",
        "https://app.example.evil.example",
        "https://evil-app.example",
        "https://evilapp.example",
        "https://sub.app.example",
        "https://app.example@evil.example",
        "https://app.exаmple",
        "https://app",
        "https://app.example,http://localhost:3000",
        "http://localhost",
        "http://localhost:30000",
        "null",
        "*"
      ]) {
        assert.strictEqual(await status(own, Buffer.from(origin).toString("latin1")), 403, origin)
      }
    }))
})

describe("the query on the URL", () => {
  it("a client need never send a word", async () => {
    const socket = await market.socket("collections=pools&keys=p0&fields=rate")
    await until("a snapshot", () => socket.cursor !== undefined)
    await commit()
    await until("a change", () => socket.changes === 1)
    assert.deepStrictEqual([...heldRows(socket, "pools").values()], [`{"id":"p0","rate":"${rate}"}`])
  })

  it("without collections= it waits for a subscribe", async () => {
    const socket = await market.socket("fields=rate&interval=1s")
    await commit()
    await sleep(100)
    assert.deepStrictEqual(socket.types, [])
    assert.strictEqual(await market.readers(), 0)
  })

  it("4404 for an unknown collection, 4400 for a query that is none, each with a goodbye that says why", async () => {
    for (const [search, code, name, problem] of [
      ["collections=poolz", 4404, "unknown_collection", "unknown_collection"],
      ["collections=order", 4404, "unknown_collection", "unknown_collection"],
      ["collections=pools&fields=rat", 4400, "bad_message", "invalid_query"],
      ["collections=pools&where=rate:1", 4400, "bad_message", "invalid_query"],
      ["collections=pools&interval=1", 4400, "bad_message", "invalid_query"],
      ["colections=pools", 4400, "bad_message", "invalid_query"],
      ["collections=", 4400, "bad_message", "invalid_query"]
    ] as const) {
      const socket = await market.socket(search)
      assert.deepStrictEqual(await socket.closed, { code, reason: name }, search)
      assert.deepStrictEqual(socket.types, ["goodbye"], search)
      assert.strictEqual(socket.goodbye!.code, name)
      assert.strictEqual(problemOf(socket.goodbye!).code, problem)
    }
  })
})

const names = ["pools", "wide", "types", "silent"]

/** Messages that stand where they do not belong: `s5` subscribes to the sixth name, and begins with a snapshot. */
const misplaced = (messages: ReadonlyArray<Message>, before: string): ReadonlyArray<string> => {
  const wrong: Array<string> = []
  let belongs = before
  let begins = false
  for (const { collections = {}, ref, type } of messages) {
    if (type === "ack") belongs = names[Number(String(ref).slice(1)) % names.length]!
    else if (begins && type !== "snapshot") wrong.push(`${type} before the snapshot of ${belongs}`)
    begins = type === "ack"
    for (const name of Object.keys(collections)) if (name !== belongs) wrong.push(`${name} among ${belongs}`)
  }
  return wrong
}

const of = (name: string, type = "snapshot"): Message => ({ type, collections: { [name]: {} } })

describe("subscribe", () => {
  it("is answered by an ack before its first message; all before it belongs to the old one", async () => {
    const socket = await market.socket("collections=types")
    await until("a snapshot", () => socket.cursor !== undefined)
    await inTurn(numbers(24), async (i) => {
      socket.say({ type: "subscribe", ref: `s${i}`, collections: [names[i % 4]] })
      const commits = [
        market.commit("pools", rows.slice(i)),
        market.commit("wide", [{ id: `${i}`, text: "x" }])
      ]
      if (i % 3 === 0) await socket.answer(`s${i}`)
      await Promise.all(commits)
    })
    await socket.answer("s23")
    await until("the last snapshot", () => socket.messages.at(-1)!.type !== "ack")
    assert.deepStrictEqual(misplaced(socket.messages, "types"), [])
    assert.deepStrictEqual([...socket.rows.keys()], ["silent"])
    assert.strictEqual(socket.refused, 0)
    assert.strictEqual(await market.readers(), 1)
    await commit()
  })

  it("resumes with since, and is paced with interval", async () => {
    const held = await market.poll("collections=pools")
    await commit()
    const socket = await market.socket("", [], held)
    socket.say({ type: "subscribe", ref: "r", collections: ["pools"], since: held.cursor, interval: "300ms" })
    await until("a change", () => socket.changes === 1)
    assert.strictEqual(socket.messages[1]!.from, held.cursor)
    await commit()
    await until("another", () => socket.changes === 2)
    assert.isAtLeast(socket.arrivals[2]! - socket.arrivals[1]!, 150)
    assert.strictEqual(socket.rows.get("pools")!.get("p0")!.get("rate"), String(rate))
  })

  it("without ref is answered without ref, without collections reads all that are not families", async () => {
    const socket = await market.socket()
    socket.say({ type: "subscribe" })
    await until("ack and snapshot", () => socket.messages.length === 2)
    assert.deepStrictEqual(socket.messages[0], { type: "ack" } as object)
    assert.sameMembers([...socket.rows.keys()], ["pools", "types", "wide", "silent"])
  })

  it("a bad one gets an error, and the old subscription stays", async () => {
    const socket = await market.socket("collections=pools&keys=p0")
    await until("a snapshot", () => socket.cursor !== undefined)
    const bad: ReadonlyArray<readonly [object, string]> = [
      [{ collections: ["poolz"] }, "unknown_collection"],
      [{ collections: "pools" }, "invalid_query"],
      [{ collections: [] }, "invalid_query"],
      [{ collections: [1] }, "invalid_query"],
      [{ collections: ["pools"], keys: "p1" }, "invalid_query"],
      [{ collections: ["pools"], fields: ["rat"] }, "invalid_query"],
      [{ collections: ["pools"], where: ["rate:1"] }, "invalid_query"],
      [{ collections: ["pools"], where: "type:stable" }, "invalid_query"],
      [{ collections: ["pools"], interval: "1m" }, "invalid_query"],
      [{ collections: ["pools"], interval: 500 }, "invalid_query"],
      [{ collections: ["pools"], since: 5 }, "invalid_query"],
      [{ collections: ["pools"], filter: ["p1"] }, "invalid_query"],
      [{ collections: ["pools"], types: { keys: ["stable"] } }, "invalid_query"],
      [{ collections: ["pools"], pools: { where: ["rate:1"] } }, "invalid_query"],
      [{ collections: ["pools"], pools: { keyz: ["p1"] } }, "invalid_query"],
      [JSON.parse('{"constructor":{"keys":["p1"]},"collections":["pools"]}') as object, "invalid_query"],
      [JSON.parse('{"constructor":{"keys":["p1"]},"collections":["pools"]}') as object, "invalid_query"]
    ]
    await inTurn(bad.entries(), async ([i, [members, code]]) => {
      socket.ws.send(
        JSON.stringify(
          Object.fromEntries([["type", "subscribe"], ["ref", `b${i}`], ...Object.entries(members)])
        )
      )
      const answer = await socket.answer(`b${i}`)
      assert.strictEqual(answer.type, "error", JSON.stringify(members))
      assert.strictEqual(problemOf(answer).code, code, JSON.stringify(members))
    })
    await commit()
    await until("a change of the old one", () => socket.changes === 1)
    assert.deepStrictEqual([...heldRows(socket, "pools").keys()], ["p0"])
    assert.strictEqual(socket.refused, 0)
  })

  it("unsubscribe is answered by an ack, and nothing comes after it", async () => {
    const socket = await market.socket("collections=pools")
    await until("a snapshot", () => socket.cursor !== undefined)
    socket.say({ type: "unsubscribe", ref: "u" })
    assert.strictEqual((await socket.answer("u")).type, "ack")
    await commit()
    await sleep(100)
    assert.strictEqual(socket.types.at(-1), "ack")
    socket.say({ type: "subscribe", ref: "again", collections: ["pools"] })
    await until("a snapshot", () => socket.reasons.length === 2)
  })

  it("the last one counts, also where one before it has to wait for a revision", async () => {
    const { cursor } = await market.snapshot("?collections=pools")
    const ahead = cursor.replace(/-\d+-/, (text) => `-${Number(text.slice(1, -1)) + 50}-`)
    const socket = await market.socket()
    socket.say({ type: "subscribe", ref: "waits", collections: ["pools"], since: ahead })
    socket.say({ type: "subscribe", ref: "last", collections: ["types"] })
    const other = await market.socket()
    other.say({ type: "subscribe", ref: "waits", collections: ["pools"], since: ahead })
    other.say({ type: "unsubscribe", ref: "last" })
    const onUrl = await market.socket(`collections=pools&since=${ahead}`)
    onUrl.say({ type: "subscribe", ref: "last", collections: ["types"] })
    await sleep(2_300)
    await market.commit("pools", rows.slice(2))
    await sleep(50)
    assert.deepStrictEqual([...socket.rows.keys()], ["types"], "after another subscribe")
    assert.deepStrictEqual([...other.rows.keys()], [], "after an unsubscribe")
    assert.deepStrictEqual([...onUrl.rows.keys()], ["types"], "after the query on the URL")
    assert.strictEqual(await market.readers(), 2)
  })

  it("ping is answered by pong", async () => {
    const socket = await market.socket()
    socket.say({ type: "ping" })
    await until("a pong", () => socket.messages.length === 1)
    assert.deepStrictEqual(socket.messages[0], { type: "pong" } as object)
  })

  it("shows when a message is of the wrong subscription, or an ack comes too late", () => {
    const ack = { type: "ack", ref: "s0" }
    assert.deepStrictEqual(misplaced([of("types"), ack, of("pools"), of("pools", "change")], "types"), [])
    assert.lengthOf(misplaced([of("types"), of("pools"), ack], "types"), 1)
    assert.lengthOf(misplaced([ack, of("types", "change"), of("pools")], "types"), 2)
  })
})
