/** A socket that sends as fast as it can is told so, and is not read from any more: what it sends stays its own cost. */
import type * as net from "node:net"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { until } from "../../Daemon.ts"
import { deflated, frame, opcodes, type RawSocket } from "../../Frames.ts"
import { Market, pool } from "../Market.ts"

let market: Market
beforeAll(async () => {
  market = await Market.open([pool("a")], { env: { MESSAGES_PER_SECOND: "20" } })
})
afterAll(() => market.close())

const ping = '{"type":"ping"}'
const many = (one: Buffer): Buffer => Buffer.concat(Array.from({ length: 2_000 }, () => one))
const kinds: ReadonlyArray<readonly [what: string, packet: Buffer]> = [
  ["messages", many(frame(ping))],
  ["messages that are compressed", many(frame(deflated(ping), { rsv1: true }))],
  ["protocol pings", many(frame("x", { opcode: opcodes.ping }))],
  ["pongs that nobody asked for", many(frame("x", { opcode: opcodes.pong }))]
]

/** A few reads of 64 KiB, until the limit is met and the connection is paused; bytes. */
const most = 512 * 1024

/** The server's end of a connection. */
const serving = ({ wire: { socket } }: RawSocket): net.Socket => {
  const handles = (process as never as { _getActiveHandles: () => Array<net.Socket> })._getActiveHandles()
  return handles.find((each) => each.localPort === market.port && each.remotePort === socket.localPort)!
}

/** Sends until the connection ends, and gives how many bytes of that the server has read. */
const floods = async (client: RawSocket, packet: Buffer): Promise<number> => {
  const { socket } = client.wire
  const server = serving(client)
  const pumping = setInterval(() => {
    for (let i = 0; i < 50 && socket.writableLength < 4 * 1024 * 1024; i++) socket.write(packet)
  }, 1)
  await until("its end", () => socket.destroyed, 4_000)
  clearInterval(pumping)
  return server.bytesRead
}

describe("a flood of", () => {
  for (const [what, packet] of kinds)
    it(`${what} ends with 4429 within 3 s, and is not read; others notice nothing`, async () => {
      const reader = await market.stream("collections=pools")
      await reader.first()
      const socket = await market.rawSocket("collections=pools", {
        headers: { "sec-websocket-extensions": "permessage-deflate" }
      })
      await socket.first()
      const flooding = floods(socket, packet)
      await market.commit("pools", [pool("a", { rate: String(Math.random()) })])
      await until("a change for everybody else", () => reader.changes === 1, 1_000)
      assert.isBelow(await flooding, most)
      assert.strictEqual(socket.goodbye!.code, "too_many")
      assert.strictEqual(socket.closing?.code, 4429)
      assert.isUndefined(reader.goodbye)
      reader.close()
    })
})
