/** Those who notice nothing: readers whose every event is looked at, and a probe of /livez on a connection of its own. */
import * as http from "node:http"

import type { Client } from "../Clients.ts"
import { EventClient, SocketClient } from "../Clients.ts"

export interface Seen {
  /** From being said by the upstream to being there, ms. */
  readonly lags: ReadonlyArray<number>
  /** Ticks that a reader was never told of, nor of a later one within 5 s; and readers that were sent away. */
  readonly lost: number
  readonly probes: ReadonlyArray<number>
  readonly failedProbes: number
  /** The most, KiB. */
  readonly resident: number
}

const readers = 20

export class Beside {
  private readonly clients: ReadonlyArray<Client>
  private readonly url: string
  private readonly resident: () => number
  private lags: Array<number> = []
  private probes: Array<number> = []
  private failed = 0
  private peak = 0
  private readonly timers: ReadonlyArray<NodeJS.Timeout>

  private constructor(url: string, clients: ReadonlyArray<Client>, resident: () => number) {
    this.url = url
    this.clients = clients
    this.resident = resident
    for (const client of clients)
      client.onMessage = () => {
        const at = client.rows.get("ticks")?.get("t")?.get("at") as number
        this.lags.push(Date.now() - at)
        // They live long, and nobody asks again what they were told.
        client.messages.length = 0
        client.arrivals.length = 0
      }
    this.timers = [
      setInterval(() => void this.probe(), 100),
      setInterval(() => (this.peak = Math.max(this.peak, this.resident())), 100)
    ]
  }

  static async open(url: string, resident: () => number): Promise<Beside> {
    const clients = await Promise.all(
      Array.from({ length: readers }, (_, i) =>
        i % 2 === 0
          ? EventClient.open(`${url}/v1/stream?collections=ticks`)
          : SocketClient.open(`${url}/v1/socket?collections=ticks`)
      )
    )
    await Promise.all(clients.map((client) => client.first()))
    return new Beside(url, clients, resident)
  }

  /** What was seen since the last time. `tick`: the newest that the upstream has said. */
  async since(tick: () => number): Promise<Seen> {
    const newest = tick()
    const end = performance.now() + 5_000
    const behind = () =>
      this.clients.filter(
        (client) =>
          client.goodbye !== undefined || Number(client.rows.get("ticks")?.get("t")?.get("n")) < newest
      ).length
    while (behind() > 0 && performance.now() < end) await new Promise((done) => setTimeout(done, 20))
    const lost = behind() + this.clients.reduce((sum, { refused }) => sum + refused, 0)
    const { failed, lags, peak, probes } = this
    this.lags = []
    this.probes = []
    this.failed = 0
    this.peak = this.resident()
    return { lags, lost, probes, failedProbes: failed, resident: peak }
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer)
    for (const client of this.clients) (client as EventClient | SocketClient).close()
  }

  private async probe(): Promise<void> {
    const began = performance.now()
    const isAlive = await new Promise<boolean>((done) => {
      const request = http.get(`${this.url}/livez`, { agent: false, timeout: 2_000 }, (response) => {
        response.resume()
        response.on("end", () => done(response.statusCode === 200))
      })
      request.on("timeout", () => request.destroy())
      request.on("error", () => done(false))
    })
    if (isAlive) this.probes.push(performance.now() - began)
    else this.failed++
  }
}
