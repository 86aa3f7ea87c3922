/**
 * Reads the bytes of one connection however they are cut, by the standards (RFC 9112, 7.1; RFC 6455, 5.2; WHATWG HTML 9.2)
 * and without the server's code: half a message is none.
 */
import { constants, inflateRawSync } from "node:zlib"

import { EventParser } from "../Clients.ts"
import { readFrame } from "../Frames.ts"
import { Violation } from "../Hub/World.ts"

export type Encoding = "text" | "events" | "chunks" | "socket" | "gzipEvents" | "gzipChunks"

/** A whole message; of an event, its type and id. */
export type Take = (text: string, event?: { readonly type: string; readonly lastEventId: string }) => void

export interface Wire {
  readonly feed: (bytes: Buffer) => void
  /** What was fed so far ends with the end of a frame. */
  readonly frameEnds: () => void
}

type Feed = Wire["feed"]

const chunked = (onData: Feed): Feed => {
  let head = ""
  /** Of a chunk and the line end behind it. */
  let left = 0
  return (bytes) => {
    for (let at = 0; at < bytes.length;) {
      if (left === 0) {
        head += String.fromCharCode(bytes[at++]!)
        if (!head.endsWith("\r\n")) continue
        if (!/^[1-9a-f][0-9a-f]*\r\n$/.test(head)) throw new Violation(`a chunk begins with "${head}"`)
        left = parseInt(head, 16) + 2
        head = ""
      } else {
        const data = bytes.subarray(at, at + Math.max(0, left - 2))
        if (data.length > 0) onData(data)
        at += data.length
        left -= data.length
        for (; left > 0 && left <= 2 && at < bytes.length; at++)
          if (bytes[at] !== "\r\n".charCodeAt(2 - left--)) throw new Violation("a chunk ends elsewhere")
      }
    }
  }
}

const framed = (onText: (text: string) => void): Feed => {
  const utf8 = new TextDecoder("utf-8", { fatal: true })
  let rest: Buffer = Buffer.alloc(0)
  let message: Array<Buffer> | undefined
  return (bytes) => {
    rest = Buffer.concat([rest, bytes])
    for (let frame = readFrame(rest); frame !== undefined; frame = readFrame(rest)) {
      if (frame.broken.length > 0) throw new Violation(frame.broken.join())
      if (frame.opcode !== (message === undefined ? 1 : 0)) throw new Violation(`opcode ${frame.opcode}`)
      rest = rest.subarray(frame.size)
      message = [...(message ?? []), frame.payload]
      if (!frame.final) continue
      const text = utf8.decode(Buffer.concat(message))
      message = undefined
      onText(text)
    }
  }
}

const gzipHead = 10

/** A frame was compressed for everybody, so it looks at nothing before itself, and ends where the next may begin. */
const inflated = (onData: Feed): Wire => {
  let skip = gzipHead
  let rest: Buffer = Buffer.alloc(0)
  let told = 0
  return {
    feed: (bytes) => {
      const more = bytes.subarray(skip)
      skip = Math.max(0, skip - bytes.length)
      if (more.length === 0) return
      rest = Buffer.concat([rest, more])
      const text = inflateRawSync(rest, { finishFlush: constants.Z_SYNC_FLUSH })
      if (text.length > told) onData(text.subarray(told))
      told = text.length
    },
    frameEnds: () => {
      rest = Buffer.alloc(0)
      told = 0
    }
  }
}

const plain = (feed: Feed): Wire => ({ feed, frameEnds: () => {} })

export const wireOf = (encoding: Encoding, take: Take): Wire => {
  const parser = new EventParser(({ data, lastEventId, type }) => take(data, { type, lastEventId }))
  const events: Feed = (bytes) => parser.feed(bytes)
  switch (encoding) {
    case "text":
      return plain((bytes) => take(bytes.toString()))
    case "events":
      return plain(events)
    case "chunks":
      return plain(chunked(events))
    case "socket":
      return plain(framed(take))
    case "gzipEvents":
      return inflated(events)
    case "gzipChunks": {
      const { feed, frameEnds } = inflated(events)
      return { feed: chunked(feed), frameEnds }
    }
  }
}
