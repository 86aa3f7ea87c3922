/** An example as somebody starts it, by `npm start NAME`, and a browser that looks at it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, afterEach, beforeAll } from "@effect/vitest"

import { Browser, chromium } from "../Browser.ts"
import { freePort, until } from "../Daemon.ts"
import { Process } from "../Process.ts"
import { Tab, type TabOptions } from "../Tab.ts"

/** Nothing reaches the page any more, and nothing leaves it; a stream that there is goes on until the server ends it. */
export const cutOff = (tab: Tab, offline: boolean) =>
  tab.call("Network.emulateNetworkConditions", {
    offline,
    latency: 0,
    downloadThroughput: -1,
    uploadThroughput: -1
  })

export class Example {
  readonly name: string
  backend = ""
  private readonly folder = mkdtempSync(join(tmpdir(), "ratecast-example-"))
  private readonly tabs: Array<Tab> = []
  private readonly env: { readonly [name: string]: string }
  private run!: Process
  private browser: Browser | undefined
  private port = 0
  private backendPort = 0

  private constructor(name: string, env: { readonly [name: string]: string }) {
    this.name = name
    this.env = env
  }

  /** For the tests of one `describe`. */
  static of(name: string, env: { readonly [name: string]: string } = {}): Example {
    const example = new Example(name, env)
    beforeAll(() => example.start(), 60_000)
    afterEach(() => example.leave())
    afterAll(() => example.close(), 30_000)
    return example
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`
  }

  /** At the same address and over the same journal as before. */
  async serve(): Promise<void> {
    this.run = new Process("tools/start.mjs", [this.name], {
      PORT: String(this.port),
      BACKEND_PORT: String(this.backendPort),
      RATECAST_DATA: join(this.folder, "data"),
      ...this.env
    })
    await until(
      this.name,
      () =>
        fetch(`${this.url}readyz`).then(
          ({ ok }) => ok,
          () => false
        ),
      30_000
    )
  }

  /** As a deploy does; `now`: as a power cut does. */
  async stop(now = false): Promise<void> {
    this.run.child.kill(now ? "SIGKILL" : "SIGTERM")
    await this.run.exit
  }

  /** The page is told nothing of where its backend is. */
  async visit(options?: TabOptions, search = ""): Promise<Tab> {
    const tab = await Tab.open(this.browser!, `${this.url}?${search}`, options)
    this.tabs.push(tab)
    return tab
  }

  /** `key`: as a backend. */
  async ask(method: string, path: string, body?: unknown, key?: string): Promise<unknown> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(key !== undefined && { authorization: `Bearer ${key}` })
      },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return JSON.parse(text)
  }

  private async start(): Promise<void> {
    this.port = await freePort()
    this.backendPort = await freePort()
    this.backend = `http://127.0.0.1:${this.backendPort}`
    await this.serve()
    this.browser = new Browser(chromium!)
  }

  private async leave(): Promise<void> {
    await Promise.all(this.tabs.splice(0).map((tab) => tab.close()))
  }

  private async close(): Promise<void> {
    await this.browser?.close()
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
