/**
 * What attackers do, each from addresses of its own and in a process of its own: opens so many connections as fast as it
 * can, misuses them, and tells how many of them the daemon has ended, and when the last.
 */
import * as net from "node:net"

import { upgradeHeaders } from "../Clients.ts"
import { deflated, frame } from "../Frames.ts"

export interface Outcome {
  readonly opened: number
  readonly closed: number
  /** The longest life of one that was closed, s. */
  readonly longest: number
  /** What was answered first, by its first line, and how often. */
  readonly answers: { readonly [line: string]: number }
}

type Every = (ms: number, run: () => void) => void

interface Attack {
  readonly what: string
  /** How many, at full size. */
  readonly count: number
  /** From how many addresses. */
  readonly addresses: number
  /** How long it is waited for the daemon to end them, s. */
  readonly within: number
  readonly misuse: (socket: net.Socket, every: Every) => void
  /** Whether those that are closed by the figure are all that were opened. */
  readonly allClosed: boolean
}

const get = (path: string, headers: { readonly [name: string]: string } = {}): string =>
  `GET ${path} HTTP/1.1\r\nhost: x\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("")}\r\n`

const ping = frame('{"type":"ping"}')
const flood = Buffer.concat(Array.from({ length: 500 }, () => ping))
const bomb = () => frame(deflated(Buffer.alloc(63 * 1024 * 1024, "x")), { rsv1: true })
let packet: Buffer | undefined

/** Reads nothing but the first packet; an empty line now and then (RFC 9112, 2.2) shows whether anybody is there. */
const deaf = (socket: net.Socket, every: Every): void => {
  socket.once("data", () => socket.pause())
  every(1_000, () => socket.write("\r\n"))
}

export const attacks: { readonly [name: string]: Attack } = {
  silent: {
    what: "connections that say nothing",
    count: 10_000,
    addresses: 1,
    within: 12,
    allClosed: true,
    misuse: () => {}
  },
  streams: {
    what: "streams of one address",
    count: 10_000,
    addresses: 1,
    within: 12,
    // A hundred may stay, and those that were sent away may ask something else.
    allClosed: false,
    misuse: (socket) => void socket.write(get("/v1/stream?collections=ticks", { connection: "close" }))
  },
  heads: {
    what: "slow heads",
    count: 4_000,
    addresses: 8,
    within: 12,
    allClosed: true,
    misuse: (socket, every) => {
      socket.write("GET /v1/snapshot HTTP/1.1\r\n")
      every(1_000, () => socket.write("a: b\r\n"))
    }
  },
  bodies: {
    what: "slow bodies",
    count: 4_000,
    addresses: 8,
    within: 14,
    allClosed: true,
    misuse: (socket, every) => {
      socket.write(
        "PUT /v1/rows/chat/a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"
      )
      every(1_000, () => socket.write(" "))
    }
  },
  messages: {
    what: "slow messages of WebSockets",
    count: 800,
    addresses: 8,
    within: 12,
    allClosed: true,
    misuse: (socket, every) => {
      const message = frame("x".repeat(1_000))
      socket.write(get("/v1/socket", upgradeHeaders()))
      socket.write(message.subarray(0, 20))
      every(1_000, () => socket.write("x"))
    }
  },
  reads: {
    what: "snapshots of 24 MB that nobody reads",
    count: 400,
    addresses: 4,
    within: 75,
    allClosed: true,
    misuse: (socket, every) => {
      deaf(socket, every)
      socket.write(get("/v1/snapshot?collections=wide"))
    }
  },
  flood: {
    what: "sockets that send as fast as they can",
    count: 100,
    addresses: 1,
    within: 5,
    allClosed: true,
    misuse: (socket, every) => {
      socket.write(get("/v1/socket?collections=ticks", upgradeHeaders()))
      every(1, () => {
        if (socket.writableLength < 1_000_000) socket.write(flood)
      })
    }
  },
  bombs: {
    what: "bombs in permessage-deflate, 64 KiB each for 63 MiB",
    count: 100,
    addresses: 1,
    within: 5,
    allClosed: true,
    misuse: (socket) => {
      packet ??= bomb()
      const asked = upgradeHeaders({ "sec-websocket-extensions": "permessage-deflate" })
      socket.write(get("/v1/socket?collections=ticks", asked))
      socket.once("data", () => socket.write(packet!))
    }
  },
  headers: {
    what: "requests with 1 MiB of headers",
    count: 10_000,
    addresses: 20,
    within: 30,
    allClosed: true,
    misuse: (socket) => {
      socket.write("GET /v1/snapshot HTTP/1.1\r\nhost: x\r\n")
      for (let i = 0; i < 16; i++) socket.write(`a${i}: ${"x".repeat(65_000)}\r\n`)
    }
  },
  refreshes: {
    what: "refreshes of one collection",
    count: 10_000,
    addresses: 20,
    within: 30,
    allClosed: true,
    misuse: (socket) =>
      void socket.write(
        "POST /v1/refresh/ticks HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
      )
  }
}

/** Connections that are being opened at once: more, and the attacker waits for itself. */
const atOnce = 500

export const attack = async (name: string, port: number, count: number): Promise<Outcome> => {
  const { addresses, misuse, within } = attacks[name]!
  const answers: { [line: string]: number } = {}
  const timers: Array<NodeJS.Timeout> = []
  const sockets = new Set<net.Socket>()
  let [opened, closed, longest] = [0, 0, 0]
  const open = (i: number): Promise<void> =>
    new Promise((done) => {
      const socket = net.connect({ port, host: "127.0.0.1", localAddress: `127.0.1.${1 + (i % addresses)}` })
      sockets.add(socket)
      const mine: Array<NodeJS.Timeout> = []
      const openedAt = performance.now()
      socket.once("connect", () => {
        opened++
        misuse(socket, (ms, run) => {
          const timer = setInterval(run, ms)
          mine.push(timer)
          timers.push(timer)
        })
        done()
      })
      socket.once("data", (bytes: Buffer) => {
        const line = /^HTTP\/1\.1 \d+/.exec(bytes.toString("latin1", 0, 20))?.[0] ?? "something else"
        answers[line] = (answers[line] ?? 0) + 1
      })
      socket.on("data", () => {})
      socket.on("error", () => {})
      socket.once("close", () => {
        for (const timer of mine) clearInterval(timer)
        sockets.delete(socket)
        closed++
        longest = Math.max(longest, (performance.now() - openedAt) / 1_000)
        done()
      })
    })
  for (let i = 0; i < count; i += atOnce)
    await Promise.all(Array.from({ length: Math.min(atOnce, count - i) }, (_, j) => open(i + j)))
  const last = performance.now()
  while (sockets.size > 0 && performance.now() - last < within * 1_000)
    await new Promise((done) => setTimeout(done, 50))
  const outcome = { opened, closed, longest, answers }
  for (const timer of timers) clearInterval(timer)
  for (const socket of sockets) socket.destroy()
  return outcome
}
