/** The upstream is killed while real clients read, and comes back: they keep what they hold, and are told what it is worth. */
import { assert, it } from "@effect/vitest"
import { Schema } from "effect"

import { Decimal, defineConfig, polled, source } from "../src/Config.ts"
import { EventClient, PollClient, SocketClient } from "./Clients.ts"
import { freePort, startDaemon, until } from "./Daemon.ts"
import { Process } from "./Process.ts"

const pollEvery = 250

const configOf = (url: string) =>
  defineConfig({
    collections: {
      pools: polled({
        source: source({ url: `${url}/v2/pools-lite`, every: pollEvery, retries: 0 }),
        key: "address",
        row: Schema.Struct({ address: Schema.String, totalSupply: Decimal })
      })
    }
  })

/** Nothing of it moves, so whatever its readers are told is about its state. */
const simulate = async (port: number): Promise<Process> => {
  const simulator = new Process("examples/dex/simulator.ts", [
    "--port",
    String(port),
    "--speed",
    "0",
    "--latency",
    "0",
    "--until-stdin-ends"
  ])
  await until("the simulator", () => simulator.out.includes("simulator"), 15_000)
  return simulator
}

it("the upstream is killed: stale within one poll, live again when it is back, by one change each and no snapshot", async () => {
  const port = await freePort()
  let simulator = await simulate(port)
  const daemon = await startDaemon(configOf(`http://127.0.0.1:${port}`))
  try {
    await until("ready", async () => (await fetch(`${daemon.url}/readyz`)).ok)
    const clients = {
      stream: await EventClient.open(`${daemon.url}/v1/stream?collections=pools`),
      socket: await SocketClient.open(`${daemon.url}/v1/socket?collections=pools`),
      poll: new PollClient(`${daemon.url}/v1/changes?collections=pools`)
    }
    const following = clients.poll.follow("wait=2s")
    const all = Object.entries(clients)
    await until("snapshots", () => all.every(([, { rows }]) => (rows.get("pools")?.size ?? 0) > 0))
    const rows = clients.stream.canonical()

    const killed = performance.now()
    simulator.kill()
    await until("stale", () => all.every(([, { states }]) => states.get("pools") === "stale"))
    // One poll may be on its way, and the machine has other things to do.
    assert.isBelow(performance.now() - killed, 2 * pollEvery + 500)
    for (const [road, client] of all)
      assert.strictEqual(client.errors.get("pools"), "upstream_unreachable", road)
    const { hub } = daemon
    const revision = hub.revision()
    await until("more polls", () => performance.now() - killed > 4 * pollEvery)
    assert.strictEqual(hub.revision(), revision, "told once")

    simulator = await simulate(port)
    await until("live", () => all.every(([, { states }]) => states.get("pools") === "live"), 10_000)
    for (const [road, client] of all) {
      assert.isFalse(client.errors.has("pools"), road)
      assert.deepStrictEqual(
        client.types.filter((type) => type !== "ping"),
        ["snapshot", "change", "change"],
        road
      )
      const [, stale, live] = client.messages.filter(({ type }) => type !== "ping")
      for (const change of [stale, live]) assert.notProperty(change!.collections!["pools"], "rows", road)
      assert.deepStrictEqual(client.canonical(), rows, `${road}: no row was touched`)
      assert.strictEqual(client.refused, 0, road)
    }
    clients.poll.stop()
    clients.stream.close()
    clients.socket.close()
    await following
  } finally {
    simulator.kill()
    await daemon.close()
  }
})
