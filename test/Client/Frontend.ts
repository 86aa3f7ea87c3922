/** A daemon over the config of docs/client.md, whose rates a test writes, and pages that it serves, in a real browser. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, afterEach, beforeAll, vi } from "@effect/vitest"

import type { Config } from "../../src/Config.ts"
import { Browser, chromium } from "../Browser.ts"
import { type Daemon, freePort, startDaemon } from "../Daemon.ts"
import { Tab } from "../Tab.ts"
import { config, root } from "./Recipes.ts"

/** Before anything else of the page: what it opens is counted. */
const counting = `
  // Or React recommends its tools.
  globalThis.__REACT_DEVTOOLS_GLOBAL_HOOK__ = { isDisabled: true }
  globalThis.sockets = []
  globalThis.WebSocket = class extends WebSocket {
    constructor(...asked) {
      super(...asked)
      sockets.push(this)
    }
  }`

interface Rate {
  readonly symbol: string
  readonly usd: string
  readonly name?: string
}

export class Frontend {
  readonly folder = mkdtempSync(join(root, "test/.tmp-frontend-"))
  config!: Config
  daemon!: Daemon
  /** One after the other. */
  private written = Promise.resolve()
  private browser: Browser | undefined
  private readonly tabs: Array<Tab> = []
  private readonly rows = new Map<string, Rate>()

  /** For the tests of one file; `isPage`: with a browser. */
  static of(isPage = true): Frontend {
    const frontend = new Frontend()
    // Of three waits, each for as long as it takes on a slow machine.
    vi.setConfig({ testTimeout: 60_000 })
    beforeAll(() => frontend.start(isPage), 60_000)
    afterEach(() => frontend.leave())
    afterAll(() => frontend.close(), 30_000)
    return frontend
  }

  price(symbol: string, usd: string, name?: string): void {
    const row = { symbol, usd, ...(name !== undefined && { name }) }
    this.rows.set(symbol, row)
    this.written = this.write(this.written, "PUT", symbol, JSON.stringify(row))
  }

  remove(symbol: string): void {
    this.rows.delete(symbol)
    this.written = this.write(this.written, "DELETE", symbol, null)
  }

  /** By key, as they were written. */
  get truth(): { readonly [symbol: string]: Rate } {
    return Object.fromEntries(this.rows)
  }

  /** `code`: a module. `body`: what the server has put there. */
  async visit(code: string, body = `<div id="root"></div>`): Promise<Tab> {
    writeFileSync(join(this.folder, "page.js"), code)
    writeFileSync(
      join(this.folder, "index.html"),
      `<!doctype html><meta charset="utf-8" /><link rel="icon" href="data:," />${body}<script>${counting}</script><script type="module" src="page.js"></script>`
    )
    const tab = await Tab.open(this.browser!, this.url)
    this.tabs.push(tab)
    await tab.holds("the page", `globalThis.sockets !== undefined && document.readyState === "complete"`)
    return tab
  }

  get url(): string {
    return `${this.daemon.url}/`
  }

  private async start(isPage: boolean): Promise<void> {
    const path = join(this.folder, "ratecast.config.ts")
    writeFileSync(path, config)
    this.config = ((await import(path)) as { readonly default: Config }).default
    this.daemon = await startDaemon(this.config, {
      PORT: String(await freePort()),
      PAGE: this.folder,
      ANONYMOUS_WRITE: "*"
    })
    for (const [symbol, usd] of Object.entries({ TON: "1.00", ETH: "1.10", BTC: "1.20" }))
      this.price(symbol, usd)
    await this.written
    if (isPage && chromium !== undefined) this.browser = new Browser(chromium)
  }

  private async write(before: Promise<void>, method: "PUT" | "DELETE", symbol: string, body: string | null) {
    await before
    const headers = { "content-type": "application/json" }
    const response = await fetch(`${this.url}v1/rows/rates/${symbol}`, { method, headers, body })
    if (!response.ok) throw new Error(await response.text())
  }

  private async leave(): Promise<void> {
    await Promise.all(this.tabs.splice(0).map((tab) => tab.close()))
  }

  private async close(): Promise<void> {
    await this.browser?.close()
    await this.written
    await this.daemon.close()
    rmSync(this.folder, { recursive: true })
  }
}
