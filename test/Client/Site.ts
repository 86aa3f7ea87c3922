/** A real daemon that serves a page with the client in it, and a Chromium that looks at it over a cable. */
import * as assert from "node:assert/strict"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import * as https from "node:https"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"

import { Schema } from "effect"
import { rolldown } from "rolldown"

import { type Config, Decimal, defineConfig, polled, source, written } from "../../src/Config.ts"
import { layerMemory, Disk } from "../../src/Hub/Journal/Memory.ts"
import { Browser, chromium } from "../Browser.ts"
import { Backend, type Daemon, startDaemon, until } from "../Daemon.ts"
import { canonicalText } from "../Held.ts"
import { Tab } from "../Tab.ts"
import { Cable } from "./Cable.ts"

const html = (title: string) =>
  `<!doctype html><title>${title}</title><link rel="icon" href="data:,"><script src="client.js"></script>`

const makeConfig = (url: string) =>
  defineConfig({
    collections: {
      rates: polled({
        source: source({ url, every: "100 millis", refreshEvery: "0 millis" }),
        key: "symbol",
        row: Schema.Struct({ symbol: Schema.String, usd: Decimal })
      }),
      chat: written({
        key: "id",
        row: Schema.Struct({ id: Schema.String, text: Schema.String }),
        retain: { rows: 100 }
      })
    }
  })
export type Api = ReturnType<typeof makeConfig>

/** What a page of the tests has of the client. */
const client = async (): Promise<string> => {
  const bundle = await rolldown({ input: join(import.meta.dirname, "page.ts"), platform: "browser" })
  const { output } = await bundle.generate({ format: "iife" })
  await bundle.close()
  return output[0].code
}

/** A page of whichever browser. */
export type Page = Pick<Tab, "evaluate">

export class Site {
  readonly backend = new Backend()
  readonly folder = mkdtempSync(join(tmpdir(), "ratecast-site-"))
  daemon!: Daemon
  browser!: Browser
  cable!: Cable
  disk = new Disk()
  private readonly env: { readonly [name: string]: string }
  private readonly tabs: Array<Tab> = []
  private step = 0
  /** Readers that are no pages. */
  others = 0

  constructor(env: { readonly [name: string]: string } = {}) {
    this.env = env
  }

  /** At the same address and over the same journal as before. */
  async serve(): Promise<void> {
    this.daemon = await startDaemon(
      makeConfig(this.backend.url) as Config,
      {
        PAGE: this.folder,
        ANONYMOUS_WRITE: "*",
        ORIGINS: "*",
        ...(this.daemon && { PORT: String(this.daemon.port) }),
        ...this.env
      },
      undefined,
      layerMemory(this.disk)
    )
  }

  async visit(
    path = "/",
    origin = this.cable.url,
    beside?: Tab,
    isLoaded = `typeof connect === "function"`
  ): Promise<Tab> {
    const tab = await Tab.open(this.browser, "about:blank", beside ? { beside } : {})
    this.tabs.push(tab)
    await tab.call("Security.setIgnoreCertificateErrors", { ignore: true })
    await tab.call("Page.navigate", { url: `${origin}${path}` })
    await tab.holds("the page", isLoaded)
    return tab
  }

  /** A page that reads, and has rows. `options` as text. */
  async reading(options = "", ...where: Parameters<Site["visit"]>): Promise<Tab> {
    const tab = await this.visit(...where)
    await read(tab, options)
    await this.isRight(tab)
    return tab
  }

  /** Another price, and a line in the chat. */
  async change(): Promise<void> {
    this.step++
    const usd = this.price
    this.backend.body = [
      { symbol: "TON", usd },
      { symbol: "ETH", usd: "1.10" },
      { symbol: `N${this.step % 5}`, usd: "1" }
    ]
    await this.say(`${this.step}`)
    await until("the price", () => this.rowsOf("rates").includes(usd))
  }

  /** A line in the chat. */
  async say(line: string): Promise<void> {
    const { status, text } = await this.ask("/v1/rows/chat", JSON.stringify({ text: line }))
    assert.equal(status, 201, text)
  }

  /** Of TON, since the last change. */
  get price(): string {
    return `${this.step}.50`
  }

  /** All that the server has, as text. */
  rowsOf(name: string): string {
    return canonicalText(Object.fromEntries(this.daemon.hub.board.rows(name)))
  }

  /** Rows as the server's, and one connection; also after what changes next. */
  async isRight(page: Page | ReadonlyArray<Page>, connections = 1, ms = 15_000): Promise<void> {
    for (const _ of [1, 2]) {
      await this.change()
      for (const each of [page].flat() as ReadonlyArray<Page>)
        for (const name of ["rates", "chat"])
          await until(
            `${name} of a page are the server's`,
            async () => (await held(each, name)) === this.rowsOf(name),
            ms
          )
    }
    await this.has(connections)
  }

  async readers(): Promise<number> {
    const { text } = await this.ask("/metrics")
    return Number(/^hub_readers (\d+)/m.exec(text)?.[1] ?? 0)
  }

  async has(connections: number): Promise<void> {
    await until(`${connections} connections`, async () => (await this.readers()) === connections)
  }

  /** `body`: to be posted. */
  private async ask(
    path: string,
    body?: string
  ): Promise<{ readonly status: number; readonly text: string }> {
    const isTls = this.env["TLS_KEY_FILE"] !== undefined
    const request = (isTls ? https : http).request(
      `${isTls ? "https" : "http"}://127.0.0.1:${this.daemon.port}${path}`,
      {
        rejectUnauthorized: false,
        agent: false,
        ...(body !== undefined && { method: "POST", headers: { "content-type": "application/json" } })
      }
    )
    request.end(body)
    const [response] = (await once(request, "response")) as [http.IncomingMessage]
    return { status: response.statusCode!, text: await text(response) }
  }

  async open(): Promise<void> {
    for (const name of ["index", "other"]) writeFileSync(join(this.folder, `${name}.html`), html(name))
    writeFileSync(join(this.folder, "client.js"), await client())
    await this.backend.start()
    this.backend.body = [{ symbol: "TON", usd: "0.5" }]
    await this.serve()
    this.cable = await new Cable(this.daemon.port).start()
    this.browser = new Browser(chromium!)
  }

  async leave(): Promise<void> {
    for (const tab of this.tabs.splice(0)) await tab.close().catch(() => {})
    this.cable.plug()
    this.cable.refusesUpgrades = false
    await this.has(this.others)
  }

  async close(): Promise<void> {
    await this.browser.close()
    await this.cable.close()
    await this.daemon.close()
    await this.backend.close()
    rmSync(this.folder, { recursive: true })
  }
}

/** What a page holds of a collection, as text. */
export const held = async (page: Page, name: string): Promise<string> => {
  return canonicalText(
    await page.evaluate(
      `Object.fromEntries([...cast.${name}.keys()].map((key) => [key, cast.${name}.get(key)]))`
    )
  )
}

export const read = async (page: Page, options = ""): Promise<void> => {
  await page.evaluate(`(() => {
    globalThis.snapshots = 0
    globalThis.states = []
    globalThis.cast = connect("/", { collections: ["rates", "chat"], interval: "50ms", ${options && `${options},`}
      trace: (text) => { snapshots += JSON.parse(text).type === "snapshot" } })
    cast.subscribe(() => states.push(cast.status.state))
    return cast.ready()
  })()`)
}
