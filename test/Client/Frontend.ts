/** Rates of a daemon, an upstream whose prices a test sets, and pages that the daemon serves, in a real browser. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, afterEach, beforeAll, vi } from "@effect/vitest"
import { Schema } from "effect"

import { defineConfig, polled, source } from "../../src/Config.ts"
import { Browser, chromium } from "../Browser.ts"
import { Backend, type Daemon, freePort, startDaemon } from "../Daemon.ts"
import { Tab } from "../Tab.ts"

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
  readonly note?: string
}

export class Frontend {
  readonly folder = mkdtempSync(join(tmpdir(), "ratecast-frontend-"))
  daemon!: Daemon
  private readonly backend = new Backend()
  private browser: Browser | undefined
  private readonly tabs: Array<Tab> = []
  private readonly rows = new Map<string, Rate>(
    Object.entries({ TON: "1.00", ETH: "1.10", BTC: "1.20" }).map(([symbol, usd]) => [
      symbol,
      { symbol, usd }
    ])
  )

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

  price(symbol: string, usd: string, note?: string): void {
    this.rows.set(symbol, { symbol, usd, ...(note !== undefined && { note }) })
    this.backend.body = [...this.rows.values()]
  }

  remove(symbol: string): void {
    this.rows.delete(symbol)
    this.backend.body = [...this.rows.values()]
  }

  /** By key, as the upstream has them. */
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
    await this.backend.start()
    this.price("TON", "1.00")
    this.daemon = await startDaemon(
      defineConfig({
        collections: {
          rates: polled({
            source: source({ url: this.backend.url, every: "100 millis", refreshEvery: "0 millis" }),
            key: "symbol",
            row: Schema.Struct({
              symbol: Schema.String,
              usd: Schema.String,
              note: Schema.optional(Schema.String)
            })
          })
        }
      }),
      { PORT: String(await freePort()), PAGE: this.folder }
    )
    if (isPage && chromium !== undefined) this.browser = new Browser(chromium)
  }

  private async leave(): Promise<void> {
    await Promise.all(this.tabs.splice(0).map((tab) => tab.close()))
  }

  private async close(): Promise<void> {
    await this.browser?.close()
    await this.daemon.close()
    await this.backend.close()
    rmSync(this.folder, { recursive: true })
  }
}
