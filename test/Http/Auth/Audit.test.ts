/** What is changed by the API key leaves a line in the log. */
import { assert, describe, it } from "@effect/vitest"

import { until } from "../../Daemon.ts"
import { layerFastClock } from "../../FastClock.ts"
import { apiKey, bearer, Club, mint } from "./Club.ts"

const backend = (address: string) => ({ ...bearer(apiKey), "x-forwarded-for": address })
const times = (lines: ReadonlyArray<string>) => lines.map((line) => Number(/times=(\d+)/.exec(line)![1]))

describe("the API key", () => {
  // A minute in a second.
  const club = new Club({ TRUSTED_PROXIES: "127.0.0.1" }, layerFastClock(60))
  const lines = (address: string) =>
    club.daemon.lines
      .filter((line) => line.includes("the API key was used") && line.includes(`from=${address} `))
      .map((line) => /what=.*/.exec(line)![0])

  it("leaves a line for what it changes: what, of what and from where", async () => {
    const asking = backend("1.0.0.1")
    await club.ask("POST", "/v1/revocations", asking, { sub: "canary" })
    await club.ask("POST", "/v1/revocations", asking, { jti: "canary" })
    await club.ask("POST", "/v1/refresh/ledger", asking)
    await club.ask("PUT", "/v1/rows/support:canary/canary", asking, { to: "7", text: "canary" })
    assert.deepStrictEqual(lines("1.0.0.1"), [
      "what=revocation of=sub from=1.0.0.1 times=1",
      "what=revocation of=jti from=1.0.0.1 times=1",
      "what=refresh of=ledger from=1.0.0.1 times=1",
      "what=write of=support from=1.0.0.1 times=1"
    ])
    for (const line of club.daemon.lines) {
      assert.notInclude(line, apiKey)
      assert.notInclude(line, "canary")
    }
  })

  it("leaves one at once for many of a kind, and says a minute later how many more there were", async () => {
    const asking = backend("2.0.0.1")
    const row = { to: "all", text: "x" }
    for (let i = 0; i < 20; i++)
      assert.strictEqual((await club.ask("POST", "/v1/rows/chat", asking, row)).status, 201)
    // And on a socket, which only what is no browser can open with a header.
    const socket = new WebSocket(`${club.url}/v1/socket`, { headers: asking } as never)
    await new Promise((done) => socket.addEventListener("open", done))
    for (let i = 0; i < 20; i++)
      socket.send(JSON.stringify({ type: "write", op: "append", collection: "chat", row }))
    assert.strictEqual(times(lines("2.0.0.1"))[0], 1)
    assert.isBelow(lines("2.0.0.1").length, 5)
    await until("all of them", () => times(lines("2.0.0.1")).reduce((sum, each) => sum + each, 0) === 40)
    socket.close()
  })

  it("leaves none for what it reads, nor for what is refused, nor do tokens", async () => {
    const asking = backend("3.0.0.1")
    await club.ask("GET", "/v1/snapshot", asking)
    await club.ask("POST", "/v1/rows/chat", asking, { nonsense: 1 })
    await club.ask("POST", "/v1/rows/pools", asking, {})
    await club.ask("POST", "/v1/revocations", asking, {})
    const token = bearer(await mint({ sub: "7", for: 3_600, write: ["*"], refresh: ["*"] }))
    const { status } = await club.ask(
      "POST",
      "/v1/rows/chat",
      { ...token, "x-forwarded-for": "3.0.0.1" },
      { to: "all", text: "x" }
    )
    assert.strictEqual(status, 201)
    assert.deepStrictEqual(lines("3.0.0.1"), [])
  })
})
