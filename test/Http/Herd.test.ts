/** Thousands of streams over real sockets that come back after a restart, each with the cursor it had. */
import { readFileSync } from "node:fs"
import * as net from "node:net"

import { assert, describe, it } from "@effect/vitest"

import { Audience } from "../../src/Hub/Audience.ts"
import { Disk, layerMemory } from "../../src/Hub/Journal/Memory.ts"
import { Client, EventParser } from "../Clients.ts"
import { alone, heldRows, type Market, numbers, pool, sleep } from "./Market.ts"

/** Both ends of each connection are in this process. */
const files = Number(/^Max open files +(\d+)/m.exec(limits())?.[1] ?? 1_024)
const clients = Math.min(4_000, Math.floor((files - 1_000) / 2))
const cursors = 100
const steps = numbers(cursors)
const query = "collections=pools"
/** A wait is a tenth of what it is in earnest. */
const haste = 10

function limits(): string {
  try {
    return readFileSync("/proc/self/limits", "utf8")
  } catch {
    return ""
  }
}

const rowsAt = (step: number) =>
  numbers(20).map((i) => pool(`p${i}`, { rate: String(Math.floor((step + 20 - i) / 20)) }))

/** A stream at the level of bytes, so that most of the work is the server's. */
class Visitor extends Client {
  retry = 0
  private socket: net.Socket | undefined

  /** Until its first message. */
  come({ port }: Market): Promise<void> {
    this.messages.length = 0
    const socket = net.connect({ port, host: "127.0.0.1" })
    this.socket = socket
    const id = this.cursor === undefined ? "" : `last-event-id: ${this.cursor}\r\n`
    socket.write(`GET /v1/stream?${query} HTTP/1.0\r\nhost: here\r\n${id}\r\n`)
    return new Promise((done, fail) => {
      const parser = new EventParser(({ data }) => {
        this.take(data)
        this.retry = parser.retry!
        done()
      })
      let head = ""
      const onHead = (bytes: Buffer) => {
        head += bytes.toString("latin1")
        const end = head.indexOf("\r\n\r\n") + 4
        if (end === 3) return
        socket.off("data", onHead)
        socket.on("data", (more) => parser.feed(more))
        parser.feed(Buffer.from(head.slice(end), "latin1"))
      }
      socket.on("data", onHead)
      socket.on("error", fail)
    })
  }

  leave(): void {
    this.socket?.destroy()
  }
}

/** The changes that are computed, by where they start. */
const watchChanges = () => {
  const methods = Audience.prototype as unknown as { makeChange: Function }
  const { makeChange } = methods
  const made: Array<string> = []
  methods.makeChange = function (this: { readonly madeAt: number }, place: { readonly sent: number }) {
    made.push(`${this.madeAt} ${place.sent}`)
    return makeChange.call(this, place)
  }
  return { made, undo: () => Object.assign(methods, { makeChange }) }
}

describe.skipIf(clients < 2_000)(`${clients} streams that come back after a restart`, () => {
  it("are spread by retry, and told from one frame for each distinct cursor", { timeout: 120_000 }, () =>
    alone(rowsAt(0), { journal: layerMemory(new Disk()) }, async (market) => {
      const herd: Array<Visitor> = []
      for (const step of steps) {
        await market.commit("pools", rowsAt(step + 1))
        const group = numbers(clients / cursors).map(() => new Visitor())
        await Promise.all(group.map((client) => client.come(market)))
        // They stay at this cursor: the next change does not reach them any more.
        for (const client of group) client.leave()
        herd.push(...group)
      }
      const distinct = new Set(herd.map(({ cursor }) => cursor)).size
      assert.closeTo(distinct, cursors, 10)
      const waits = herd.map(({ retry }) => retry).toSorted((a, b) => a - b)
      assert.isAtLeast(waits[0]!, 1_000)
      assert.isAtMost(waits.at(-1)!, 5_000)
      for (const quarter of [1, 2, 3])
        assert.closeTo(waits[(quarter * waits.length) / 4]!, 1_000 + quarter * 1_000, 150)

      await market.restart()
      const { made, undo } = watchChanges()
      await Promise.all(
        herd.map(async (client) => {
          await sleep(client.retry / haste)
          await client.come(market)
        })
      ).finally(undo)
      assert.strictEqual(new Set(made).size, made.length, "none was computed twice")
      assert.isAtMost(made.length, distinct)
      assert.strictEqual(await market.readers(), herd.length)
      const now = await market.poll(query)
      for (const client of herd) {
        assert.deepStrictEqual(client.types, ["change"])
        assert.strictEqual(client.refused, 0)
      }
      const held = new Set(herd.map((client) => JSON.stringify([...heldRows(client, "pools")])))
      assert.deepStrictEqual([...held], [JSON.stringify([...heldRows(now, "pools")])])
      for (const client of herd) client.leave()
      await market.isLeft(20_000)
    })
  )
})
