/** A socket at the level of frames: what breaks the rules, long messages, and clients that send more than they read. */
import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { until } from "../Daemon.ts"
import { closeFrame, frame, type FrameOptions, opcodes, type RawSocket } from "../Frames.ts"
import { megabytesHeld } from "../Memory.ts"
import { alone, byId, heldRows, inTurn, Market, numbers, pool, sleep, textOf } from "./Market.ts"

let market: Market
const rows = numbers(20).map((i) => pool(`p${i}`))
/** 24 MB: more than the kernel keeps for a connection that is not read. */
const wide = numbers(80).map((i) => ({ id: `w${i}`, text: String(i % 10).repeat(300_000) }))

beforeAll(async () => {
  market = await Market.open(rows)
  await market.commit("wide", wide)
})
afterEach(() => market.leave())
afterAll(() => market.close())

const ping = JSON.stringify({ type: "ping" })
/** A message of so many bytes that would be answered by a pong. */
const padded = (bytes: number) => JSON.stringify({ type: "ping", pad: "x".repeat(bytes - 24) })

type Sent = readonly [payload: string | Buffer, options?: FrameOptions]

const opened = async (search = "collections=pools"): Promise<RawSocket> => {
  const socket = await market.rawSocket(search)
  await until("a first message", () => socket.messages.length > 0)
  return socket
}

/** One whose snapshot is on its way and stays there, because it reads nothing. */
const stuck = async (): Promise<RawSocket> => {
  // Built before, so that it is on its way at once.
  await market.snapshot("?collections=wide")
  const socket = await market.rawSocket("collections=wide", { paused: true })
  await sleep(100)
  assert.deepStrictEqual(socket.messages, [])
  return socket
}

/** A ping in so many fragments. */
const fragments = (count: number): ReadonlyArray<Sent> =>
  Array.from({ length: count }, (_, i) => [
    i === 0 ? ping : " ",
    { final: i === count - 1, ...(i === 0 ? {} : { opcode: opcodes.continuation }) }
  ])

