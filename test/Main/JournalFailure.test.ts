/** What a real process says and does where its journal does not work. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { Backend, freePort, until } from "../Daemon.ts"
import { Folder, ratecast } from "../Process.ts"

const folder = new Folder()
const backend = new Backend()
beforeAll(async () => {
  await backend.start()
  backend.body = [{ id: "a", n: 1 }]
})
afterAll(async () => {
  await backend.close()
  folder.remove()
})

const begin = async (name: string, env: { readonly [name: string]: string }) => {
  const data = join(folder.path, name)
  const file = join(data, "ratecast.sqlite")
  const port = await freePort()
  const start = () => {
    const config = folder.config("things.config.ts", backend.url, 'key: "id"')
    return ratecast(["serve", "--config", config], { PORT: String(port), RATECAST_DATA: data, ...env })
  }
  return { data, file, port, start }
}
const live = (run: ReturnType<typeof ratecast>) =>
  until("things to be live", () => run.out.includes("things is live"), 15_000)
const diary = "my diary\n".repeat(1_000)

describe("a journal that is another application's file", () => {
  it("stops the start with its name and the fix, and stays as it is", async () => {
    const { data, file, start } = await begin("stop", {})
    mkdirSync(data)
    writeFileSync(file, diary)
    const run = start()
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, `the journal ${file} is not a Ratecast journal; it is left as it is.`)
    assert.include(run.err, "RATECAST_DATA")
    assert.strictEqual(readFileSync(file, "utf8"), diary)
  })

  it("does not stop one that may go on in memory, which says so in the log, on /readyz and in a metric", async () => {
    const { data, file, port, start } = await begin("memory", { JOURNAL_FAILURE: "memory" })
    mkdirSync(data)
    writeFileSync(file, diary)
    const run = start()
    try {
      await live(run)
      const at = (path: string) => fetch(`http://127.0.0.1:${port}${path}`).then((answer) => answer.text())
      assert.deepStrictEqual(JSON.parse(await at("/readyz")), { status: "ok", journal: "memory" })
      assert.match(await at("/metrics"), /^journal_failed 1$/m)
      assert.strictEqual(run.out.split("live in memory only").length, 2)
      assert.strictEqual(readFileSync(file, "utf8"), diary)
    } finally {
      run.kill()
    }
  })
})

describe("a journal that another daemon has", () => {
  it("stops the start of the second, and harms the first in nothing", async () => {
    const first = await begin("both", {})
    const run = first.start()
    try {
      await live(run)
      assert.include(run.out, `begins anew in ${first.file}`)
      const { start } = await begin("both", {})
      const second = start()
      assert.strictEqual(await second.exit, 1)
      assert.include(second.err, "is in use by another process")
      const ready = await fetch(`http://127.0.0.1:${first.port}/readyz`)
      assert.deepStrictEqual(await ready.json(), { status: "ok", journal: "file" })
    } finally {
      run.kill()
    }
  })
})

describe("a journal that is deleted under a daemon", () => {
  it("ends it with the next commit, and the reason", async () => {
    const { data, file, start } = await begin("deleted", {})
    const run = start()
    await live(run)
    rmSync(data, { recursive: true })
    backend.body = [{ id: "a", n: 2 }]
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, `the journal ${file} was moved or deleted while it was in use`)
    backend.body = [{ id: "a", n: 1 }]
  })
})

describe("a write that the journal cannot keep any more", () => {
  for (const threads of ["1", "2"])
    it(`is answered with a problem, and then the daemon ends with the reason; ${threads} of threads`, async () => {
      const data = join(folder.path, `write-${threads}`)
      const port = await freePort()
      const config = folder.written("notes.config.ts")
      const run = ratecast(["serve", "--config", config], {
        PORT: String(port),
        RATECAST_DATA: data,
        RATECAST_THREADS: threads,
        ANONYMOUS_WRITE: "*"
      })
      const put = (key: string) =>
        fetch(`http://127.0.0.1:${port}/v1/rows/notes/${key}`, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: '{"text":"hello"}'
        })
      try {
        await until("the daemon", () => run.out.includes("ratecast is up"), 15_000)
        assert.strictEqual((await put("a")).status, 201)
        rmSync(data, { recursive: true })
        const answer = await put("b")
        assert.strictEqual(answer.status, 503)
        assert.strictEqual(answer.headers.get("content-type"), "application/problem+json")
        assert.isNotNull(answer.headers.get("retry-after"))
        assert.include(await answer.json(), {
          code: "unavailable",
          status: 503,
          type: "/problems/unavailable"
        })
        assert.strictEqual(await run.exit, 1)
        assert.include(run.err, "was moved or deleted while it was in use")
      } finally {
        run.kill()
      }
    })
})
