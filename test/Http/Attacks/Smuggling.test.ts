/**
 * Requests that a proxy and we might take for something else than each other (RFC 9112, 11.2): refused, and never is what
 * stands behind one heard as the next.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { until } from "../../Daemon.ts"
import { Market, pool } from "../Market.ts"

let market: Market
beforeAll(async () => {
  market = await Market.open([pool("a")])
})
afterAll(() => market.close())

const head = "POST /v1/refresh/pools HTTP/1.1\r\nhost: x\r\n"
/** Would be answered by 200 and a body with "loaded" nowhere else. */
const hidden = "GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
const chunked = `0\r\n\r\n${hidden}`

const vectors: ReadonlyArray<readonly [what: string, request: string]> = [
  ["both lengths", `${head}content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n${chunked}`],
  [
    "both lengths, the other first",
    `${head}transfer-encoding: chunked\r\ncontent-length: 6\r\n\r\n${chunked}`
  ],
  ["two lengths", `${head}content-length: 0\r\ncontent-length: 6\r\n\r\n${hidden}`],
  ["two lengths that agree", `${head}content-length: 0\r\ncontent-length: 0\r\n\r\n${hidden}`],
  ["a list of lengths", `${head}content-length: 0, 6\r\n\r\n${hidden}`],
  ["a length with a sign", `${head}content-length: +0\r\n\r\n${hidden}`],
  ["a negative length", `${head}content-length: -1\r\n\r\n${hidden}`],
  ["a length in hex", `${head}content-length: 0x0\r\n\r\n${hidden}`],
  ["a length with a space in it", `${head}content-length: 0 0\r\n\r\n${hidden}`],
  ["a length that is none", `${head}content-length: x\r\n\r\n${hidden}`],
  ["a length that no number holds", `${head}content-length: 99999999999999999999\r\n\r\n${hidden}`],
  ["an empty length", `${head}content-length:\r\n\r\n${hidden}`],
  ["a space before the colon", `${head}content-length : 0\r\n\r\n${hidden}`],
  ["a tab before the colon", `${head}transfer-encoding\t: chunked\r\n\r\n${chunked}`],
  ["chunked before another", `${head}transfer-encoding: chunked, identity\r\n\r\n${chunked}`],
  ["chunked twice", `${head}transfer-encoding: chunked, chunked\r\n\r\n${chunked}`],
  ["chunked in two headers", `${head}transfer-encoding: chunked\r\ntransfer-encoding: x\r\n\r\n${chunked}`],
  ["an encoding that is almost chunked", `${head}transfer-encoding: xchunked\r\n\r\n${chunked}`],
  ["an encoding in quotes", `${head}transfer-encoding: "chunked"\r\n\r\n${chunked}`],
  ["an encoding behind a vertical tab", `${head}transfer-encoding: \x0bchunked\r\n\r\n${chunked}`],
  ["an encoding behind a NUL", `${head}transfer-encoding: \0chunked\r\n\r\n${chunked}`],
  [
    "an encoding of HTTP/1.0",
    `POST /v1/refresh/pools HTTP/1.0\r\ntransfer-encoding: xchunked\r\n\r\n${chunked}`
  ],
  ["a header in two lines", `${head}x: a\r\n content-length: 6\r\n\r\n${hidden}`],
  ["a header without a name", `${head}: x\r\n\r\n${hidden}`],
  ["a header without a colon", `${head}content-length\r\n\r\n${hidden}`],
  ["a name with a NUL", `${head}a\0b: x\r\n\r\n${hidden}`],
  ["a name with a space", `${head}a b: x\r\n\r\n${hidden}`],
  ["a value with a CR", `${head}x: a\rcontent-length: 6\r\n\r\n${hidden}`],
  ["a value with a NUL", `${head}x: a\0b\r\n\r\n${hidden}`],
  ["lines that end with CR alone", `POST /v1/refresh/pools HTTP/1.1\rhost: x\r\r${hidden}`],
  ["a space before the method", ` ${head}\r\n${hidden}`],
  ["a method with a NUL", `PO\0ST /livez HTTP/1.1\r\nhost: x\r\n\r\n${hidden}`],
  ["a target with a space", `GET /livez x HTTP/1.1\r\nhost: x\r\n\r\n${hidden}`],
  ["a target with a NUL", `GET /livez\0 HTTP/1.1\r\nhost: x\r\n\r\n${hidden}`],
  ["no target", `GET HTTP/1.1\r\nhost: x\r\n\r\n${hidden}`],
  ["HTTP/1.2", `GET /livez HTTP/1.2\r\nhost: x\r\n\r\n${hidden}`],
  ["no host", `GET /livez HTTP/1.1\r\n\r\n${hidden}`],
  ["the preface of HTTP/2", `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${hidden}`],
  ["a chunk that is no number", `${head}transfer-encoding: chunked\r\n\r\nx\r\n\r\n${hidden}`],
  ["a chunk with a sign", `${head}transfer-encoding: chunked\r\n\r\n+1\r\nx\r\n${chunked}`],
  ["a chunk in hex with its prefix", `${head}transfer-encoding: chunked\r\n\r\n0x1\r\nx\r\n${chunked}`],
  ["a chunk longer than it says", `${head}transfer-encoding: chunked\r\n\r\n1\r\nxy\r\n${chunked}`],
  [
    "a chunk whose size no number holds",
    `${head}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n${chunked}`
  ],
  ["a chunk extension with a bare LF", `${head}transfer-encoding: chunked\r\n\r\n1;a\nx\r\n${chunked}`],
  ["a chunk that ends with LF", `${head}transfer-encoding: chunked\r\n\r\n1\nx\n${chunked}`]
]

describe("a request that may be read in two ways is refused, and nothing behind it is heard:", () => {
  for (const [what, request] of vectors)
    it(what, async () => {
      const wire = await market.wire()
      wire.socket.write(request, "latin1")
      await until("the end of the connection", () => wire.isClosed, 2_000)
      assert.notInclude(wire.text, "HTTP/1.1 200", wire.text)
      assert.include(["", "400"], wire.answers.map(({ status }) => status).join())
    })

  for (const version of ["", " HTTP/2.0"])
    it(`one of${version === "" ? " HTTP/0.9" : version} is answered, and alone`, async () => {
      const wire = await market.wire()
      wire.socket.write(`GET /livez${version}\r\n\r\n${hidden}`)
      await until("the end of the connection", () => wire.isClosed, 2_000)
      assert.strictEqual(wire.text.split("HTTP/1.1 200").length - 1, 1)
    })

  it("and this notices where something is", async () => {
    const wire = await market.wire()
    wire.socket.write(`${head}content-length: 0\r\n\r\n${hidden}`)
    await until("two answers", () => wire.answers.length === 2)
    assert.deepStrictEqual(
      wire.answers.map(({ status }) => status),
      [200, 200]
    )
  })
})
