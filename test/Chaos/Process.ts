/** The daemon as people run it: a process of its own, over a folder that outlives it. */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import * as http from "node:http"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")

export interface ProcessOptions {
  readonly port: number
  readonly data: string
  readonly upstream: string
  /** File descriptors it may have. */
  readonly files: number
}

/** One run of it, from its start to its death. */
export interface Life {
  readonly number: number
  readonly startedAt: number
  answeredAt?: number
}

export class Process {
  readonly url: string
  life: Life = { number: 0, startedAt: 0 }
  /** Told when it dies and nobody has killed it. */
  onDeath: (why: string) => void = () => {}
  /** What it logged as a warning or worse, and how often. */
  readonly complaints = new Map<string, number>()
  /** ms from its start to its first answer, of every life that lasted so long. */
  readonly starts: Array<number> = []
  private readonly options: ProcessOptions
  private child: ChildProcess | undefined
  private exited: Promise<number | null> = Promise.resolve(0)
  private isDoomed = false
  private onHeld: (kib: number) => void = () => {}
  private errors = ""

  constructor(options: ProcessOptions) {
    this.options = options
    this.url = `http://127.0.0.1:${options.port}`
    process.once("exit", () => this.child?.kill("SIGKILL"))
  }

  get pid(): number {
    return this.child!.pid!
  }

  start(): void {
    const { data, files, port, upstream } = this.options
    this.isDoomed = false
    this.errors = ""
    const life: Life = { number: this.life.number + 1, startedAt: performance.now() }
    this.life = life
    const command = [
      process.execPath,
      join(root, "bin/ratecast.mjs"),
      "serve",
      "--config",
      join(import.meta.dirname, "ratecast.config.ts")
    ]
    // Set before Node starts: it raises the soft limit to the hard one.
    const child = spawn("sh", ["-c", `ulimit -n ${files} && exec "$0" "$@"`, ...command], {
      env: {
        ...process.env,
        HOST: "127.0.0.1",
        PORT: String(port),
        RATECAST_DATA: data,
        LOG_FORMAT: "json",
        ANONYMOUS_READ: "*",
        MAX_CONNECTIONS_PER_ADDRESS: "100000",
        MESSAGES_PER_SECOND: "100000",
        CHAOS_UPSTREAM: upstream
      }
    })
    this.child = child
    child.stdin.on("error", () => {})
    child.stderr.on("data", (text: Buffer) => (this.errors = (this.errors + String(text)).slice(-2_000)))
    this.listen(child)
    this.exited = new Promise((done) => child.once("exit", done))
    child.once("exit", (code, signal) => {
      if (!this.isDoomed) this.onDeath(`it ended by itself with ${signal ?? code}: ${this.errors.trim()}`)
    })
    void this.probe(life)
  }

  async kill(): Promise<void> {
    this.isDoomed = true
    this.child?.kill("SIGKILL")
    await this.exited
  }

  /** Its exit code, and how long it took to go, ms. */
  async stop(): Promise<{ readonly code: number | null; readonly ms: number }> {
    this.isDoomed = true
    const asked = performance.now()
    this.child?.kill("SIGTERM")
    const code = await this.exited
    return { code, ms: performance.now() - asked }
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.child!.kill(signal)
  }

  /** File descriptors it has; `undefined` where the system does not tell. */
  get files(): number | undefined {
    try {
      return readdirSync(`/proc/${this.pid}/fd`).length
    } catch {
      return undefined
    }
  }

  /** Resident memory, KiB. */
  get resident(): number {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))![1])
  }

  /** What is left after a garbage collection, KiB; the config has to answer to SIGUSR2. */
  held(): Promise<number> {
    return new Promise((done) => {
      this.onHeld = done
      this.child!.kill("SIGUSR2")
    })
  }

  /** Of /metrics, all labels together. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`, { headers: { connection: "close" } })).text()
    const lines = text
      .split("\n")
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0)
  }

  /** Asks for rows until there are some. */
  private async probe(life: Life): Promise<void> {
    while (this.life === life && !this.isDoomed) {
      if (await isAnswered(`${this.url}/v1/snapshot?collections=total`)) {
        life.answeredAt = performance.now()
        this.starts.push(life.answeredAt - life.startedAt)
        return
      }
      await new Promise((done) => setTimeout(done, 10))
    }
  }

  private listen({ stdout }: ChildProcess): void {
    let rest = ""
    stdout!.on("data", (bytes: Buffer) => {
      const lines = (rest + String(bytes)).split("\n")
      rest = lines.pop()!
      for (const line of lines) {
        const held = /^\{"held":(\d+)\}$/.exec(line)?.[1]
        if (held !== undefined) this.onHeld(Number(held) / 1024)
        const level = /"level":"(WARN|ERROR|FATAL)"/i.exec(line)?.[1]
        if (level === undefined) continue
        const said = `${level} ${String((JSON.parse(line) as { readonly message: unknown }).message)}`
        this.complaints.set(said, (this.complaints.get(said) ?? 0) + 1)
      }
    })
  }
}

export const isAnswered = (url: string): Promise<boolean> =>
  new Promise((done) => {
    const request = http.get(url, { agent: false, timeout: 2_000 }, (response) => {
      response.resume()
      response.on("close", () => done(response.statusCode === 200))
    })
    request.on("timeout", () => request.destroy())
    request.on("error", () => done(false))
  })

/** The body of an answer with status 200. Not by `fetch`, which breaks where a long one ends with its connection. */
export const bodyOf = (url: string): Promise<string | undefined> =>
  new Promise((done) => {
    const request = http.get(url, { agent: false }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (more: string) => (text += more))
      response.on("error", () => done(undefined))
      response.on("close", () => done(response.complete && response.statusCode === 200 ? text : undefined))
    })
    request.on("error", () => done(undefined))
  })
