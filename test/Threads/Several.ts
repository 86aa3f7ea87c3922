/** A real daemon whose readers are served by several threads, and ways to reach one of them, or to end it. */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { type Client, EventClient } from "../Clients.ts"
import { freePort, until } from "../Daemon.ts"
import { type Folder, type Process, ratecast, root } from "../Process.ts"

/** What a thread does to itself when the test says so; 0 is the main thread. */
const ways = {
  exit: "process.exit(3)",
  throw: 'throw new Error("a thread of the test throws")',
  hang: "for (;;) {}",
  /** For five seconds, and then it goes on. */
  block: "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000)"
}

export class Several {
  readonly run: Process
  readonly port: number
  readonly url: string
  private readonly folder: Folder

  private constructor(folder: Folder, run: Process, port: number, basePath: string) {
    this.folder = folder
    this.run = run
    this.port = port
    this.url = `http://127.0.0.1:${port}${basePath}`
  }

  /** `things` polled ten times a second, `rare` once an hour, `notes` and `support:{uid}` written, and families `order:{id}` and `few:{id}`. */
  static config(folder: Folder, backend: string): string {
    const file = join(folder.path, "several.config.ts")
    const control = JSON.stringify(join(folder.path, "do-"))
    writeFileSync(
      file,
      `import { existsSync, unlinkSync } from "node:fs"
import { threadId, workerData } from "node:worker_threads"
import { Effect, Schema } from "effect"
import { HttpClient } from "effect/http"
import { defineConfig, hook, polled, source, written } from "${root}src/Config.ts"
const row = Schema.Struct({ id: Schema.String, n: Schema.Int })
const of = (path: string, options: object) =>
  polled({ source: source({ url: "${backend}" + path, ...options }), row, key: "id" })
const number = threadId === 0 ? 0 : workerData?.thread
const told = (way: string) => {
  const file = ${control} + way + "-" + number
  if (!existsSync(file)) return false
  unlinkSync(file)
  return true
}
if (number !== undefined)
  setInterval(() => {
    ${Object.entries(ways)
      .map(([way, code]) => `if (told("${way}")) { ${code} }`)
      .join("\n    ")}
  }, 20).unref()
export default defineConfig({ collections: {
  things: of("/things", { every: "100 millis" }),
  rare: of("/rare", { every: "1 hour", refreshEvery: "1 milli" }),
  notes: written({ key: "id", row: Schema.Struct({ id: Schema.String, text: Schema.String }), retain: { rows: 5 } }),
  asked: written({
    key: "id",
    row: Schema.Struct({ id: Schema.String, text: Schema.String }),
    onWrite: hook({ url: "${backend}/hook" }),
    onHistory: ({ before, limit }) =>
      HttpClient.get("${backend}/older?before=" + before + "&limit=" + limit).pipe(
        Effect.flatMap((response) => response.json)
      )
  }),
  "support:{uid}": written({ key: "id", row: Schema.Struct({ id: Schema.String, text: Schema.String }), pageOutAfter: "1 second" }),
  "order:{id}": of("/orders/{id}", { every: "100 millis", forgetAfter: "500 millis" }),
  "few:{id}": of("/few/{id}", { every: "1 second", maxMembers: 3 })
} } as never)
`
    )
    return file
  }

  static async start(
    folder: Folder,
    backend: string,
    env: { readonly [name: string]: string } = {}
  ): Promise<Several> {
    const port = Number(env["PORT"] ?? (await freePort()))
    const run = ratecast(["serve", "--config", Several.config(folder, backend)], {
      RATECAST_THREADS: "2",
      ANONYMOUS_WRITE: "*",
      ANONYMOUS_REFRESH: "*",
      PORT: String(port),
      ...env
    })
    const several = new Several(folder, run, port, env["BASE_PATH"] ?? "")
    await until(
      "ready",
      () =>
        fetch(`${several.url}/readyz`).then(
          ({ ok }) => ok,
          () => false
        ),
      20_000
    )
    return several
  }

  /** On whichever thread the kernel chooses. */
  async open(query: string, from?: Client): Promise<EventClient> {
    const client = await EventClient.open(`${this.url}/v1/stream?${query}&ping=client`, {
      headers: from?.cursor === undefined ? {} : { "last-event-id": from.cursor },
      ...(from === undefined ? {} : { from })
    })
    await until("an id", () => threadOf(client) !== undefined)
    return client
  }

  /** On this thread: the kernel goes by the client's port, so another connection may come to another thread. */
  async openOn(thread: number, query: string, from?: Client): Promise<EventClient> {
    for (let tries = 0; tries < 64; tries++) {
      const client = await this.open(query, from)
      if (threadOf(client) === thread) return client
      client.close()
    }
    throw new Error(`no connection came to thread ${thread}`)
  }

  tell(thread: number, way: keyof typeof ways): void {
    writeFileSync(this.order(thread, way), "")
  }

  /** Returns when it does it. */
  async told(thread: number, way: keyof typeof ways): Promise<void> {
    this.tell(thread, way)
    await until("told", () => !existsSync(this.order(thread, way)))
  }

  private order(thread: number, way: keyof typeof ways): string {
    return join(this.folder.path, `do-${way}-${thread}`)
  }

  async metrics(): Promise<(line: string) => number | undefined> {
    const text = await (await fetch(`${this.url}/metrics`)).text()
    const values = new Map(
      text.split("\n").map((line) => {
        const space = line.lastIndexOf(" ")
        return [line.slice(0, space), Number(line.slice(space + 1))] as const
      })
    )
    return (line) => values.get(line)
  }

  async stop(): Promise<void> {
    this.run.kill()
    await this.run.exit
  }
}

/** The id that the server gave the connection. */
export const idOf = (client: Client): string | undefined =>
  client.messages.map((message) => (message as { readonly connection?: string }).connection).find(Boolean)

export const threadOf = (client: Client): number | undefined => {
  const id = idOf(client)
  return id === undefined ? undefined : Number(id.split(".")[0])
}
