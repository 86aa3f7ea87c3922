/**
 * A WebSocket client at the level of frames (RFC 6455), over a bare connection: it can break every rule, and notices when
 * the server does.
 */
import { createHash, randomBytes } from "node:crypto"
import { constants, deflateRawSync, inflateRawSync } from "node:zlib"

import { Client, type Closed, type Headers, upgradeHeaders, Wire } from "./Clients.ts"
import { until } from "./Daemon.ts"
import type { Held, Message } from "./Held.ts"

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface FrameOptions {
  readonly opcode?: number
  readonly final?: boolean
  readonly masked?: boolean
  /** The first reserved bit: permessage-deflate, where that was agreed on. */
  readonly rsv1?: boolean
}

/** One frame as a client sends it. */
export const frame = (
  payload: string | Buffer,
  { final = true, masked = true, opcode = opcodes.text, rsv1 = false }: FrameOptions = {}
): Buffer => {
  const data = Buffer.from(payload)
  const head = [(final ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | opcode]
  const mask = masked ? 0x80 : 0
  if (data.length < 126) head.push(mask | data.length)
  else if (data.length < 65_536) head.push(mask | 126, data.length >> 8, data.length & 0xff)
  else {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(data.length))
    head.push(mask | 127, ...length)
  }
  if (!masked) return Buffer.concat([Buffer.from(head), data])
  const key = randomBytes(4)
  return Buffer.concat([Buffer.from(head), key, data.map((byte, i) => byte ^ key[i % 4]!)])
}

/** What a message leaves out at its end where it is compressed (RFC 7692, 7.2.1). */
const flushTail = Buffer.from([0x00, 0x00, 0xff, 0xff])

/** A message as permessage-deflate sends it. */
export const deflated = (text: string | Buffer): Buffer =>
  deflateRawSync(text, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -flushTail.length)

export const closeFrame = (code: number, reason = ""): Buffer => {
  const payload = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)])
  payload.writeUInt16BE(code)
  return frame(payload, { opcode: opcodes.close })
}

interface Received {
  readonly final: boolean
  readonly opcode: number
  readonly rsv1: boolean
  readonly payload: Buffer
}

/** The first frame of a server, where all of it is there: how long it is, and which rules it breaks. */
export const readFrame = (
  buffer: Buffer,
  mayDeflate = false
): (Received & { readonly size: number; readonly broken: ReadonlyArray<string> }) | undefined => {
  if (buffer.length < 2) return undefined
  const [first, second] = [buffer[0]!, buffer[1]!]
  const opcode = first & 0xf
  const rsv1 = (first & 0x70) === 0x40
  let length = second & 0x7f
  let at = 2
  if (length === 126) {
    if (buffer.length < 4) return undefined
    length = buffer.readUInt16BE(2)
    at = 4
  } else if (length === 127) {
    if (buffer.length < 10) return undefined
    length = Number(buffer.readBigUInt64BE(2))
    at = 10
  }
  const size = at + length
  if (buffer.length < size) return undefined
  const isReserved = (first & 0x70) !== 0 && !(rsv1 && mayDeflate && opcode === opcodes.text)
  return {
    final: (first & 0x80) !== 0,
    opcode,
    rsv1,
    payload: buffer.subarray(at, size),
    size,
    broken: [
      ...(isReserved ? ["a reserved bit is set"] : []),
      ...((second & 0x80) === 0 ? [] : ["a frame of the server is masked"])
    ]
  }
}

/** How a message came. */
export interface Shape {
  readonly isDeflated: boolean
  readonly bytes: number
  readonly fragments: number
  /** Pongs in the middle of it. */
  readonly between: number
}

export interface RawOptions {
  /** Whose rows it goes on with, from where they stand. */
  readonly from?: Held
  readonly headers?: Headers
  /** Goes out in one packet with the request. */
  readonly first?: Buffer
  /** Reads nothing behind the first packet until `unpause`. */
  readonly paused?: boolean
}

export class RawSocket extends Client {
  readonly wire: Wire
  /** The status line and headers of the answer. */
  head = ""
  /** What the server agreed on; nothing where it did not. */
  extensions = ""
  readonly shapes: Array<Shape> = []
  readonly pongs: Array<string> = []
  protocolPings = 0
  closing: Closed | undefined
  /** Every rule of RFC 6455 that the server broke. */
  readonly broken: Array<string> = []
  private buffer: Buffer = Buffer.alloc(0)
  private message: Array<Buffer> | undefined
  private isDeflated = false
  private pongsBefore = 0
  private readonly utf8 = new TextDecoder("utf-8", { fatal: true })

  private constructor(wire: Wire, from: Held | undefined) {
    super(from)
    this.wire = wire
  }

