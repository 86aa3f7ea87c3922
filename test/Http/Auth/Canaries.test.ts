/** What is secret stays out of logs, metrics and answers. */
import { assert, describe, it } from "@effect/vitest"
import { Layer, References } from "effect"

import { EventClient, SocketClient } from "../../Clients.ts"
import { apiKey, bearer, Club, mint, secret } from "./Club.ts"

describe("at the loudest log level", () => {
  const club = new Club(
    { MAX_CONNECTIONS_PER_ADDRESS: "20", WRITE_BURST: "30", TRUSTED_PROXIES: "10.0.0.1" },
    Layer.succeed(References.MinimumLogLevel, "Trace")
  )

  it("no token, ticket, cookie, key or subject reaches a line of a log, a metric or an answer", async () => {
    const planted = new Set<string>([secret, apiKey, "canary-subject", "canary-id"])
    const good = {
      sub: "canary-subject",
      read: ["*"],
      write: ["*"],
      refresh: ["*"],
      more: { jti: "canary-id" }
    }
    const tokens = [
      await mint(good),
      await mint({ ...good, for: -60 }),
      `${await mint(good)}canary`,
      "canary-garbage",
      await mint({ ...good, for: 2 })
    ]
    for (const token of tokens) planted.add(token)
    const answers: Array<string> = []
    const ask = async (...asked: Parameters<Club["ask"]>) => {
      const { headers, json, text } = await club.ask(...asked)
      answers.push(text.replaceAll(String(json["ticket"]), ""), JSON.stringify([...headers]))
      return json
    }
    for (const token of tokens) {
      for (const headers of [
        bearer(token),
        { cookie: `ratecast_token=${token}` },
        { "sec-websocket-protocol": `ratecast.v1, ratecast.token.${token}` }
      ]) {
        await ask("GET", "/v1/snapshot", headers)
        await ask("GET", "/v1/stream?collections=nowhere", headers)
        await ask("GET", "/v1/nothing-here", headers)
        await ask("POST", "/v1/refresh/chat", headers)
        await ask(
          "PUT",
          "/v1/rows/chat/x",
          { ...headers, "idempotency-key": "k" },
          { nonsense: token.length }
        )
      }
      await ask("GET", `/v1/stream?token=${token}`)
      await ask("GET", `/v1/snapshot?access_token=${token}`)
      await ask("GET", `/v1/stream?ticket=${token}`)
      await ask("POST", "/v1/tickets", bearer(token))
      const socket = await SocketClient.open(`${club.url}/v1/socket?collections=chat`, [
        "ratecast.v1",
        `ratecast.token.${token}`
      ])
      socket.say({ type: "token", ref: "t", token })
      socket.say({ type: token })
      await socket.closed
      answers.push(JSON.stringify(socket.messages.filter(({ type }) => type === "error")))
    }
    const { ticket } = await ask("POST", "/v1/tickets", bearer(tokens[0]!))
    planted.add(ticket as string)
    const reading = await EventClient.open(
      `${club.url}/v1/stream?collections=chat&ticket=${ticket as string}`
    )
    await ask("GET", `/v1/stream?ticket=${ticket as string}`)
    await ask("POST", "/v1/revocations", bearer(apiKey), { sub: "canary-subject" })
    await ask("POST", "/v1/revocations", bearer(`${apiKey}canary`), { jti: "canary-id" })
    await reading.ended
    const metrics = (await club.ask("GET", "/metrics")).text
    assert.include(metrics, "http_requests_total")
    assert.isNotEmpty(club.daemon.lines)
    for (const secret of planted) {
      for (const line of club.daemon.lines) assert.notInclude(line, secret)
      assert.notInclude(metrics, secret)
      for (const answer of answers) assert.notInclude(answer, secret)
    }
    // Nor as they stand before the answer of a handler that fails.
    assert.isFalse(club.daemon.logs.some((line) => line.includes("a handler failed")))
  })
})
