import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { EventEmitter, once } from "node:events"
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs"
import { connect, createServer, type Server, type Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import { setTimeout } from "node:timers/promises"
import { TLSSocket } from "node:tls"

import { afterEach, beforeEach, describe, expect, test } from "vitest"

import { descriptorOf, noDescriptor, writeNow } from "../../src/Http/Descriptor.ts"
import { Outlet } from "../../src/Http/Outlet.ts"
import type { Encoded } from "../../src/Hub.ts"

const frame = (...buffers: ReadonlyArray<Buffer>): Encoded => ({
  buffers,
  bytes: buffers.reduce((sum, { length }) => sum + length, 0),
  crc: 0,
  length: 0,
  shift: 0
})

/** Takes nothing until it is told to; then tells what it was sent but for the filling. */
const readsOnceTold = `
  const socket = require("net").connect(Number(process.argv[1]), "127.0.0.1").pause()
  process.stdin.once("data", () => {
    let got = ""
    socket.setEncoding("latin1").on("data", (text) => (got += text.replaceAll("-", "")))
    socket.on("end", () => process.stdout.write(got, () => process.exit())).resume()
  })
`

let server: Server
let here: Socket
let there: Socket

beforeEach(async () => {
  server = createServer()
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const accepted = once(server, "connection")
  there = connect((server.address() as { readonly port: number }).port, "127.0.0.1")
  here = ((await accepted) as [Socket])[0]
  here.on("error", () => {})
  there.on("error", () => {})
})

afterEach(() => {
  here.destroy()
  there.destroy()
  server.close()
})

/** An outlet over `here`, and how many bytes went through Node's stream. */
const outletOf = (onDrained: () => void = () => {}) => {
  const through = { bytes: 0 }
  const write = here.write.bind(here) as (buffer: Buffer, taken?: () => void) => boolean
  here.write = ((buffer: Buffer, taken?: () => void) => {
    through.bytes += buffer.length
    return write(buffer, taken)
  }) as Socket["write"]
  return { outlet: new Outlet(here, { drained: onDrained, progressed: () => {} }), through }
}

describe("a frame", () => {
  test("goes past the stream once nothing is on its way there", async () => {
    const { outlet, through } = outletOf()
    const bytes = Buffer.from("frame")
    here.cork()
    here.write("head;")
    expect(outlet.write(frame(bytes))).toBe(true)
    expect(through.bytes).toBe(10)
    here.uncork()
    for (let i = 0; i < 100; i++) expect(outlet.write(frame(bytes))).toBe(true)
    expect(through.bytes).toBe(10)
    there.setEncoding("latin1")
    let got = ""
    for await (const text of there) if ((got += text as string).length === 510) break
    expect(got).toBe(`head;${"frame".repeat(101)}`)
  })

  test("that is not taken is the only one that waits", async () => {
    const { outlet } = outletOf()
    there.pause()
    for (;;) {
      while (outlet.write(frame(Buffer.alloc(500, "x"))));
      if (here.writableLength > 0) break
      // The kernel had made room in between.
      await new Promise(setImmediate)
    }
    expect(outlet.isFree).toBe(false)
    expect(here.writableLength).toBeGreaterThan(0)
    expect(here.writableLength).toBeLessThanOrEqual(500)
  })

  // The reader is a process of its own: within this one it could take nothing between two writes.
  for (const [what, isFrame] of [
    ["a frame that was taken in part", true],
    ["bytes of its own", false]
  ] as const)
    test(`does not overtake ${what}, though the kernel has room again`, async () => {
      const accepted = once(server, "connection")
      const { port } = server.address() as { readonly port: number }
      const reader = spawn(process.execPath, ["-e", readsOnceTold, String(port)], {
        stdio: ["pipe", "pipe", "inherit"]
      })
      here.destroy()
      here = ((await accepted) as [Socket])[0]
      const { outlet } = outletOf()
      for (let taken = 1; taken > 0;) taken = writeNow(here, descriptorOf(here), Buffer.alloc(4_096, "-"))
      const first = Buffer.alloc(1_000, "A")
      if (isFrame) outlet.write(frame(first))
      else outlet.writeOwn(first)
      expect(here.writableLength).toBeGreaterThan(0)
      reader.stdin.write("read\n")
      // The reader empties the kernel's buffer while this process knows nothing of it.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
      outlet.write(frame(Buffer.alloc(1_000, "B")))
      here.end()
      let got = ""
      for await (const text of reader.stdout.setEncoding("latin1")) got += text as string
      expect(got).toBe(`${"A".repeat(1_000)}${"B".repeat(1_000)}`)
    })

  test("of many buffers tells that some of it is taken, and once that all of it is", async () => {
    let progressed = 0
    let drained = 0
    const all = new EventEmitter()
    const outlet = new Outlet(here, {
      progressed: () => progressed++,
      drained: () => {
        drained++
        all.emit("taken")
      }
    })
    const taken = once(all, "taken")
    const pieces = Array.from({ length: 400 }, (_, i) => Buffer.alloc(65_536, i))
    expect(outlet.write(frame(...pieces))).toBe(false)
    expect(outlet.isBusy).toBe(true)
    const got = createHash("sha256")
    there.on("data", (bytes: Buffer) => got.update(bytes))
    await taken
    expect(progressed).toBeGreaterThan(1)
    expect(drained).toBe(1)
    here.end()
    await once(there, "end")
    expect(got.digest("hex")).toBe(createHash("sha256").update(Buffer.concat(pieces)).digest("hex"))
  })

  test("that is being taken when the outlet is closed tells nobody any more", async () => {
    let drained = 0
    const { outlet } = outletOf(() => drained++)
    there.pause()
    while (outlet.write(frame(Buffer.alloc(500))));
    outlet.close()
    there.resume()
    here.end()
    await once(there, "end")
    expect(drained).toBe(0)
  })

  test("through the stream leaves no listener behind once it is taken", async () => {
    const all = new EventEmitter()
    const { outlet } = outletOf(() => all.emit("taken"))
    const taken = once(all, "taken")
    here.cork()
    here.write("head;")
    expect(outlet.write(frame(Buffer.alloc(200_000)))).toBe(false)
    expect(here.listenerCount("drain")).toBe(1)
    here.uncork()
    there.resume()
    await taken
    expect(outlet.isFree).toBe(true)
    expect(here.listenerCount("drain")).toBe(0)
  })

  test("arrives whole and in order where the reader stalls and goes on, again and again", async () => {
    const taken = new EventEmitter()
    const { outlet, through } = outletOf(() => taken.emit("all"))
    const sent = createHash("sha256")
    const got = createHash("sha256")
    let total = 0
    let seed = 1
    there.on("data", (bytes: Buffer) => got.update(bytes))
    for (let round = 0; round < 20; round++) {
      there.pause()
      for (let isFree = true, i = 0; isFree; i++) {
        seed = (seed * 1103515245 + 12345) % 2 ** 31
        const one = Buffer.alloc(1 + (seed % 60_000), `${round} ${i};`)
        // Some in pieces, and some of its own between two.
        const pieces = seed % 5 === 0 ? [one.subarray(0, 1), one.subarray(1)] : [one]
        for (const piece of pieces) sent.update(piece)
        total += one.length
        isFree = outlet.write(frame(...pieces))
        if (isFree && seed % 7 === 0) {
          outlet.writeOwn(Buffer.from("own"))
          sent.update("own")
          total += 3
          isFree = outlet.isFree
        }
      }
      const all = once(taken, "all")
      there.resume()
      await all
      expect(outlet.isFree).toBe(true)
    }
    here.end()
    await once(there, "end")
    expect(got.digest("hex")).toBe(sent.digest("hex"))
    // Most went past the stream, or this shows nothing.
    expect(through.bytes).toBeLessThan(total / 2)
  })

  test("never goes to whoever got the descriptor of a connection that is closed", () => {
    const { outlet } = outletOf()
    outlet.write(frame(Buffer.from("x")))
    const descriptor = descriptorOf(here)
    expect(descriptor).toBeGreaterThan(2)
    const folder = mkdtempSync(join(tmpdir(), "ratecast-outlet-"))
    const file = join(folder, "somebody-elses")
    here.destroy()
    const opened: Array<number> = []
    try {
      // The lowest that is free is given next.
      while (!opened.includes(descriptor) && opened.length < 200) opened.push(openSync(file, "a"))
      expect(opened).toContain(descriptor)
      outlet.write(frame(Buffer.from("a row")))
      expect(fstatSync(descriptor).size).toBe(0)
      // Without looking whether the connection is closed it would be there.
      writeNow(there, descriptor, Buffer.from("a row"))
      expect(readFileSync(file, "utf8")).toBe("a row")
    } finally {
      for (const each of opened) closeSync(each)
      rmSync(folder, { recursive: true })
    }
  })

  test("to a connection that the client has reset is that connection's trouble alone", async () => {
    const { outlet } = outletOf()
    const closed = new Promise((resolve) => here.once("close", resolve))
    there.resetAndDestroy()
    for (let i = 0; i < 100; i++) {
      outlet.write(frame(Buffer.from("nobody")))
      await setTimeout(1)
      if (here.destroyed) break
    }
    await closed
    expect(here.destroyed).toBe(true)
  })
})

describe("the descriptor", () => {
  test("is there on this Node, for a TCP connection", () => {
    expect(descriptorOf(here)).toBeGreaterThan(2)
  })

  test("is not used of TLS, whose bytes would go out in the clear, nor of what is no socket", () => {
    expect(descriptorOf(new TLSSocket(here))).toBe(noDescriptor)
    expect(descriptorOf(new PassThrough())).toBe(noDescriptor)
  })

  test("is not used while something is on its way through the stream", () => {
    here.cork()
    here.write("a")
    expect(descriptorOf(here)).toBe(noDescriptor)
    here.uncork()
    expect(descriptorOf(here)).toBeGreaterThan(2)
  })
})
