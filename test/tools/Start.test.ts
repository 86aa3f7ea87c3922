/** `npm start`, as tools/start.mjs does it: the demo and its simulator, and the other examples. */
import { spawnSync } from "node:child_process"
import * as http from "node:http"
import type { AddressInfo } from "node:net"
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"

import { freePort, until } from "../Daemon.ts"
import { isAlive, Process, root } from "../Process.ts"

const folder = mkdtempSync(join(tmpdir(), "ratecast-start-"))
afterAll(() => rmSync(folder, { recursive: true }))

let runs = 0
const start = async (env: { readonly [name: string]: string }) => {
  const data = join(folder, String(++runs))
  const simulatorPort = String(await freePort())
  return {
    run: new Process("tools/start.mjs", [], { SIMULATOR_PORT: simulatorPort, RATECAST_DATA: data, ...env }),
    data,
    simulator: `http://127.0.0.1:${simulatorPort}/sim/state`
  }
}

const answers = (url: string): Promise<boolean> =>
  fetch(url).then(
    (answer) => answer.text().then(() => answer.ok),
    () => false
  )

const stopped = async (run: Process, pids: ReadonlyArray<number>, simulator: string): Promise<void> => {
  await until("no process is left", () => !pids.some(isAlive))
  assert.isFalse(await answers(simulator))
  assert.isFalse(isAlive(run.child.pid!))
}

/** The demos that say of themselves that they run. */
const running = () => readdirSync(join(root, "data/running")).filter((file) => file.startsWith("dex"))

describe("npm start", () => {
  it("serves the demo on PORT and HOST, and takes its simulator with it", async () => {
    const port = await freePort()
    const [adminPort, url] = [await freePort(), `http://127.0.0.1:${port}`]
    const { data, run, simulator } = await start({
      PORT: String(port),
      HOST: "0.0.0.0",
      ADMIN_PORT: String(adminPort)
    })
    try {
      await until("the page", () => answers(`${url}/`), 15_000)
      await until("rates", () => answers(`${url}/readyz`))
      assert.include(run.out, `http://0.0.0.0:${port}/`)
      assert.isTrue(await answers(simulator))
      // Everybody can reach it now, so what is for operators has moved.
      assert.isFalse(await answers(`${url}/metrics`))
      assert.isTrue(await answers(`http://127.0.0.1:${adminPort}/metrics`))
      assert.isNotEmpty(readdirSync(data))
      const pids = run.children
      assert.isNotEmpty(pids)
      run.child.kill("SIGTERM")
      assert.strictEqual(await run.exit, 0, run.err)
      await stopped(run, pids, simulator)
    } finally {
      run.kill()
    }
  })

  it("a second time over the same data touches nothing of the first", async () => {
    const { data, run, simulator } = await start({ PORT: String(await freePort()) })
    const indexes = () =>
      readdirSync(data, { recursive: true }).filter((file) => String(file).endsWith("index.html"))
    try {
      await until("rates", () => /serving/.test(run.out), 15_000)
      const url = /serving +(http:\S+)/.exec(run.out)![1]!
      const page = async () => (await fetch(url, { cache: "no-store" })).text()
      const [before, announced] = [await page(), running()]
      assert.include(before, `data-simulator="${new URL(simulator).origin}"`)
      const second = new Process("tools/start.mjs", [], { RATECAST_DATA: data })
      assert.strictEqual(await second.exit, 1)
      assert.include(second.err, "is in use")
      assert.strictEqual(await page(), before)
      assert.deepStrictEqual([indexes().length, running()], [1, announced])
      run.kill()
      await run.exit
      // What one that was killed has left goes with the next.
      const third = new Process("tools/start.mjs", [], { RATECAST_DATA: data })
      await until("rates again", () => /serving/.test(third.out), 15_000)
      assert.lengthOf(indexes(), 1)
      assert.notDeepEqual(running(), announced)
      third.child.kill("SIGTERM")
      await third.exit
      assert.lengthOf(indexes(), 0)
    } finally {
      run.kill()
    }
  }, 40_000)

  it("leaves no simulator behind, however it dies", async () => {
    const { run, simulator } = await start({ PORT: String(await freePort()) })
    try {
      await until("the simulator", () => answers(simulator), 15_000)
      const pids = run.children
      run.kill()
      assert.strictEqual(await run.exit, "SIGKILL")
      await stopped(run, pids, simulator)
    } finally {
      run.kill()
    }
  })

  it("takes ports of its own, the daemon's and the backend's, though three examples are started at once", async () => {
    const runs = ["menu", "support", "sharing-centre"].map(
      (name) =>
        new Process("tools/start.mjs", [name], {
          QUIET: "1",
          RATECAST_DATA: join(folder, `at-once-${name}`)
        })
    )
    const urls = () => runs.map(({ out }) => /serving +(http:\S+)/.exec(out)?.[1])
    try {
      await until("all of them", () => urls().every((url) => url !== undefined), 30_000)
      assert.strictEqual(new Set(urls()).size, 3)
      const backends = await Promise.all(
        urls().map(async (url) => ((await (await fetch(`${url}backend.json`)).json()) as { url: string }).url)
      )
      assert.strictEqual(new Set(backends).size, 3)
      const paths = ["companies", "people", "orders"]
      for (const [i, backend] of backends.entries()) assert.isTrue(await answers(`${backend}/${paths[i]}`))
      for (const { err } of runs) assert.strictEqual(err, "")
    } finally {
      for (const run of runs) run.child.kill("SIGTERM")
      await Promise.all(runs.map(({ exit }) => exit))
    }
  }, 40_000)

  it("starts another example by its name, and knows those that there are", async () => {
    const run = new Process("tools/start.mjs", ["caht"])
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, 'there is no example "caht"; there are: chat, dex, menu, sharing-centre')
  })

  it("says that a port is taken and how to choose another, and leaves nothing behind", async () => {
    const taken = http.createServer()
    const port = await new Promise<number>((done) =>
      taken.listen(0, "127.0.0.1", () => done((taken.address() as AddressInfo).port))
    )
    const { run, simulator } = await start({ PORT: String(port) })
    let pids: ReadonlyArray<number> = []
    await until("the simulator", () => (pids = run.children).length > 0, 15_000)
    assert.strictEqual(await run.exit, 1)
    assert.match(run.err.trim(), new RegExp(`^port ${port} on 127.0.0.1 is taken; .*PORT=${port + 1}$`))
    await stopped(run, pids, simulator)
    await new Promise((done) => taken.close(done))
  })
})

describe("npx ratecast", () => {
  it("in a clone in which nothing is installed says what to run", () => {
    const clone = join(folder, "clone")
    cpSync(join(root, "bin"), join(clone, "bin"), { recursive: true })
    cpSync(join(root, "package-lock.json"), join(clone, "package-lock.json"))
    const { status, stderr } = spawnSync(process.execPath, [join(clone, "bin/ratecast.mjs"), "check"], {
      encoding: "utf8"
    })
    assert.strictEqual(status, 1)
    assert.match(stderr, /^what this clone needs is not installed yet.*; run npm ci/)
    assert.notInclude(stderr, "    at ")
  })
})
