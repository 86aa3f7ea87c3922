/** A stream's connection leaves node:http, by Node's internals: here it shows where a version of Node has others. */
import { Agent } from "node:http"
import type { Duplex } from "node:stream"

import { assert, describe, it } from "@effect/vitest"

import type { Reader } from "../../src/Hub.ts"
import { Register } from "../../src/Hub/Register.ts"
import { until } from "../Daemon.ts"
import { frame } from "../Frames.ts"
import { alone, inTurn, type Market, numbers, pool, sleep } from "./Market.ts"

const rows = [pool("a")]
const line = "GET /v1/stream?collections=pools HTTP/1.1"
const http = process.getBuiltinModule("node:_http_common" as "node:http") as unknown as {
  freeParser: unknown
}

/** What is done with `node:http` while something runs. */
const watching = async (replace: (real: Function) => unknown, run: () => Promise<unknown>): Promise<void> => {
  const real = http.freeParser as Function
  http.freeParser = replace(real)
  try {
    await run()
  } finally {
    http.freeParser = real
  }
}

const countingLeaves = async (run: () => Promise<unknown>): Promise<number> => {
  let left = 0
  await watching(
    (real) =>
      (...args: ReadonlyArray<unknown>) => {
        left++
        real(...args)
      },
    run
  )
  return left
}

/** The readers that come while something runs. */
const withReaders = async (run: (readers: ReadonlyArray<Reader>) => Promise<unknown>): Promise<void> => {
  const readers: Array<Reader> = []
  const { enter } = Register.prototype
  Register.prototype.enter = function (...args) {
    const reader = enter.apply(this, args)
    readers.push(reader)
    return reader
  }
  try {
    await run(readers)
  } finally {
    Register.prototype.enter = enter
  }
}

const open = async (market: Market, request = line, headers = {}) => {
  const wire = await market.wire()
  wire.request(request, headers)
  await until("a snapshot", () => wire.text.includes("event: snapshot"))
  return wire
}

