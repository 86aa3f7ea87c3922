/**
 * A daemon to be fuzzed, its upstream, and readers beside: a stream and a socket of somebody who may read everything,
 * who have to hold the server's rows whatever is sent by others.
 */
import assert from "node:assert/strict"

import { SignJWT } from "jose"

import { EventClient } from "../Clients.ts"
import { Backend, until } from "../Daemon.ts"
import { RawSocket } from "../Frames.ts"
import { canonicalText, type Held } from "../Held.ts"
import { canary } from "./Told.ts"

export const secret = "a secret of more than thirty-two bytes"
export const apiKey = "the key of the backend"

/** For the daemon: limits are other tests' business. */
export const env = {
  JWT_SECRET: secret,
  API_KEY: apiKey,
  ANONYMOUS_READ: "pools,types,order:*",
  ANONYMOUS_REFRESH: "pools",
  MAX_CONNECTIONS_PER_ADDRESS: "100000",
  MAX_CONNECTIONS_PER_SUBJECT: "100000",
  WRITES_PER_SECOND: "100000",
  WRITE_BURST: "100000",
  MESSAGES_PER_SECOND: "100000",
  AUTH_FAILURES_PER_MINUTE: "100000"
}

export const tokenOf = (sub: string, read: ReadonlyArray<string>, write: ReadonlyArray<string>) =>
  new SignJWT({ sub, exp: 4_000_000_000, ratecast: { read, write, refresh: [] } })
    .setProtectedHeader({ alg: "HS256" })
    .sign(Buffer.from(secret))

export interface Running {
  readonly port: number
  /** What it logs as an error, writes to stderr, or dies of. */
  readonly complaints: () => ReadonlyArray<string>
  readonly close: () => Promise<void>
}

const beside = "collections=pools,types,chat"
const sinceOf = (held: Held | undefined) => (held?.cursor === undefined ? "" : `&since=${held.cursor}`)
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const backend = bearer(apiKey)

export class Ground {
  readonly port: number
  /** Of subject 7, who may read and write `chat` and `support:7`. */
  readonly token: string
  readonly upstream: Backend
  private readonly running: Running
  private readonly staff: string
  private stream!: EventClient
  private socket!: RawSocket
  private looks = 0

  private constructor(running: Running, upstream: Backend, token: string, staff: string) {
    this.running = running
    this.port = running.port
    this.upstream = upstream
    this.token = token
    this.staff = staff
  }

  /** `read`: what the fuzzer's own token covers. */
  static async open(
    start: (upstream: string) => Promise<Running>,
    read: ReadonlyArray<string> = ["pools", "types", "chat", "order:*", "support:{sub}"]
  ): Promise<Ground> {
    const upstream = await new Backend().start()
    upstream.handler = (request, response) => {
      response.setHeader("content-type", "application/json")
      const { body } = upstream
      if (request.url === "/ledger") response.end(JSON.stringify([{ id: `${canary}-ledger` }]))
      else response.end(request.url === "/pools" && typeof body === "string" ? body : "[]")
    }
    const running = await start(upstream.url)
    const token = await tokenOf("7", read, ["chat", "support:{sub}"])
    const ground = new Ground(running, upstream, token, await tokenOf("staff", ["*"], []))
    await until(
      "ready",
      async () => (await fetch(ground.at("/readyz")).catch(() => undefined))?.ok === true,
      20_000
    )
    await ground.plant("support:8")
    await ground.enter()
    return ground
  }

  at(path: string): string {
    return `http://127.0.0.1:${this.port}${path}`
  }

  async close(): Promise<void> {
    this.stream.close()
    this.socket.vanish()
    await this.running.close()
    await this.upstream.close()
  }

  private async plant(collection: string): Promise<void> {
    const { status } = await fetch(this.at(`/v1/rows/${collection}/s2`), {
      method: "PUT",
      headers: { ...backend, "content-type": "application/json" },
      body: JSON.stringify({ text: canary })
    })
    assert.equal(status, 201)
  }

  /** Polls `pools` now; the revision at which what it says can be seen, `undefined` where it could not be read. */
  async refresh(body: string): Promise<number | undefined> {
    this.upstream.body = body
    const answer = await fetch(this.at("/v1/refresh/pools"), { method: "POST", headers: backend })
    const { revision } = (await answer.json()) as { readonly revision?: number }
    assert.ok(answer.status === 200 || answer.status === 503, `a refresh was answered ${answer.status}`)
    return revision
  }

  /** Those beside come again from where they are: also so that what they remember does not grow. */
  private async enter(): Promise<void> {
    const headers = bearer(this.staff)
    const before = [this.stream, this.socket] as const
    this.stream = await EventClient.open(this.at(`/v1/stream?${beside}${sinceOf(before[0])}`), {
      headers,
      ...(before[0] === undefined ? {} : { from: before[0] })
    })
    this.socket = await RawSocket.open(this.port, `/v1/socket?${beside}${sinceOf(before[1])}`, {
      headers,
      ...(before[1] === undefined ? {} : { from: before[1] })
    })
    before[0]?.close()
    before[1]?.vanish()
    await Promise.all([this.stream.first(), this.socket.first()])
  }

  /** Those beside. */
  get readers(): ReadonlyArray<EventClient | RawSocket> {
    return [this.stream, this.socket]
  }

  /** Fails where a reader beside has other rows than the server, or was sent away, or the daemon complains. */
  async look(): Promise<void> {
    assert.deepEqual(this.running.complaints(), [])
    assert.equal((await fetch(this.at("/livez"))).status, 200)
    const answer = await fetch(this.at(`/v1/snapshot?${beside}`), { headers: bearer(this.staff) })
    const { collections } = (await answer.json()) as {
      readonly collections: { readonly [name: string]: { readonly rows: object } }
    }
    const expected = canonicalText(
      Object.fromEntries(Object.entries(collections).map(([name, { rows }]) => [name, rows]))
    )
    for (const reader of this.readers) {
      const held = () =>
        canonicalText(
          Object.fromEntries(["pools", "types", "chat"].map((name) => [name, reader.rowsOf(name)]))
        )
      await until("the server's rows beside", () => held() === expected)
      assert.equal(reader.refused, 0)
    }
    const gone = this.readers.flatMap(({ goodbye }) => (goodbye === undefined ? [] : [goodbye.code]))
    assert.deepEqual(
      gone.filter((code) => code !== "rotation"),
      []
    )
    assert.deepEqual(this.socket.broken, [])
    if (gone.length > 0 || ++this.looks % 5 === 0) await this.enter()
  }
}