describe("what breaks the rules is told goodbye and closed with its code", () => {
  const bad: ReadonlyArray<readonly [what: string, code: number, sent: ReadonlyArray<Sent>]> = [
    ["not JSON", 4400, [["hello"]]],
    ["nothing", 4400, [[""]]],
    ["an array", 4400, [["[]"]]],
    ["null", 4400, [["null"]]],
    ["a text", 4400, [[JSON.stringify(ping)]]],
    ["a number", 4400, [["1"]]],
    ["JSON and something after it", 4400, [[`${ping}}`]]],
    ["30,000 arrays in each other", 4400, [["[".repeat(30_000)]]],
    ["no type", 4400, [["{}"]]],
    ["an unknown type", 4400, [['{"type":"hello"}']]],
    ["a type that is an array", 4400, [['{"type":["ping"]}']]],
    ["a type of a prototype", 4400, [['{"type":"constructor"}']]],
    ["a ref that is a number", 4400, [['{"type":"subscribe","ref":1,"collections":["pools"]}']]],
    ["a ref that is null", 4400, [['{"type":"ping","ref":null}']]],
    ["a binary message", 4400, [[ping, { opcode: opcodes.binary }]]],
    ["64 KiB and one byte", 4413, [[padded(65_537)]]],
    [
      "64 KiB and one byte in two fragments",
      4413,
      [
        [padded(65_537).slice(0, 40_000), { final: false }],
        [padded(65_537).slice(40_000), { opcode: opcodes.continuation }]
      ]
    ],
    ["257 fragments", 4400, fragments(257)],
    ["invalid UTF-8", 4400, [[Buffer.from([0x22, 0xff, 0x22])]]],
    ["half of a surrogate pair in UTF-8", 4400, [[Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])]]],
    ["a frame that is not masked", 4400, [[ping, { masked: false }]]],
    ["a reserved opcode", 4400, [[ping, { opcode: 3 }]]],
    ["a reserved opcode of a control frame", 4400, [["", { opcode: 11 }]]],
    ["a reserved bit, as if compression had been agreed on", 4400, [[ping, { rsv1: true }]]],
    ["a continuation of nothing", 4400, [[ping, { opcode: opcodes.continuation }]]],
    ["a message inside of another", 4400, [["{", { final: false }], [ping]]],
    ["a ping in fragments", 4400, [["x", { opcode: opcodes.ping, final: false }]]],
    ["a ping of 126 bytes", 4400, [["x".repeat(126), { opcode: opcodes.ping }]]],
    ["a close of one byte", 4400, [["x", { opcode: opcodes.close }]]]
  ]
  for (const [what, code, sent] of bad) {
    it(`${what}: ${code}`, async () => {
      const socket = await opened()
      for (const [payload, options] of sent) socket.send(payload, options)
      // What comes after it is not heard.
      socket.send(ping)
      const name = code === 4413 ? "too_large" : "bad_message"
      assert.deepStrictEqual(await socket.closed(1_000), { code, reason: name })
      await until("the connection ends", () => socket.wire.isClosed)
      assert.deepStrictEqual(socket.types, ["snapshot", "goodbye"])
      assert.strictEqual(socket.goodbye!.code, name)
      assert.deepStrictEqual(socket.broken, [])
    })
  }

  it("what does not break them is answered: 64 KiB, fragments with a ping between them", async () => {
    const socket = await opened()
    socket.send(padded(65_536))
    socket.send('{"type":', { final: false })
    socket.send("between", { opcode: opcodes.ping })
    socket.send('"ping"', { opcode: opcodes.continuation, final: false })
    socket.send("}", { opcode: opcodes.continuation })
    for (const byte of frame(ping)) socket.wire.socket.write(Buffer.from([byte]))
    for (const [payload, options] of fragments(256)) socket.send(payload, options)
    await until("four pongs", () => socket.messages.length === 5)
    assert.deepStrictEqual(socket.types, ["snapshot", "pong", "pong", "pong", "pong"])
    assert.deepStrictEqual(socket.pongs, ["between"])
    assert.isUndefined(socket.closing)
  })

  it("a client that closes has its own code back, and is told no goodbye", async () => {
    for (const code of [1000, 1001, 3000, 4999, 1002, 1007, 1009]) {
      const socket = await opened()
      socket.wire.socket.write(closeFrame(code, "bye"))
      assert.deepStrictEqual(await socket.closed(1_000), { code, reason: "bye" })
      assert.deepStrictEqual(socket.types, ["snapshot"])
    }
  })

  it("shows when the server breaks a rule itself: the client notices", async () => {
    const socket = await opened()
    const { broken, wire } = socket
    wire.socket.emit("data", frame("{}", { masked: false, final: false }))
    wire.socket.emit("data", frame("{}", { masked: false }))
    wire.socket.emit("data", frame("x", { masked: true, rsv1: true, opcode: 3 }))
    assert.sameMembers(
      [...new Set(broken)],
      ["opcode 1 inside of a message", "a reserved bit is set", "a frame of the server is masked", "opcode 3"]
    )
  })
})