describe("the connection of a stream", () => {
  it(`leaves node:http on Node ${process.version}, also behind a proxy that speaks HTTP/1.0`, () =>
    alone(rows, {}, async (market) => {
      const left = await countingLeaves(async () => {
        const wires = [
          await open(market),
          await open(market, "GET /v1/stream?collections=pools HTTP/1.0"),
          await open(market, line, { connection: "close" })
        ]
        await market.commit("pools", [pool("b")])
        for (const wire of wires) await until("a change", () => wire.text.includes("event: change"))
        assert.strictEqual(await market.readers(), 3)
        for (const wire of wires) wire.socket.destroy()
        await market.isLeft()
      })
      assert.strictEqual(left, 3)
    }))

  it("stays where the setting says so, and everything works as it does", () =>
    alone(rows, { env: { DETACH: "false" } }, (market) =>
      withReaders(async (readers) => {
        const left = await countingLeaves(async () => {
          const wire = await open(market)
          readers[0]!.sink.end("rotation")
          await until("the end", () => wire.answers[0]!.whole)
          wire.request("GET /v1/snapshot?collections=pools HTTP/1.1")
          await until("an answer", () => wire.answers[1]?.whole === true)
          wire.socket.destroy()
          await market.isLeft()
        })
        assert.strictEqual(left, 0)
      })
    ))

  it("stays where Node is another than we know, and a warning says so once", () =>
    alone(rows, {}, async (market) => {
      const warnings: Array<string | undefined> = []
      const onWarning = (warning: Error & { readonly code?: string }) => warnings.push(warning.code)
      process.on("warning", onWarning)
      await watching(
        () => undefined,
        async () => {
          const wires = await inTurn(numbers(2), () => open(market))
          await market.commit("pools", [pool("b")])
          for (const wire of wires) await until("a change", () => wire.text.includes("event: change"))
          for (const wire of wires) wire.socket.destroy()
          await market.isLeft()
        }
      )
      process.off("warning", onWarning)
      assert.deepStrictEqual(warnings, ["RATECAST_DETACH"])
    }))

  it("serves the next request when the stream has ended, sent before its end or after", () =>
    alone(rows, {}, (market) =>
      withReaders(async (readers) => {
        for (const early of [true, false]) {
          const wire = await open(market)
          const next = () => wire.request("GET /v1/snapshot?collections=pools HTTP/1.1")
          if (early) next()
          await sleep(20)
          assert.lengthOf(wire.answers, 1)
          readers.at(-1)!.sink.end("rotation")
          await until("the end", () => wire.answers[0]!.whole)
          if (!early) next()
          await until("an answer", () => wire.answers[1]?.whole === true)
          assert.include(wire.answers[1]!.body.toString(), '"snapshot"')
          wire.request(line)
          await until("a stream", () => wire.answers.length === 3)
          readers.at(-1)!.sink.end("rotation")
          await until("the end", () => wire.answers[2]!.whole)
          wire.socket.destroy()
          await market.isLeft()
        }
      })
    ))

  it("is used again by an agent after a stream that lasted", () =>
    alone(rows, {}, (market) =>
      withReaders(async (readers) => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 })
        const first = await market.stream("collections=pools", { agent })
        await until("a snapshot", () => first.messages.length > 0)
        readers.at(-1)!.sink.end("rotation")
        assert.strictEqual(await first.ended, "clean")
        const second = await market.stream("collections=pools", { agent })
        await until("a snapshot", () => second.messages.length > 0)
        readers.at(-1)!.sink.end("rotation")
        assert.strictEqual(await second.ended, "clean")
        agent.destroy()
      })
    ))

  it("ends with the stream where it was the last, by HTTP/1.0 or by connection: close", () =>
    alone(rows, {}, (market) =>
      withReaders(async (readers) => {
        for (const [request, headers] of [
          [line.replace("1.1", "1.0"), {}],
          [line, { connection: "close" }]
        ] as const) {
          const wire = await open(market, request, headers)
          readers.at(-1)!.sink.end("rotation")
          await wire.closed
          assert.include(wire.text, "event: goodbye")
          assert.strictEqual(wire.text.endsWith("\r\n0\r\n\r\n"), request === line)
        }
        await market.isLeft()
      })
    ))

  it("is ended where a client sends on and on behind its request", () =>
    alone(rows, {}, async (market) => {
      const wire = await open(market)
      wire.socket.write("GET /v1/snapshot HTTP/1.1\r\nx: ".padEnd(20 * 1024, "x"))
      await wire.closed
      await market.isLeft()
    }))
})

const connectionOf = ({ sink }: Reader) =>
  sink as unknown as {
    readonly outlet: { readonly out: Duplex }
    readonly peer: { readonly receiver?: object }
  }

describe("the connection of a WebSocket", () => {
  it("holds nothing of the request that opened it, as Effect is now", () =>
    alone(rows, {}, (market) =>
      withReaders(async (readers) => {
        const socket = await market.socket("collections=pools")
        await until("a snapshot", () => socket.messages.length > 0)
        const { out } = connectionOf(readers[0]!).outlet
        for (const [event, held] of [
          ["close", "interrupt"],
          ["error", "() => {"]
        ] as const) {
          const all = out.rawListeners(event)
          assert.isNotEmpty(all)
          assert.isEmpty(all.filter((listener) => String(listener).includes(held)))
        }
        socket.close()
        await market.isLeft()
      })
    ))

  it("has a receiver only in the middle of a message, as ws is now", () =>
    alone(rows, {}, (market) =>
      withReaders(async (readers) => {
        const socket = await market.rawSocket("collections=pools")
        await until("a snapshot", () => socket.messages.length > 0)
        const { peer } = connectionOf(readers[0]!)
        const [first, last] = [frame('{"type":', { final: false }), frame('"ping"}', { opcode: 0 })]
        const halves = [first.subarray(0, 3), first.subarray(3), last.subarray(0, 1), last.subarray(1)]
        for (const [i, bytes] of halves.entries()) {
          socket.wire.socket.write(bytes)
          await until("it is read", () => (peer.receiver !== undefined) === i < 3)
          await sleep(20)
          assert.strictEqual(peer.receiver !== undefined, i < 3)
        }
        await until("a pong", () => socket.messages.some(({ type }) => type === "pong"))
        socket.vanish()
        await market.isLeft()
      })
    ))
})
