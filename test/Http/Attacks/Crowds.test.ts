/** One address that opens connection after connection, whatever it does with them: it gets so many, and others theirs. */
import * as net from "node:net"

import { assert, describe, it } from "@effect/vitest"

import { Addresses, proxy } from "../../../src/Http/Limits/Addresses.ts"
import { EventClient } from "../../Clients.ts"
import { until } from "../../Daemon.ts"
import { Club } from "../Auth/Club.ts"

const connect = (port: number, from: string) => net.connect({ port, host: "127.0.0.1", localAddress: from })

/** Opens so many, and gives those that are still there once the others are gone. */
const opened = async (port: number, from: string, count: number, left: number) => {
  const sockets = Array.from({ length: count }, () => connect(port, from))
  for (const socket of sockets) socket.on("error", () => {})
  const alive = () => sockets.filter(({ destroyed, readyState }) => !destroyed && readyState === "open")
  await until(
    `${left} of ${count}`,
    () => sockets.every(({ connecting }) => !connecting) && alive().length === left
  )
  return alive()
}

describe("connections of one address that say nothing", () => {
  const club = new Club({ MAX_CONNECTIONS_PER_ADDRESS: "5" })

  it("are ten for each that may last, and their places are given back; others notice nothing", async () => {
    const { port } = club.daemon
    const crowd = await opened(port, "127.0.0.2", 200, 50)
    const answer = await club.ask("GET", "/livez")
    assert.strictEqual(answer.status, 200)
    const reader = await EventClient.open(`${club.url}/v1/stream?collections=pools`)
    assert.strictEqual((await reader.first()).type, "snapshot")
    reader.close()
    assert.strictEqual(club.daemon.logs.filter((line) => line.includes("TRUSTED_PROXIES")).length, 1)
    for (const socket of crowd) socket.destroy()
    await until("room again", async () => {
      const socket = connect(port, "127.0.0.2")
      const text = await new Promise<string>((done) => {
        socket.on("error", () => done(""))
        socket.on("close", () => done(""))
        socket.on("data", (bytes) => done(String(bytes)))
        socket.write("GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
      })
      socket.destroy()
      return text.startsWith("HTTP/1.1 200")
    })
  })
})

describe("connections of a trusted proxy", () => {
  const club = new Club({ MAX_CONNECTIONS_PER_ADDRESS: "5", TRUSTED_PROXIES: "127.0.0.3" })

  it("are not counted as one client's", async () => {
    const sockets = await opened(club.daemon.port, "127.0.0.3", 200, 200)
    for (const socket of sockets) socket.destroy()
    const addresses = new Addresses(["10.0.0.0/8", "::1"])
    assert.strictEqual(addresses.ofPeer("::ffff:10.1.2.3"), proxy)
    assert.strictEqual(addresses.ofPeer("::1"), proxy)
    assert.strictEqual(addresses.ofPeer("::ffff:11.1.2.3"), "11.1.2.3")
    assert.strictEqual(addresses.ofPeer("2001:db8::1"), "2001:db8:0:0::/64")
  })
})
