/** What native/load.c does, for machines without a compiler: it costs more, so look at its load in the remarks. */
import { connect, type Socket } from "node:net"
import { createInterface } from "node:readline"

const [port, total, together, stalled, counting, ready, mark, greeting] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
  string,
  string
]
const readyBytes = Buffer.from(ready)
const markBytes = counting === "blocks" ? Buffer.from([0, 0, 0xff, 0xff]) : Buffer.from(mark)
const need = markBytes.length + (counting === "stamps" ? 16 : 0)

interface Reader {
  messages: number
  bytes: number
  answered: number
  isDone: boolean
}
const readers: Array<Reader> = []
let latencies: Array<number> = []
const say = (answer: object) => process.stdout.write(`@ ${JSON.stringify(answer)}\n`)
const now = () => Number(process.hrtime.bigint() / 1000n)
const quantile = (all: ReadonlyArray<number>, share: number) =>
  all.length === 0
    ? -1
    : all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))]! / 1000

let started = 0
let done = 0
let lost = 0
const began = now()
const finish = (reader: Reader) => {
  if (reader.isDone) return
  reader.isDone = true
  done++
  if (done < Number(total)) return startSome()
  const took = readers.filter(({ answered }) => answered > 0).map(({ answered }) => answered)
  say({
    ready: took.length,
    lost,
    seconds: (now() - began) / 1e6,
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99)
  })
}

const follow = (socket: Socket, index: number, requests: ReadonlyArray<Buffer>) => {
  const reader: Reader = { messages: 0, bytes: 0, answered: 0, isDone: false }
  readers.push(reader)
  const begun = now()
  let rest = Buffer.alloc(0)
  let frames = Buffer.alloc(0)
  let isHeadOver = false
  socket.setNoDelay(true)
  socket.on("connect", () => socket.write(requests[index % requests.length]!))
  socket.on("close", () => {
    lost++
    finish(reader)
  })
  // That it broke is counted when it closes.
  socket.on("error", () => undefined)
  socket.on("data", (data: Buffer) => {
    reader.bytes += data.length
    if (isSocket) {
      frames = Buffer.concat([frames, data])
      const end = isHeadOver ? 0 : frames.indexOf("\r\n\r\n") + 4
      isHeadOver ||= end > 3
      if (isHeadOver) frames = Buffer.from(readFrames(reader, frames.subarray(end), socket))
    }
    let bytes = rest.length === 0 ? data : Buffer.concat([rest, data])
    if (reader.answered === 0) {
      const at = bytes.indexOf(readyBytes)
      if (at === -1) {
        rest = Buffer.from(bytes)
        return
      }
      reader.answered = Math.max(1, now() - begun)
      bytes = bytes.subarray(at + readyBytes.length)
      if (greeting !== "") socket.write(Buffer.from(greeting, "hex"))
      if (index < Number(stalled)) socket.pause()
      finish(reader)
    }
    if (counting !== "frames") rest = Buffer.from(countMarks(reader, bytes))
  })
}

/** A server closes the connection of whoever leaves its pings unanswered. */
const pong = Buffer.from("8a8000000000", "hex")

/** What is left of the last frame. */
const readFrames = (reader: Reader, bytes: Buffer, socket: Socket): Buffer => {
  let at = 0
  while (bytes.length - at >= 2) {
    const short = bytes[at + 1]! & 127
    const head = short === 126 ? 4 : short === 127 ? 10 : 2
    if (bytes.length - at < head) break
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    if (bytes.length - at < head + length) break
    const opcode = bytes[at]! & 15
    if (counting === "frames" && (bytes[at]! & 0x80) !== 0 && opcode < 8) reader.messages++
    if (opcode === 9) socket.write(pong)
    at += head + length
  }
  return bytes.subarray(at)
}

const countMarks = (reader: Reader, bytes: Buffer): Buffer => {
  const arrived = now()
  let from = 0
  for (let at = bytes.indexOf(markBytes); at !== -1; at = bytes.indexOf(markBytes, from)) {
    if (at + need > bytes.length) return bytes.subarray(at)
    reader.messages++
    from = at + need
    if (counting === "stamps")
      latencies.push(arrived - Number(bytes.toString("latin1", at + markBytes.length, from)))
  }
  return bytes.subarray(Math.max(from, bytes.length - need + 1))
}

let requests: Array<Buffer> = []
let isSocket = false
const startSome = () => {
  while (started < Number(total) && started - done < Number(together))
    follow(connect(Number(port), "127.0.0.1"), started++, requests)
}

/** "COUNT\n", then each request after a line with its length; what is left are commands. */
const readRequests = (): Promise<void> =>
  new Promise((resolve) => {
    let bytes = Buffer.alloc(0)
    let count = -1
    const line = () => {
      const end = bytes.indexOf("\n")
      if (end === -1) return undefined
      const number = Number(bytes.toString("latin1", 0, end))
      return { number, rest: bytes.subarray(end + 1) }
    }
    const onData = (data: Buffer) => {
      bytes = Buffer.concat([bytes, data])
      for (let next = line(); next !== undefined; next = line()) {
        if (count === -1) {
          count = next.number
          bytes = next.rest
          continue
        }
        if (next.rest.length < next.number) return
        requests.push(Buffer.from(next.rest.subarray(0, next.number)))
        bytes = next.rest.subarray(next.number)
        if (requests.length < count) continue
        process.stdin.off("data", onData)
        process.stdin.pause()
        resolve()
        return
      }
    }
    process.stdin.on("data", onData)
  })

await readRequests()
isSocket = requests[0]!.includes("Upgrade: websocket")
createInterface({ input: process.stdin })
  .on("line", (command) => {
    if (command === "reset") {
      for (const reader of readers) reader.messages = reader.bytes = 0
      latencies = []
    }
    const counts = readers.slice(Number(stalled))
    say({
      messages: counts.reduce((sum, { messages }) => sum + messages, 0),
      bytes: counts.reduce((sum, { bytes }) => sum + bytes, 0),
      least: counts.reduce((least, { messages }) => Math.min(least, messages), Infinity),
      most: counts.reduce((most, { messages }) => Math.max(most, messages), 0),
      lost,
      p50: quantile(latencies, 0.5),
      p99: quantile(latencies, 0.99),
      p999: quantile(latencies, 0.999),
      max: quantile(latencies, 1)
    })
  })
  .on("close", () => process.exit())
startSome()
