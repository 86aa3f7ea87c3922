/** A daemon that not everybody may read, and tokens for it. */
import { afterAll, beforeAll } from "@effect/vitest"
import { Layer, Schema } from "effect"
import { SignJWT } from "jose"

import { type Config, defineConfig, polled, source, written } from "../../../src/Config.ts"
import { Backend, type Daemon, startDaemon } from "../../Daemon.ts"

export const secret = "a secret of more than thirty-two bytes"
export const apiKey = "the key of the backend"

const Message = Schema.Struct({ id: Schema.String, to: Schema.String, text: Schema.String })

export interface Claims {
  readonly sub?: unknown
  readonly read?: ReadonlyArray<string>
  readonly write?: ReadonlyArray<string>
  readonly refresh?: ReadonlyArray<string>
  /** Seconds from now. */
  readonly for?: number
  readonly more?: object
}

export const mint = ({ for: seconds = 60, more = {}, read, refresh, sub = "7", write }: Claims = {}) =>
  new SignJWT({
    sub,
    exp: Math.floor(Date.now() / 1000) + seconds,
    ratecast: { read: read ?? [], write: write ?? [], refresh: refresh ?? [] },
    ...more
  } as never)
    .setProtectedHeader({ alg: "HS256" })
    .sign(Buffer.from(secret))

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

export class Club {
  readonly backend = new Backend()
  daemon!: Daemon
  private readonly env: { readonly [name: string]: string }

  private readonly more: Layer.Layer<never>

  constructor(env: { readonly [name: string]: string } = {}, more: Layer.Layer<never> = Layer.empty) {
    this.more = more
    this.env = {
      JWT_SECRET: secret,
      API_KEY: apiKey,
      ANONYMOUS_READ: "pools",
      ANONYMOUS_REFRESH: "",
      ...env
    }
    beforeAll(() => this.open())
    afterAll(() => this.close())
  }

  get url(): string {
    return this.daemon.url
  }

  private async open(): Promise<void> {
    await this.backend.start()
    this.backend.body = [{ id: "a", n: 1 }]
    const one = (path: string) =>
      polled({
        source: source({ url: `${this.backend.url}/${path}`, every: "1 second", refreshEvery: "10 millis" }),
        key: "id",
        row: Schema.Struct({ id: Schema.String, n: Schema.Int })
      })
    const config = defineConfig({
      collections: {
        pools: one("pools"),
        ledger: one("ledger"),
        chat: written({ key: "id", row: Message, fixed: ["to"] }),
        "support:{uid}": written({ key: "id", row: Message, fixed: ["to"] })
      }
    }) as Config
    this.daemon = await startDaemon(config, this.env, undefined, undefined, this.more)
    for (const [collection, key, to] of [
      ["chat", "m1", "all"],
      ["support:7", "s1", "7"],
      ["support:8", "s2", "8"]
    ] as const) {
      const { status } = await this.ask("PUT", `/v1/rows/${collection}/${key}`, bearer(apiKey), {
        to,
        text: `to ${to}`
      })
      if (status !== 201) throw new Error(`${collection} was answered ${status}`)
    }
  }

  private async close(): Promise<void> {
    await this.daemon.close()
    await this.backend.close()
  }

  async ask(method: string, path: string, headers: { readonly [name: string]: string } = {}, body?: unknown) {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    if (answer.headers.get("content-type") === "text/event-stream") await answer.body?.cancel()
    const text = answer.bodyUsed ? "" : await answer.text()
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      json: (text.startsWith("{") ? JSON.parse(text) : {}) as { readonly [name: string]: unknown }
    }
  }

  /** Status and code of a refusal. */
  async refused(...asked: Parameters<Club["ask"]>): Promise<string> {
    const { json, status } = await this.ask(...asked)
    return `${status} ${String(json["code"] ?? "")}`.trim()
  }
}
