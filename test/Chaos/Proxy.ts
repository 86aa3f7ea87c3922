/** Stands between the daemon and its upstream, and treats the bytes between them as networks do. */
import * as net from "node:net"

import type { Dice } from "../Hub/World.ts"

const weathers = ["clear", "reset", "truncate", "throttle", "silent", "refuse"] as const
export type Weather = (typeof weathers)[number]

export class Proxy {
  weather: Weather = "clear"
  port = 0
  /** How often each happened to a connection. */
  readonly harm = new Map<Weather, number>()
  private readonly dice: Dice
  private readonly target: number
  private readonly sockets = new Set<net.Socket>()
  private readonly server: net.Server
  private timer: NodeJS.Timeout | undefined

  constructor(dice: Dice, target: number) {
    this.dice = dice
    this.target = target
    this.server = net.createServer((client) => this.connect(client))
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done))
    this.port = (this.server.address() as net.AddressInfo).port
    return this
  }

  /** Weather that changes by itself, until `clear`. */
  storm(): void {
    const { dice } = this
    this.weather = dice.chance(0.5) ? "clear" : dice.pick(weathers)
    this.timer = setTimeout(() => this.storm(), 300 + dice.int(1_500))
  }

  clear(): void {
    clearTimeout(this.timer)
    this.weather = "clear"
  }

  async close(): Promise<void> {
    this.clear()
    for (const socket of this.sockets) socket.destroy()
    await new Promise((done) => this.server.close(done))
  }

  private connect(client: net.Socket): void {
    this.keep(client)
    if (this.weather === "refuse") {
      this.note("refuse")
      return void client.resetAndDestroy()
    }
    const upstream = net.connect(this.target, "127.0.0.1")
    this.keep(upstream)
    client.pipe(upstream)
    upstream.on("data", (bytes) => this.pass(bytes, upstream, client))
    upstream.on("end", () => !client.destroyed && client.end())
    upstream.on("close", () => client.destroySoon())
    client.on("close", () => upstream.destroy())
  }

  private keep(socket: net.Socket): void {
    socket.on("error", () => {})
    this.sockets.add(socket)
    socket.on("close", () => this.sockets.delete(socket))
  }

  private pass(bytes: Buffer, upstream: net.Socket, client: net.Socket): void {
    const { weather } = this
    if (client.destroyed || client.writableEnded) return
    if (weather === "clear" || weather === "refuse") return void client.write(bytes)
    this.note(weather)
    // Bytes that are missing in the middle would be something that TCP does not do.
    if (weather === "silent") return void upstream.pause()
    if (weather === "throttle") {
      upstream.pause()
      return this.trickle(bytes, upstream, client)
    }
    client.write(bytes.subarray(0, this.dice.int(bytes.length)), () => {
      if (weather === "reset") client.resetAndDestroy()
      else client.end()
    })
    upstream.destroy()
  }

  /** A piece at a time: long answers take longer than the daemon waits for them. */
  private trickle(bytes: Buffer, upstream: net.Socket, client: net.Socket): void {
    if (client.destroyed) return
    client.write(bytes.subarray(0, 256))
    if (bytes.length <= 256) return void upstream.resume()
    setTimeout(() => this.trickle(bytes.subarray(256), upstream, client), 20)
  }

  private note(weather: Weather): void {
    this.harm.set(weather, (this.harm.get(weather) ?? 0) + 1)
  }
}
