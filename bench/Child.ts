/**
 * A process of a run: pinned to a core, spoken to in lines, and gone when the bench is, however that ends: the kernel
 * kills it with its parent, and most see the end of their stdin besides.
 */
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { cpus } from "node:os"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"

import { cpuSeconds, residentKiB } from "./Cost.ts"

/** All readers come from one address, and show nothing. */
const forEverybody = {
  ANONYMOUS_READ: "*",
  ANONYMOUS_REFRESH: "*",
  MAX_CONNECTIONS: "1000000",
  MAX_CONNECTIONS_PER_ADDRESS: "1000000"
}

/** The server has one core to itself, everything else shares the other. */
export const cores = { server: 0, load: Math.min(1, cpus().length - 1) }
/** Pins a process to a core; `undefined` where there is none, or one core only. */
export const taskset = cpus().length < 2 ? undefined : ["/usr/bin/taskset", "/bin/taskset"].find(existsSync)
const setpriv = ["/usr/bin/setpriv", "/bin/setpriv"].find(existsSync)

export type Answer = { readonly [name: string]: number | string }

const running = new Set<Child>()

export const killAll = (): void => {
  for (const child of running) child.kill()
}
process.on("exit", killAll)
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129]
] as const)
  process.on(signal, () => process.exit(code))

/** A process that does not answer for this long has failed, ms. */
const patience = 60_000

export class Child {
  readonly pid: number
  private readonly process: ChildProcessByStdio<Writable, Readable, null>
  private readonly name: string
  private readonly answers: Array<Answer> = []
  private readonly waiting: Array<(answer: Answer | Error) => void> = []
  private failure: Error | undefined

  private constructor(name: string, process: ChildProcessByStdio<Writable, Readable, null>) {
    this.name = name
    this.process = process
    this.pid = process.pid ?? 0
    running.add(this)
    process.on("error", (error) => this.fail(error))
    process.on("exit", (code, signal) => this.fail(new Error(`${name} ended (${signal ?? code})`)))
    // A process that ended has no stdin; that it ended is what is reported.
    process.stdin.on("error", () => undefined)
    createInterface({ input: process.stdout }).on("line", (line) => {
      if (!line.startsWith("@ ")) return
      const answer = JSON.parse(line.slice(2)) as Answer
      const waiter = this.waiting.shift()
      if (waiter === undefined) this.answers.push(answer)
      else waiter(answer)
    })
  }

  static start(
    name: string,
    core: number,
    [command, ...args]: readonly [string, ...Array<string>],
    environment: NodeJS.ProcessEnv = {}
  ): Child {
    const options = {
      stdio: ["pipe", "pipe", "inherit"] as ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...forEverybody, ...environment }
    }
    // Each becomes the next one: it is the same process.
    const [first, ...rest] = [
      ...(setpriv === undefined ? [] : [setpriv, "--pdeathsig", "KILL"]),
      ...(taskset === undefined ? [] : [taskset, "-c", String(core)]),
      command,
      ...args
    ]
    const child = spawn(first!, rest, options)
    return new Child(name, child)
  }

  get cpu(): number {
    return cpuSeconds(this.pid)
  }

  get kiB(): number {
    return residentKiB(this.pid)
  }

  write(bytes: string | Buffer): void {
    this.process.stdin.write(bytes)
  }

  ask(command: string): Promise<Answer> {
    this.write(`${command}\n`)
    return this.answer()
  }

  answer(): Promise<Answer> {
    const answer = this.answers.shift()
    if (answer !== undefined) return Promise.resolve(answer)
    if (this.failure !== undefined) return Promise.reject(this.failure)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${this.name} does not answer`)), patience)
      this.waiting.push((answer) => {
        clearTimeout(timer)
        if (answer instanceof Error) reject(answer)
        else resolve(answer)
      })
    })
  }

  kill(): void {
    running.delete(this)
    this.process.kill("SIGKILL")
  }

  private fail(error: Error): void {
    running.delete(this)
    this.failure ??= error
    for (const waiter of this.waiting.splice(0)) waiter(this.failure)
  }
}
