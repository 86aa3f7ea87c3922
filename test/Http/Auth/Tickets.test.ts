/** Tickets: what an EventSource can show, once and soon. */
import { assert, describe, it } from "@effect/vitest"

import { EventClient, SocketClient } from "../../Clients.ts"
import { until } from "../../Daemon.ts"
import { layerFastClock } from "../../FastClock.ts"
import { apiKey, bearer, type Claims, Club, mint } from "./Club.ts"

const claims: Claims = { read: ["chat", "support:{sub}"] }

const ticketOf = async (club: Club, headers: { readonly [name: string]: string }) => {
  const { json, status, text } = await club.ask("POST", "/v1/tickets", headers)
  assert.strictEqual(status, 200, text)
  return json as unknown as { readonly ticket: string; readonly expiresIn: number }
}

describe("a ticket", () => {
  const club = new Club()
  const stream = (ticket: string, search = "collections=support:7") =>
    club.refused("GET", `/v1/stream?${search}&ticket=${ticket}`)

  it("opens one stream or one socket, with what its token may", async () => {
    const token = bearer(await mint(claims))
    const { expiresIn, ticket } = await ticketOf(club, token)
    assert.strictEqual(expiresIn, 30)
    assert.match(ticket, /^[\w-]{22}$/)
    const reading = await EventClient.open(`${club.url}/v1/stream?ticket=${ticket}`)
    await until("rows", () => reading.rows.has("support:7") && reading.rows.has("chat"))
    assert.strictEqual(await stream(ticket), "401 unauthenticated")
    const other = await ticketOf(club, token)
    const socket = await SocketClient.open(`${club.url}/v1/socket?collections=chat&ticket=${other.ticket}`)
    await socket.first()
    const replay = await SocketClient.open(`${club.url}/v1/socket?collections=chat&ticket=${other.ticket}`)
    assert.deepStrictEqual(await replay.closed, { code: 4401, reason: "unauthenticated" })
    const { ticket: third } = await ticketOf(club, token)
    assert.strictEqual(await stream(third, "collections=support:8"), "403 forbidden")
    reading.close()
    socket.close()
  })

  it("lets in one of a hundred who come with it at once", async () => {
    const { ticket } = await ticketOf(club, bearer(await mint(claims)))
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => EventClient.open(`${club.url}/v1/stream?ticket=${ticket}`))
    )
    const statuses = clients.map(({ status }) => status)
    assert.strictEqual(statuses.filter((status) => status === 200).length, 1)
    assert.strictEqual(statuses.filter((status) => status === 401).length, 99)
    for (const client of clients) client.close()
  })

  it("cannot be guessed, nor be a token, nor be given twice, nor open anything else", async () => {
    const token = await mint(claims)
    const { ticket } = await ticketOf(club, bearer(token))
    for (const guess of [
      "",
      "x",
      ticket.slice(0, -1),
      `${ticket}=`,
      ticket.toLowerCase(),
      token,
      "__proto__"
    ])
      assert.strictEqual(await stream(guess), "401 unauthenticated", guess)
    assert.strictEqual(await stream(`${ticket}&ticket=${ticket}`), "400 invalid_query")
    for (const path of [
      "/v1/snapshot",
      "/v1/changes",
      "/v1/rows/chat/m1",
      "/v1/collections",
      "/v1/history/chat"
    ])
      assert.strictEqual(await club.refused("GET", `${path}?ticket=${ticket}`), "400 invalid_query")
    // It is still good: none of these was a connection.
    const reading = await EventClient.open(`${club.url}/v1/stream?ticket=${ticket}`)
    assert.strictEqual(reading.status, 200)
    reading.close()
  })

  it("is for who shows a token or the key, and no more of use than they are", async () => {
    assert.strictEqual(await club.refused("POST", "/v1/tickets"), "401 unauthenticated")
    assert.strictEqual(await club.refused("POST", "/v1/tickets", bearer("x")), "401 unauthenticated")
    await ticketOf(club, bearer(apiKey))
    const { ticket } = await ticketOf(club, bearer(await mint({ ...claims, sub: "gone" })))
    await club.ask("POST", "/v1/revocations", bearer(apiKey), { sub: "gone" })
    assert.strictEqual(await stream(ticket), "401 unauthenticated")
  })

  it("ends what it opened when its token ends", async () => {
    const { ticket } = await ticketOf(club, bearer(await mint({ ...claims, for: 2 })))
    const reading = await EventClient.open(`${club.url}/v1/stream?ticket=${ticket}`)
    assert.strictEqual(await reading.ended, "clean")
    assert.strictEqual(reading.goodbye!["code"], "expired")
    // It would open nothing.
    assert.isUndefined(reading.goodbye!["ticket"])
  })
})

describe("a connection that was opened by a ticket", () => {
  // Ten minutes in ten seconds.
  const club = new Club({}, layerFastClock(60))

  it("gets another 60 s before its end, and one in its goodbye; both open the next one", async () => {
    const hour = { ...claims, for: 3_600 }
    const { ticket } = await ticketOf(club, bearer(await mint(hour)))
    const stream = await EventClient.open(`${club.url}/v1/stream?ticket=${ticket}`)
    const socket = await SocketClient.open(
      `${club.url}/v1/socket?collections=chat&ticket=${(await ticketOf(club, bearer(await mint(hour)))).ticket}`
    )
    const byToken = await EventClient.open(`${club.url}/v1/stream`, { headers: bearer(await mint(hour)) })
    const checked = async (client: EventClient | SocketClient, end: Promise<unknown>) => {
      await end
      assert.strictEqual(client.goodbye!["code"], "rotation")
      const announced = client.messages.findIndex((message) => "ticket" in message)
      const { cursor, from, ticket, type } = client.messages[announced]!
      assert.strictEqual(type, "ping")
      assert.strictEqual(from, cursor)
      const before = client.arrivals.at(-1)! - client.arrivals[announced]!
      // Half a second by the wall: the machine may have other things to do.
      assert.isBelow(Math.abs(before * 60 - 60_000), 30_000)
      const tickets = [client.goodbye!["ticket"], ticket] as ReadonlyArray<string>
      const next = await Promise.all(
        tickets.map((each) => EventClient.open(`${club.url}/v1/stream?collections=chat&ticket=${each}`))
      )
      for (const opened of next) {
        assert.strictEqual(opened.status, 200)
        opened.close()
      }
    }
    await Promise.all([checked(stream, stream.ended), checked(socket, socket.closed), byToken.ended])
    assert.isFalse(byToken.messages.some((message) => "ticket" in message))
  }, 30_000)

  it("and one that is not used in 30 s opens nothing", async () => {
    const { ticket } = await ticketOf(club, bearer(await mint({ ...claims, for: 3_600 })))
    await new Promise((done) => setTimeout(done, 31_000 / 60))
    assert.strictEqual(await club.refused("GET", `/v1/stream?ticket=${ticket}`), "401 unauthenticated")
  })
})
