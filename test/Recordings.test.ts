/**
 * Real answers of a public API, served over real HTTP one per poll to a real daemon, with clients on all four roads that
 * connect, drop and resume at random. The recordings are not part of the project; without them this says it is skipped.
 */
import { existsSync, readFileSync } from "node:fs"
import { gunzipSync, gzipSync } from "node:zlib"

import { assert, describe, it } from "@effect/vitest"

import { curve } from "../bench/Curve.ts"
import { defineConfig, source } from "../src/Config.ts"
import { type Client, EventClient, PollClient, SocketClient } from "./Clients.ts"
import { Backend, startDaemon, until } from "./Daemon.ts"
import { Held } from "./Held.ts"
import { Dice } from "./Hub/World.ts"

const folder = new URL("../../shared/data/curve/", import.meta.url)

const configOf = (url: string) =>
  defineConfig({
    collections: curve(source({ url, every: "150 millis", retries: 0 }), {
      usdPrice: { relative: 0.001 },
      apy: { relative: 0.01 }
    })
  })

/** A client that goes on with what it held, on one road; `stop` ends it. */
type Road = (
  url: string,
  from: Held | undefined
) => Promise<{ readonly client: Client; readonly stop: () => void }>

const roads: { readonly [road: string]: Road } = {
  stream: async (url, from) => {
    const client = await EventClient.open(
      `${url}/v1/stream${sinceOf(from)}`,
      from === undefined ? {} : { from }
    )
    return { client, stop: () => client.close() }
  },
  gzip: async (url, from) => {
    const client = await EventClient.open(`${url}/v1/stream${sinceOf(from)}`, {
      headers: { "accept-encoding": "gzip" },
      ...(from === undefined ? {} : { from })
    })
    return { client, stop: () => client.close() }
  },
  socket: async (url, from) => {
    const client = await SocketClient.open(
      `${url}/v1/socket?collections=pools,coins,rewards${sinceOf(from).replace("?", "&")}`,
      [],
      from
    )
    return { client, stop: () => client.close() }
  },
  changes: async (url, from) => {
    const client = new PollClient(`${url}/v1/changes`, from)
    // Ends with `stop`; an answer that is neither 200 nor 204 fails the run.
    void client.follow()
    return { client, stop: () => client.stop() }
  }
}

const sinceOf = (from: Held | undefined) => (from?.cursor === undefined ? "" : `?since=${from.cursor}`)

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

/** Connects, drops and comes back at random, until everything has been polled. */
const wander = async (dice: Dice, url: string, road: Road, isOver: () => boolean) => {
  let held: Held | undefined
  let drops = 0
  while (!isOver()) {
    const { client, stop } = await road(url, dice.chance(0.9) ? held : undefined)
    await pause(20 + dice.int(500))
    stop()
    if (client.cursor !== undefined) held = client
    drops++
    await pause(dice.int(300))
  }
  return { held, drops }
}

const percent = (part: number, whole: number) => `${((100 * part) / whole).toFixed(2)} %`

describe.skipIf(!existsSync(folder))("real recordings, on all four roads", () => {
  for (const [name, most] of [
    ["ethereum.main", 10],
    ["ethereum.factory", 5]
  ] as const) {
    it(
      `${name}: everybody ends with exactly the server's rows; at most ${most} % of raw polling`,
      { timeout: 60_000 },
      async () => {
        const answers = gunzipSync(readFileSync(new URL(`${name}.ndjson.gz`, folder)))
          .toString()
          .trim()
          .split("\n")
          .map((line) => JSON.stringify((JSON.parse(line) as { readonly body: unknown }).body))
        const backend = await new Backend().start()
        let served = 0
        let isOpen = false
        backend.handler = (_, response) => {
          const answer = answers[isOpen ? Math.min(served++, answers.length - 1) : 0]
          response.setHeader("content-type", "application/json")
          response.end(answer)
        }
        const daemon = await startDaemon(configOf(backend.url))
        await until("the first rows", async () => (await fetch(`${daemon.url}/readyz`)).status === 200)

        // Two readers that stay from the first answer to the last, to count what came over their wires.
        const plain = await EventClient.open(`${daemon.url}/v1/stream`)
        const gzip = await EventClient.open(`${daemon.url}/v1/stream`, {
          headers: { "accept-encoding": "gzip" }
        })
        await until("the steady readers", () => plain.cursor !== undefined && gzip.cursor !== undefined)
        isOpen = true
        const isOver = () => served >= answers.length
        const wanderers = await Promise.all(
          Object.values(roads).flatMap((road, i) =>
            [1, 2].map((n) => wander(new Dice(i * 10 + n), daemon.url, road, isOver))
          )
        )

        await until("the last answer", () => served > answers.length)
        const text = await (await fetch(`${daemon.url}/v1/snapshot`)).text()
        const truth = new Held()
        truth.receive(text)
        for (const { drops, held } of wanderers) {
          assert.isAbove(drops, 3)
          // Comes back once more, and stands where the server does.
          const { client, stop } = await roads["stream"]!(daemon.url, held)
          await until("the newest revision", () => flat(client) === flat(truth))
          assert.strictEqual(client.refused, 0)
          stop()
        }
        await until(
          "the steady readers at the end",
          () => flat(plain) === flat(truth) && flat(gzip) === flat(truth)
        )

        const raw = answers.reduce((sum, answer) => sum + answer.length, 0)
        const rawGzip = answers.reduce((sum, answer) => sum + gzipSync(answer).length, 0)
        console.log(
          `${name}: ${answers.length} polls of ${Math.round(raw / answers.length / 1000)} kB; on the wire ` +
            `${plain.bytesRead} bytes, ${percent(plain.bytesRead, raw)} of raw polling; ` +
            `gzip ${gzip.bytesRead} bytes, ${percent(gzip.bytesRead, rawGzip)} of raw polling with gzip`
        )
        assert.isAtMost((100 * plain.bytesRead) / raw, most)
        plain.close()
        gzip.close()
        await until("nobody left", async () =>
          /^hub_readers 0$/m.test(await (await fetch(`${daemon.url}/metrics`)).text())
        )
        await daemon.close()
        await backend.close()
      }
    )
  }
})

const flat = (held: Held): string =>
  JSON.stringify(
    [...held.canonical()].map(([name, rows]) => [name, [...rows].toSorted()] as const).toSorted()
  )
