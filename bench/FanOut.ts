/** Fan-out: what one event costs the server per reader, beside a bare Node server in the same run. Read the ratios. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"

import { cpuSeconds } from "./Cpu.ts"

interface Scenario {
  readonly server: "bare" | "ratecast"
  readonly road: "stream" | "socket"
}

export interface Measured extends Scenario {
  readonly readers: number
  readonly bytes: number
  readonly microseconds: number
  readonly delivered: number
}

const rate = 20
const seconds = 5

/** The server has one core to itself, the readers the other. */
const start = async (core: number, file: string, args: ReadonlyArray<string>): Promise<ChildProcess> => {
  const child = fork(new URL(file, import.meta.url), args, {
    execPath: "/usr/bin/taskset",
    execArgv: ["-c", String(core), process.execPath]
  })
  await once(child, "message")
  return child
}

const count = async (load: ChildProcess): Promise<{ readonly messages: number; readonly bytes: number }> => {
  load.send("count")
  const [counted] = (await once(load, "message")) as [{ readonly messages: number; readonly bytes: number }]
  return counted
}

export const measure = async (scenario: Scenario, readers: number, bytes: number): Promise<Measured> => {
  const port = 20_000 + Math.floor(Math.random() * 20_000)
  const server = await start(0, "./Server.ts", [scenario.server, String(port), String(bytes), String(rate)])
  const path = scenario.server === "bare" ? "/" : `/v1/${scenario.road}?collections=texts`
  const load = await start(1, "./Load.ts", [String(port), path, String(readers), scenario.road])
  server.send("go")
  await new Promise((done) => setTimeout(done, 1_500))
  const before = await count(load)
  const cpuBefore = cpuSeconds(server.pid!)
  await new Promise((done) => setTimeout(done, seconds * 1000))
  const cpu = cpuSeconds(server.pid!) - cpuBefore
  const after = await count(load)
  server.kill("SIGKILL")
  load.kill("SIGKILL")
  const delivered = after.messages - before.messages
  return { ...scenario, readers, bytes, delivered, microseconds: (cpu * 1e6) / delivered }
}
