/**
 * A real Chromium, driven over its DevTools pipe (`--remote-debugging-pipe`): nothing to install beside the browser, no
 * port to guess, and a browser that ends by itself when the test that holds the other end is gone.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Readable, Writable } from "node:stream"

/** From CHROMIUM, or where Debian and its kin put it. */
export const chromium = [
  process.env["CHROMIUM"] ?? "",
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome"
].find((path) => existsSync(path))

/** Ends the name of what is skipped without a browser, so that a report says why. */
export const reason =
  chromium === undefined ? " (skipped: no Chromium in /usr/bin, and none in CHROMIUM)" : ""

/** Whether there is time for all of it: `npm run test:browser`. `npm test` has two minutes for browsers. */
export const isThorough = process.env["RATECAST_BROWSER"] === "all"

const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  // The shared memory of a container is often too small for a browser.
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-pipe"
]

/** However slow the machine. */
export const patience = 20_000

export type Params = { readonly [name: string]: unknown }

interface Told {
  readonly id?: number
  readonly method?: string
  readonly sessionId?: string
  readonly params?: unknown
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

export class Browser {
  private readonly process: ChildProcess
  private readonly folder: string
  private readonly input: Writable
  private readonly calls = new Map<number, (told: Told) => void>()
  private readonly listeners = new Map<string, (method: string, params: unknown) => void>()
  private readonly ended: Promise<unknown>
  private sent = 0

  constructor(path: string) {
    this.folder = mkdtempSync(join(tmpdir(), "ratecast-chromium-"))
    this.process = spawn(path, [...flags, `--user-data-dir=${this.folder}`, "about:blank"], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
      // A group of its own, so that nothing of it is left behind.
      detached: true
    })
    this.ended = new Promise((resolve) => this.process.once("close", resolve))
    this.input = this.process.stdio[3] as Writable
    this.input.on("error", () => {})
    let rest = ""
    ;(this.process.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0")
      rest = messages.pop()!
      for (const message of messages) this.take(JSON.parse(message) as Told)
    })
  }

  async call<A>(method: string, params: Params = {}, sessionId?: string): Promise<A> {
    const id = ++this.sent
    const { promise, resolve } = Promise.withResolvers<Told>()
    this.calls.set(id, resolve)
    const late = setTimeout(
      () => this.take({ id, error: { message: `no answer in ${patience} ms` } }),
      patience
    )
    this.input.write(
      `${JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) })}\0`
    )
    const { error, result } = await promise
    clearTimeout(late)
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result as A
  }

  on(sessionId: string, listener: (method: string, params: unknown) => void): void {
    this.listeners.set(sessionId, listener)
  }

  async close(): Promise<void> {
    await this.call("Browser.close").catch(() => {})
    const late = setTimeout(() => this.kill(), 5_000)
    await this.ended
    clearTimeout(late)
    // Its helpers may still be there, and writing their last.
    this.kill()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }

  private kill(): void {
    try {
      process.kill(-this.process.pid!, "SIGKILL")
    } catch {
      // Nobody is left.
    }
  }

  private take(told: Told): void {
    if (told.id === undefined) return this.listeners.get(told.sessionId!)?.(told.method!, told.params)
    this.calls.get(told.id)?.(told)
    this.calls.delete(told.id)
  }
}
