/** A gzip stream, read to its valid end by whatever people read it with. */
import { spawn, spawnSync } from "node:child_process"
import { text } from "node:stream/consumers"

import { assert, describe, it } from "@effect/vitest"

import { EventParser } from "../Clients.ts"
import { until } from "../Daemon.ts"
import { heldRows, inTurn, Market, numbers, pool, textOf, byId } from "./Market.ts"
import { Held } from "../Held.ts"

const rows = numbers(40).map((i) => pool(`p${i}`))
const changed = (round: number) => rows.map((row, i) => ({ ...row, rate: `${round}.${i}` }))

/** Reads as it comes, and says so where the end is none: `eof` is set by a valid CRC and length alone. */
const python = `
import http.client, sys, zlib
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
connection.request("GET", sys.argv[2], headers={"Accept-Encoding": "gzip"})
response = connection.getresponse()
assert response.headers["content-encoding"] == "gzip", response.headers
decoder = zlib.decompressobj(31)
while part := response.read1(65536):
    sys.stdout.buffer.write(decoder.decompress(part))
    sys.stdout.buffer.flush()
assert decoder.eof and decoder.unused_data == b"", "no valid end"
`

/** What a program prints; fails where the program does. */
const printed = async (command: string, args: ReadonlyArray<string>): Promise<string> => {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] })
  const ended = new Promise((done) => child.once("close", done))
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  assert.strictEqual(await ended, 0, `${command}: ${errors}`)
  return out
}

const has = (command: string, args: ReadonlyArray<string>, needs = ""): boolean => {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" })
  return status === 0 && stdout.includes(needs)
}

type Read = (port: number, path: string) => Promise<string>

const decoders: ReadonlyArray<readonly [name: string, isHere: boolean, read: Read]> = [
  [
    "curl",
    has("curl", ["--version"], "libz"),
    (port, path) =>
      printed("curl", [
        "-sSN",
        "-H",
        "Accept-Encoding: gzip",
        "--compressed",
        `http://127.0.0.1:${port}${path}`
      ])
  ],
  [
    "Python",
    has("python3", ["-c", "import zlib, sys; assert sys.version_info >= (3, 8)"]),
    (port, path) => printed("python3", ["-c", python, String(port), path])
  ],
  [
    "undici",
    true,
    async (port, path) => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
        headers: { "accept-encoding": "gzip" }
      })
      assert.strictEqual(answer.headers.get("content-encoding"), "gzip")
      return answer.text()
    }
  ]
]

describe("a gzip stream", () => {
  for (const [name, isHere, read] of decoders) {
    it.skipIf(!isHere)(
      `is read to its valid end by ${name}${isHere ? "" : " (skipped: it is not installed)"}`,
      async () => {
        const market = await Market.open(rows)
        const path = "/v1/stream?collections=pools"
        const reading = read(market.port, path)
        await until("a reader", async () => (await market.readers()) === 1, 5_000)
        const beside = await market.stream("collections=pools")
        await beside.first()
        await inTurn(numbers(5), (round) => market.commit("pools", changed(round)))
        await until("the last change", () => heldRows(beside, "pools").get("p0")!.includes('"4.0"'))
        await market.end()
        const held = new Held()
        const types: Array<string> = []
        new EventParser(({ data, type }) => {
          types.push(type)
          held.receive(data)
        }).feed(Buffer.from(await reading))
        assert.deepStrictEqual([types[0], types.at(-1)], ["snapshot", "goodbye"])
        assert.isAbove(types.length, 2)
        assert.deepStrictEqual(heldRows(held, "pools"), textOf(byId(changed(4))))
      }
    )
  }

  it("is a third of the plain one where 40 rows change", async () => {
    const market = await Market.open(rows)
    const path = market.at("/v1/stream?collections=pools")
    const [plain, packed] = await Promise.all(
      ["identity", "gzip"].map((encoding) =>
        market.stream(path.split("?")[1], { headers: { "accept-encoding": encoding } })
      )
    )
    await until("first messages", () => plain!.messages.length + packed!.messages.length === 2)
    const before = [plain!.bytesRead, packed!.bytesRead] as const
    await inTurn(numbers(5), async (round) => {
      await market.commit("pools", changed(round))
      await until("changes", () => plain!.changes + packed!.changes === 2 * (round + 1))
    })
    const [all, few] = [plain!.bytesRead - before[0], packed!.bytesRead - before[1]]
    assert.isAtLeast(all / few, 3, `${all} and ${few} bytes`)
    await market.close()
  })
})