describe("a long snapshot", () => {
  it("arrives whole, and pings and acks between", async () => {
    const socket = await stuck()
    for (const i of numbers(5)) {
      socket.send(`p${i}`, { opcode: opcodes.ping })
      socket.say({ type: "ping" })
    }
    await sleep(50)
    socket.unpause()
    await until("everything", () => socket.messages.length === 6 && socket.pongs.length === 5)
    assert.deepStrictEqual(socket.types, ["snapshot", ...numbers(5).map(() => "pong")])
    assert.deepStrictEqual(
      socket.pongs,
      numbers(5).map((i) => `p${i}`)
    )
    assert.deepStrictEqual(heldRows(socket, "wide"), textOf(byId(wide)))
    assert.deepStrictEqual(socket.broken, [])
  })

  for (const [what, collections] of [
    ["a short one", ["pools"]],
    ["a long one", ["pools", "wide"]]
  ] as const) {
    it(`is not broken into by a subscribe for ${what}`, async () => {
      // Built before, so that it follows at once.
      await market.snapshot(`?collections=${collections.join()}`)
      const socket = await stuck()
      socket.say({ type: "subscribe", ref: "s", collections })
      await sleep(100)
      socket.unpause()
      const isDone = () =>
        socket.types.includes("ack") && [...socket.rows.keys()].join() === collections.join()
      await until("ack and snapshot", () => isDone() || socket.broken.length > 0)
      assert.deepStrictEqual(socket.broken, [])
      // The old one may have been taken back, but not in the middle.
      assert.deepStrictEqual(socket.types.slice(-2), ["ack", "snapshot"])
      assert.sameMembers([...socket.rows.keys()], [...collections])
      assert.deepStrictEqual(heldRows(socket, "pools"), textOf(byId(rows)))
    })
  }

  it("is not broken into by an unsubscribe", async () => {
    const socket = await stuck()
    socket.say({ type: "unsubscribe", ref: "u" })
    await sleep(100)
    socket.unpause()
    await until("an ack", () => socket.types.at(-1) === "ack")
    assert.deepStrictEqual(socket.broken, [])
  })

  it("is not broken into by a pong, also where it begins behind what the client has not read", () =>
    alone(rows, {}, async (own) => {
      const other = { id: "other", text: "o".repeat(300_000) }
      const bump = (i: number) =>
        own.commit("wide", [other, { id: "x", text: String(i % 10).repeat(200_000) }])
      await bump(1)
      const socket = await own.rawSocket("collections=wide&keys=x")
      await until("a snapshot", () => socket.messages.length > 0)
      socket.pause()
      await inTurn(numbers(45), (i) => bump(i))
      socket.say({ type: "subscribe", ref: "s", collections: ["wide"] })
      await sleep(50)
      for (const i of numbers(5)) socket.send(`p${i}`, { opcode: opcodes.ping })
      await sleep(50)
      socket.unpause()
      await until("a snapshot", () => socket.pongs.length === 5 || socket.broken.length > 0)
      await until("a snapshot", () => socket.types.at(-1) === "snapshot" || socket.broken.length > 0)
      assert.deepStrictEqual(socket.broken, [])
      assert.strictEqual(heldRows(socket, "wide").size, 2)
      socket.vanish()
      await own.isLeft()
    }))

  it("a goodbye precedes the close also while one is on its way", async () => {
    const socket = await stuck()
    socket.send("no JSON")
    await sleep(50)
    socket.unpause()
    assert.deepStrictEqual(await socket.closed(), { code: 4400, reason: "bad_message" })
    assert.deepStrictEqual(socket.broken, [])
    assert.strictEqual(socket.goodbye?.code, "bad_message")
  })

  it("nothing follows the close of a client that closes meanwhile", async () => {
    const socket = await stuck()
    socket.wire.socket.write(closeFrame(1000))
    await sleep(50)
    socket.unpause()
    assert.deepStrictEqual(await socket.closed(), { code: 1000, reason: "" })
    await sleep(50)
    assert.deepStrictEqual(socket.broken, [])
  })
})

describe("a client that sends more than it reads", () => {
  it("a burst of protocol pings is answered, or ended with 4429 and a goodbye", async () => {
    const socket = await opened()
    const payloads = numbers(2_000).map(String)
    socket.wire.socket.write(
      Buffer.concat(payloads.map((payload) => frame(payload, { opcode: opcodes.ping })))
    )
    const isAnswered = () => socket.pongs.length === payloads.length
    await until("answers or an end", () => isAnswered() || socket.wire.isClosed)
    assert.deepStrictEqual(socket.pongs, payloads.slice(0, socket.pongs.length), "in order, none twice")
    assert.deepStrictEqual(socket.broken, [])
    if (isAnswered()) {
      socket.say({ type: "ping" })
      await until("it goes on", () => socket.types.at(-1) === "pong")
      assert.isUndefined(socket.closing)
    } else {
      assert.deepStrictEqual(socket.closing, { code: 4429, reason: "too_many" })
      assert.strictEqual(socket.goodbye?.code, "too_many")
    }
  })

  it("a burst of messages while a long frame is on its way: 4429", async () => {
    const socket = await stuck()
    for (const _ of numbers(200)) socket.say({ type: "ping" })
    await sleep(50)
    socket.unpause()
    assert.deepStrictEqual(await socket.closed(), { code: 4429, reason: "too_many" })
    assert.deepStrictEqual(socket.broken, [])
  })

  it("answers that nobody reads do not pile up: 4429, or nothing more is read from it", async () => {
    const socket = await opened()
    const { wire } = socket
    socket.pause()
    const message = frame(
      JSON.stringify({ type: "subscribe", ref: "r".repeat(60_000), collections: ["poolz"] })
    )
    const before = megabytesHeld()
    let taken = 0
    const flood = async (left: number): Promise<void> => {
      if (left === 0 || wire.isClosed) return
      const more = wire.socket.write(message)
      taken++
      const drained =
        more ||
        (await Promise.race([
          new Promise<boolean>((done) => wire.socket.once("drain", () => done(true))),
          sleep(1_000).then(() => false)
        ]))
      return drained ? flood(left - 1) : undefined
    }
    await flood(1_000)
    assert.isBelow(megabytesHeld() - before, 24, `MB held after ${taken} messages of 60 KB`)
    socket.vanish()
  })
})
