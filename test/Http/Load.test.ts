/** Loading a written collection: daemons of their own over a real backend, killed at the wrong moments, with one thread and with two. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, afterEach, assert, beforeAll, describe, it } from "@effect/vitest"

import { Backend, freePort, until } from "../Daemon.ts"
import { Folder, type Process, ratecast, root } from "../Process.ts"

const folder = new Folder()
const backend = new Backend()
const asked: Array<string> = []
/** What the backend answers; nothing while there is nothing to say. */
let rows: ReadonlyArray<object> | undefined
let status = 200
let runs: Array<Process> = []
let url = ""

beforeAll(async () => {
  await backend.start()
  backend.handler = ({ url = "" }, response) => {
    asked.push(url)
    response.statusCode = status
    if (rows !== undefined) response.end(JSON.stringify({ messages: rows }))
  }
})
afterEach(async () => {
  for (const run of runs) {
    run.kill()
    await run.exit
  }
  runs = []
})
afterAll(async () => {
  await backend.close()
  folder.remove()
})

const start = async (name: string, threads: string): Promise<Process> => {
  const config = join(folder.path, "load.config.ts")
  writeFileSync(
    config,
    `import { Schema } from "effect"
import { defineConfig, source, written } from "${root}src/Config.ts"
const of = (path: string) => written({
  key: "id",
  row: Schema.Struct({ id: Schema.String, text: Schema.String }),
  retain: { rows: 5 },
  loadFirst: "newest",
  load: source({ url: "${backend.url}" + path, rows: "messages", timeout: "20 seconds" })
})
export default defineConfig({ collections: { chat: of("/chat"), "support:{id}": of("/support/{id}") } } as never)
`
  )
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  const run = ratecast(["serve", "--config", config], {
    PORT: String(port),
    ANONYMOUS_WRITE: "*",
    RATECAST_DATA: join(folder.path, name),
    RATECAST_THREADS: threads
  })
  runs.push(run)
  await until(
    "it listens",
    () =>
      fetch(`${url}/livez`).then(
        ({ ok }) => ok,
        () => false
      ),
    20_000
  )
  return run
}

const killed = async (run: Process) => {
  run.kill()
  await run.exit
}
const ask = async (path: string, init: RequestInit = {}) => {
  const answer = await fetch(`${url}${path}`, {
    ...init,
    headers: { "content-type": "application/json", connection: "close" }
  })
  const json = (await answer.json()) as { readonly [name: string]: unknown }
  return { status: answer.status, retryAfter: answer.headers.get("retry-after"), json }
}
const post = (collection: string, text: string) =>
  ask(`/v1/rows/${collection}`, { method: "POST", body: JSON.stringify({ text }) })
const textsOf = async (collection: string) => {
  const { json } = await ask(`/v1/history/${collection}?limit=500`)
  return (json["rows"] as ReadonlyArray<{ readonly row: { readonly text: string } }>).map(
    ({ row }) => row.text
  )
}
const isReady = () => fetch(`${url}/readyz`).then(({ ok }) => ok)
const messages = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ id: `k${i}`, text: `m${i}` })).toReversed()
const newestFirst = (count: number) => messages(count).map(({ text }) => text)

for (const threads of ["1", "2"])
  describe(`a written collection that is loaded, with RATECAST_THREADS=${threads}`, () => {
    it(
      "is refused until it is there, and loaded once, however often the daemon is killed",
      { timeout: 60_000 },
      async () => {
        rows = undefined
        asked.length = 0
        const data = `once-${threads}`
        const first = await start(data, threads)
        await until("it is asked for", () => asked.length === 1)
        assert.isFalse(await isReady())
        const { json } = await ask("/v1/snapshot?collections=chat")
        assert.include(JSON.stringify(json["collections"]), '"state":"loading"')
        const history = await ask("/v1/history/chat")
        assert.deepStrictEqual([history.status, history.retryAfter], [503, "2"])
        const wrote = await post("chat", "too early")
        assert.deepStrictEqual(
          [wrote.status, wrote.json["code"], wrote.retryAfter],
          [503, "unavailable", "2"]
        )
        await killed(first)
        rows = messages(12)
        const second = await start(data, threads)
        await until("it is ready", isReady)
        assert.deepStrictEqual(await textsOf("chat"), newestFirst(12))
        assert.strictEqual((await post("chat", "new")).status, 201)
        await killed(second)
        await start(data, threads)
        await until("it is ready", isReady)
        assert.deepStrictEqual(await textsOf("chat"), ["new", ...newestFirst(12)])
        assert.deepStrictEqual(asked, ["/chat", "/chat"])
      }
    )

    it(
      "and members of a family by whoever asks for one first, which waits for it where it writes",
      { timeout: 60_000 },
      async () => {
        rows = messages(3)
        asked.length = 0
        const data = `family-${threads}`
        const first = await start(data, threads)
        await until("it is ready", isReady)
        const all = await Promise.all(Array.from({ length: 8 }, (_, i) => post("support:a%2Fb", `n${i}`)))
        for (const { status } of all) assert.strictEqual(status, 201)
        const texts = await textsOf("support:a%2Fb")
        assert.deepStrictEqual(texts.slice(8), newestFirst(3))
        await until("it is there", async () => (await ask("/v1/history/support:9")).status === 200)
        assert.deepStrictEqual(await textsOf("support:9"), newestFirst(3))
        await killed(first)
        await start(data, threads)
        assert.deepStrictEqual(await textsOf("support:a%2Fb"), texts)
        assert.deepStrictEqual(asked, ["/chat", "/support/a%2Fb", "/support/9"])
      }
    )
  })

describe("what is not loaded", () => {
  it(
    "is in the log with how much is wrong and what to do, after a restart, too",
    { timeout: 60_000 },
    async () => {
      rows = [...messages(8), { id: "bad", text: 7 }]
      const said = /"chat is loading: 1 of 9 rows .* set maxBad to more than 0\.1/
      for (let run = 0; run < 2; run++) {
        const daemon = await start("bad", "1")
        await until("it says why", () => said.test(daemon.out))
        const which = 'row set aside: \\"text\\" does not fit: Expected string; it is a number"'
        await until("it says which", () => daemon.out.includes(which))
        assert.lengthOf(daemon.out.match(new RegExp(said, "g"))!, 1)
        await killed(daemon)
      }
    }
  )

  it("because nothing is there, by a 404, is in the log with what a backend answers instead", async () => {
    status = 404
    const daemon = await start("none", "1")
    const advice = `GET ${backend.url}/chat. A backend that has nothing there answers 200 without rows: [].`
    await until("it says why", () => daemon.out.includes(advice))
    status = 200
  })
})
