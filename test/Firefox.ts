/** A real Firefox, driven by WebDriver BiDi, which it speaks itself: no driver beside it. */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { type Params, patience } from "./Browser.ts"
import { until } from "./Daemon.ts"

/** From FIREFOX, or where Debian and its kin put it. */
export const firefox = [process.env["FIREFOX"] ?? "", "/usr/bin/firefox-esr", "/usr/bin/firefox"].find(
  (path) => existsSync(path)
)

interface Told {
  readonly id?: number
  readonly result?: unknown
  readonly error?: string
  readonly message?: string
}

interface Evaluated {
  readonly result?: { readonly value?: string }
  readonly exceptionDetails?: { readonly text: string }
}

export class Firefox {
  private readonly process: ChildProcess
  private readonly folder: string
  private readonly socket: WebSocket
  private readonly calls = new Map<number, (told: Told) => void>()
  private sent = 0

  private constructor(process: ChildProcess, folder: string, socket: WebSocket) {
    this.process = process
    this.folder = folder
    this.socket = socket
    socket.addEventListener("message", ({ data }) => {
      const told = JSON.parse(String(data)) as Told
      if (told.id !== undefined) this.calls.get(told.id)?.(told)
    })
  }

  static async open(path: string): Promise<Firefox> {
    const folder = mkdtempSync(join(tmpdir(), "ratecast-firefox-"))
    const child = spawn(
      path,
      ["--headless", "--no-remote", "--profile", folder, "--remote-debugging-port", "0"],
      // A group of its own, so that nothing of it is left behind.
      { stdio: ["ignore", "ignore", "pipe"], detached: true }
    )
    let said = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text))
    const address = () => /BiDi listening on (ws:\S+)/.exec(said)?.[1]
    await until("Firefox", () => address() !== undefined, patience)
    const socket = new WebSocket(`${address()!}/session`)
    await once(socket, "open")
    const browser = new Firefox(child, folder, socket)
    await browser.call("session.new", { capabilities: {} })
    return browser
  }

  async call<A>(method: string, params: Params = {}): Promise<A> {
    const id = ++this.sent
    const { promise, resolve } = Promise.withResolvers<Told>()
    this.calls.set(id, resolve)
    const late = setTimeout(() => resolve({ error: `no answer in ${patience} ms` }), patience)
    this.socket.send(JSON.stringify({ id, method, params }))
    const { error, message, result } = await promise
    clearTimeout(late)
    this.calls.delete(id)
    if (error !== undefined) throw new Error(`${method}: ${error} ${message}`)
    return result as A
  }

  async visit(url: string): Promise<FirefoxTab> {
    const { context } = await this.call<{ context: string }>("browsingContext.create", { type: "tab" })
    const tab = new FirefoxTab(this, context)
    await tab.go(url)
    return tab
  }

  async close(): Promise<void> {
    const ended = once(this.process, "close")
    await this.call("browser.close").catch(() => {})
    const late = setTimeout(() => process.kill(-this.process.pid!, "SIGKILL"), 5_000)
    await ended
    clearTimeout(late)
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

export class FirefoxTab {
  private readonly browser: Firefox
  private readonly context: string

  constructor(browser: Firefox, context: string) {
    this.browser = browser
    this.context = context
  }

  async go(url: string): Promise<void> {
    await this.browser.call("browsingContext.navigate", { context: this.context, url, wait: "complete" })
  }

  async back(): Promise<void> {
    await this.browser.call("browsingContext.traverseHistory", { context: this.context, delta: -1 })
  }

  /** The value of an expression, as JSON has it; what it throws is thrown here. */
  async evaluate<A>(expression: string): Promise<A> {
    const { exceptionDetails, result } = await this.browser.call<Evaluated>("script.evaluate", {
      expression: `Promise.resolve(${expression}).then((value) => JSON.stringify(value))`,
      target: { context: this.context },
      awaitPromise: true
    })
    if (exceptionDetails !== undefined) throw new Error(exceptionDetails.text)
    return (result?.value === undefined ? undefined : JSON.parse(result.value)) as A
  }

  async holds(what: string, expression: string, ms = patience): Promise<void> {
    await until(what, () => this.evaluate<boolean>(expression), ms)
  }

  async close(): Promise<void> {
    await this.browser.call("browsingContext.close", { context: this.context })
  }
}
