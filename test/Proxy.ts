/** A real proxy before a daemon: nginx or HAProxy, with a config of its own, on a port of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { until } from "./Daemon.ts"

/** Where Debian and its kin put it. */
const found = (name: string): string | undefined =>
  ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))

export const programs = { nginx: found("nginx"), haproxy: found("haproxy") }
export type Kind = keyof typeof programs

/** What stands around a config of nginx so that it runs without a place in the system. */
const nginxMain = (folder: string, config: string): string => `
daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/log;
${process.getuid?.() === 0 ? "user root;" : ""}
events { worker_connections 4096; }
http {
  access_log off;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((of) => `${of}_temp_path ${folder}/${of};`).join(" ")}
  ${config}
}
`

const isOpen = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = net.connect({ port, host: "127.0.0.1" })
    socket.once("connect", () => {
      socket.destroy()
      done(true)
    })
    socket.once("error", () => done(false))
  })

/** Several are opened at the same time. */
const given = new Set<number>()

const portFrom = async (first: number): Promise<number> => {
  for (let i = 0; i < 100; i++) {
    const port = 8500 + ((first + i) % 100)
    if (given.has(port)) continue
    given.add(port)
    if (!(await isOpen(port))) return port
  }
  throw new Error("no port from 8500 to 8599 is free")
}

export class Proxy {
  readonly kind: Kind
  readonly port: number
  private readonly folder: string
  /** One, and after a reload the one before as long as it has streams. */
  private children: Array<ChildProcess> = []

  private constructor(kind: Kind, port: number, folder: string) {
    this.kind = kind
    this.port = port
    this.folder = folder
  }

  /** `config` is given the port where the proxy listens. */
  static async open(kind: Kind, config: (port: number) => string): Promise<Proxy> {
    const folder = mkdtempSync(join(tmpdir(), `ratecast-${kind}-`))
    const proxy = new Proxy(kind, await portFrom(Math.floor(Math.random() * 100)), folder)
    const text = config(proxy.port)
    writeFileSync(join(folder, "config"), kind === "nginx" ? nginxMain(folder, text) : text)
    await proxy.start()
    return proxy
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  private get args(): ReadonlyArray<string> {
    const config = join(this.folder, "config")
    return this.kind === "nginx"
      ? ["-p", this.folder, "-c", config, "-e", join(this.folder, "log")]
      : ["-db", "-f", config]
  }

  async start(more: ReadonlyArray<string> = []): Promise<void> {
    const child = spawn(programs[this.kind]!, [...this.args, ...more], { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => (said += text))
    this.children.push(child)
    // Whoever is stopped in the middle of a test leaves nothing behind.
    const end = () => child.kill()
    process.once("exit", end)
    child.once("exit", () => process.off("exit", end))
    await until(`${this.kind} listens`, async () => {
      if (child.exitCode !== null) throw new Error(`${this.kind} ended: ${said}${this.log}`)
      return isOpen(this.port)
    })
  }

  get log(): string {
    const file = join(this.folder, "log")
    return existsSync(file) ? readFileSync(file, "utf8") : ""
  }

  /** Cuts every connection: nginx as its own command does it, HAProxy by a kill. */
  async stop(): Promise<void> {
    const running = this.children.filter(({ exitCode, signalCode }) => (exitCode ?? signalCode) === null)
    this.children = []
    const ended = running.map((child) => new Promise((done) => child.once("exit", done)))
    if (running.length > 0 && this.kind === "nginx") this.signal("stop")
    else for (const child of running) child.kill("SIGKILL")
    await Promise.all(ended)
  }

  /** Reads its config anew, as its service file has it done. */
  async reload(): Promise<void> {
    if (this.kind === "nginx") this.signal("reload")
    else await this.start(["-sf", ...this.children.map(({ pid }) => String(pid))])
  }

  private signal(name: "stop" | "reload"): void {
    spawnSync(programs.nginx!, [...this.args, "-s", name])
  }

  async close(): Promise<void> {
    await this.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