  static async open(
    port: number,
    path: string,
    { first, from, headers = {}, paused = false }: RawOptions = {}
  ): Promise<RawSocket> {
    const client = new RawSocket(await Wire.open(port), from)
    const { wire } = client
    if (paused) wire.socket.once("data", () => wire.socket.pause())
    const asked = upgradeHeaders(headers)
    wire.socket.cork()
    wire.request(`GET ${path} HTTP/1.1`, asked)
    if (first !== undefined) wire.socket.write(first)
    wire.socket.uncork()
    await until("an answer to the upgrade", () => wire.text.includes("\r\n\r\n") || wire.isClosed)
    const end = wire.bytes.indexOf("\r\n\r\n") + 4
    client.head = wire.text.slice(0, end)
    const accept = createHash("sha1")
      .update(`${asked["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64")
    if (!client.head.startsWith("HTTP/1.1 101 ") || !client.head.includes(accept))
      throw new Error(`no upgrade: ${client.head}`)
    client.extensions = /^sec-websocket-extensions: (.*)\r$/im.exec(client.head)?.[1] ?? ""
    wire.give(client.feed, end)
    return client
  }

  send(payload: string | Buffer, options?: FrameOptions): void {
    this.wire.socket.write(frame(payload, options))
  }

  say(message: object): void {
    this.send(JSON.stringify(message))
  }

  pause(): void {
    this.wire.socket.pause()
  }

  unpause(): void {
    this.wire.socket.resume()
  }

  /** Waits for the server to end the connection; answers its close, as a client must. */
  async closed(ms?: number): Promise<Closed | undefined> {
    await until("the server ends the connection", () => this.closing !== undefined || this.wire.isClosed, ms)
    return this.closing
  }

  async answer(ref: string): Promise<Message> {
    await until(`an answer to ${ref}`, () => this.messages.some((message) => message["ref"] === ref))
    return this.messages.find((message) => message["ref"] === ref)!
  }

  /** Leaves without a word. */
  vanish(): void {
    this.wire.socket.destroy()
  }

  private breaks(rule: string): void {
    // One that is broken breaks all that follow.
    if (this.broken.length < 8) this.broken.push(rule)
  }

  private readonly feed = (bytes: Buffer): void => {
    this.buffer = this.buffer.length === 0 ? bytes : Buffer.concat([this.buffer, bytes])
    for (let next = this.next(); next !== undefined; next = this.next()) this.handle(next)
  }

  private next(): Received | undefined {
    const found = readFrame(this.buffer, this.extensions !== "")
    if (found === undefined) return undefined
    for (const rule of found.broken) this.breaks(rule)
    this.buffer = this.buffer.subarray(found.size)
    return found
  }

  private handle({ final, opcode, payload, rsv1 }: Received): void {
    if (this.closing !== undefined) this.breaks("a frame after the close")
    if (opcode >= 8 && (!final || payload.length > 125)) this.breaks("a control frame that is none")
    switch (opcode) {
      case opcodes.text:
      case opcodes.continuation: {
        if ((opcode === opcodes.text) !== (this.message === undefined))
          this.breaks(`opcode ${opcode} ${opcode === opcodes.text ? "inside of" : "outside of"} a message`)
        if (opcode === opcodes.text) {
          this.isDeflated = rsv1
          this.pongsBefore = this.pongs.length
        }
        this.message = opcode === opcodes.text ? [payload] : [...(this.message ?? []), payload]
        if (!final) return
        const whole = Buffer.concat(this.message)
        this.shapes.push({
          isDeflated: this.isDeflated,
          bytes: whole.length,
          fragments: this.message.length,
          between: this.pongs.length - this.pongsBefore
        })
        this.message = undefined
        this.textual(this.isDeflated ? this.inflated(whole) : whole)
        return
      }
      case opcodes.ping:
        this.protocolPings++
        return this.send(payload, { opcode: opcodes.pong })
      case opcodes.pong:
        this.pongs.push(payload.toString())
        return
      case opcodes.close:
        this.closing =
          payload.length < 2
            ? { code: 1005, reason: "" }
            : { code: payload.readUInt16BE(0), reason: this.utf8.decode(payload.subarray(2)) }
        this.send(payload, { opcode: opcodes.close })
        return
      default:
        this.breaks(`opcode ${opcode}`)
    }
  }

  /** By itself, without what came before it. */
  private inflated(whole: Buffer): Buffer {
    try {
      return inflateRawSync(Buffer.concat([whole, flushTail]), { finishFlush: constants.Z_SYNC_FLUSH })
    } catch (thrown) {
      this.breaks(`a compressed message of ${whole.length} bytes: ${String(thrown)}`)
      return whole
    }
  }

  private textual(whole: Buffer): void {
    try {
      this.take(this.utf8.decode(whole))
    } catch (thrown) {
      this.breaks(`a message of ${whole.length} bytes: ${String(thrown)}`)
    }
  }
}
