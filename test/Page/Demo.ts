/** The demo as somebody sees it: the simulator, a daemon over it, and a browser that looks at the page. */
import { afterAll, afterEach, assert, beforeAll, vi } from "@effect/vitest"

import { startSimulator, type SimulatorOptions } from "../../examples/dex/simulator.ts"
import type { Config } from "../../src/Config.ts"
import { Browser, chromium } from "../Browser.ts"
import { type Daemon, freePort, startDaemon } from "../Daemon.ts"
import { Tab, type TabOptions } from "../Tab.ts"
import { buildPage } from "./Build.ts"

export class Demo {
  tab!: Tab
  private readonly options: SimulatorOptions
  private browser!: Browser
  private simulator!: Awaited<ReturnType<typeof startSimulator>>
  private daemon!: Daemon
  private config!: Config
  private folder = ""
  private port = 0

  private constructor(options: SimulatorOptions) {
    this.options = options
  }

  /** For the tests of one `describe`. */
  static of(options: SimulatorOptions): Demo {
    const demo = new Demo(options)
    beforeAll(() => demo.start(), 60_000)
    afterEach(() => demo.tab.close())
    afterAll(() => demo.close(), 30_000)
    return demo
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/live/`
  }

  get simulatorUrl(): string {
    return this.simulator.url
  }

  /** At the same address as before. */
  async serve(): Promise<void> {
    this.daemon = await startDaemon(this.config, {
      PORT: String(this.port),
      PAGE: this.folder,
      BASE_PATH: "/live"
    })
  }

  stop(): Promise<void> {
    return this.daemon.close()
  }

  /** `hash`: of the collection that is shown first. */
  async visit(options?: TabOptions, hash = "rates"): Promise<Tab> {
    this.tab = await Tab.open(this.browser, `${this.url}?simulator=${this.simulatorUrl}#${hash}`, options)
    await this.tab.holds("rows", `document.querySelectorAll("#grid-body .name").length > 5`)
    return this.tab
  }

  private async start(): Promise<void> {
    this.simulator = await startSimulator({ port: 0, ...this.options })
    vi.stubEnv("SIMULATOR_PORT", new URL(this.simulator.url).port)
    this.config = (await import("../../examples/dex/ratecast.config.ts")).default
    this.folder = await buildPage()
    this.port = await freePort()
    await this.serve()
    assert.isDefined(chromium)
    this.browser = new Browser(chromium)
  }

  private async close(): Promise<void> {
    await this.browser.close()
    await this.stop()
    await this.simulator.close()
    vi.unstubAllEnvs()
  }
}
