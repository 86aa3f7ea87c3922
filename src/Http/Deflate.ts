/**
 * permessage-deflate (RFC 7692): what of an offer is agreed on, and reading what the client compressed.
 *
 * No context is taken over in either direction. From the server, because each message is compressed once for everybody;
 * from the client, so that nothing is kept for it between two messages.
 */
import { constants, inflateRawSync } from "node:zlib"

import { Effect } from "effect"

export const extensionName = "permessage-deflate"

const bits = /^(?:[89]|1[0-5])$/
const quoted = /="([^",;\s\\]*)"/g

/**
 * The answer to `Sec-WebSocket-Extensions`: to the first offer that can be kept (RFC 7692, 5.1). `undefined` where there
 * is none, also where the header is none: then nothing is compressed.
 */
export const agreedOn = (offers: string | undefined): string | undefined => {
  if (offers === undefined) return undefined
  // A quoted value is a token all the same (RFC 6455, 9.1); any other quote would hide where an offer ends.
  const tokens = offers.replace(quoted, "=$1")
  if (tokens.includes('"')) return undefined
  for (const offer of tokens.split(",")) {
    const [name, ...parameters] = offer.split(";").map((part) => part.trim())
    if (name !== extensionName || !canBeKept(parameters)) continue
    const answer = [extensionName, "server_no_context_takeover", "client_no_context_takeover"]
    // It counts as declined where the answer does not repeat it (RFC 7692, 7.1.2.1).
    if (parameters.includes(wholeWindow)) answer.push(wholeWindow)
    return answer.join("; ")
  }
  return undefined
}

/** The window that everybody's blocks are compressed with; who has a smaller one could not read them. */
const wholeWindow = "server_max_window_bits=15"

const canBeKept = (parameters: ReadonlyArray<string>): boolean => {
  const names = parameters.map((parameter) => parameter.split("=", 1)[0])
  return (
    new Set(names).size === names.length &&
    parameters.every((parameter) => {
      switch (parameter) {
        case "server_no_context_takeover":
        case "client_no_context_takeover":
        case "client_max_window_bits":
        case wholeWindow:
          return true
      }
      const [name, value = "", ...more] = parameter.split("=")
      return name === "client_max_window_bits" && bits.test(value) && more.length === 0
    })
  )
}

/** What the client sent is no deflate, or too much of it. */
export class InflationFailed extends Error {
  /** 1007 or 1009 (RFC 6455, 7.4.1). */
  readonly closeCode: number

  constructor(cause: unknown) {
    super("a compressed message could not be read", { cause })
    this.closeCode = (cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE" ? 1009 : 1007
  }
}

/** What a message leaves out at its end (RFC 7692, 7.2.2). */
const flushTail = Buffer.from([0x00, 0x00, 0xff, 0xff])
const nothing = Buffer.alloc(0)

type Done = (error: InflationFailed | null, data?: Buffer) => void

/** Stands where `ws` would have its own `PerMessageDeflate`, which keeps an inflater from the first message on. */
export class Inflater {
  private readonly maxBytes: number
  private readonly fork: (effect: Effect.Effect<void>) => void
  /** Of the message that is not whole yet; `ws` bounds them. */
  private parts: Array<Buffer> | undefined

  constructor(maxBytes: number, fork: (effect: Effect.Effect<void>) => void) {
    this.maxBytes = maxBytes
    this.fork = fork
  }

  /**
   * One message in a turn of the event loop, however many come in one packet: to make an inflater costs more than all
   * else about a short message. `ws` counts on being answered later, too.
   */
  decompress(data: Buffer, isLast: boolean, done: Done): void {
    if (data.length > 0) (this.parts ??= []).push(data)
    this.fork(
      Effect.andThen(
        Effect.yieldNow,
        Effect.sync(() => {
          if (!isLast) return done(null, nothing)
          const { parts = [] } = this
          this.parts = undefined
          const inflated = inflate(Buffer.concat([...parts, flushTail]), this.maxBytes)
          if (inflated instanceof InflationFailed) done(inflated)
          else done(null, inflated)
        })
      )
    )
  }

  cleanup(): void {
    this.parts = undefined
  }
}

const inflate = (data: Buffer, maxOutputLength: number): Buffer | InflationFailed => {
  try {
    // It stops where it becomes too much, so a bomb costs no more than the largest message that is heard.
    return inflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength })
  } catch (error) {
    return new InflationFailed(error)
  }
}
