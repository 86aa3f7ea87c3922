/** The fake cast that people test their components with. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { Schema } from "effect"

import { type Cast, type CastError, connect, type SnapshotMessage } from "../../client/Cast.ts"
import { fakeCast } from "../../client/Testing.ts"
import { defineConfig, written } from "../../src/Config.ts"
import { startDaemon } from "../Daemon.ts"
import { bin } from "../Project.ts"
import { bundled, filesOf, root } from "./Recipes.ts"
import { snapshot, Stage } from "./Stage.ts"

interface Api {
  readonly pools: { readonly id: string; readonly usd?: string }
  readonly chat: { readonly id: string; readonly text: string; readonly by?: string }
}

const open = () =>
  fakeCast<Api>({
    collections: { pools: { a: { id: "a", usd: "1" }, b: { id: "b", usd: "1" } }, chat: undefined }
  })

/** How an object looks from outside. */
const shape = (value: object) =>
  Object.keys(value)
    .filter((name) => name !== "fake")
    .map((name) => `${name}: ${typeof value[name as keyof typeof value]}`)
    .toSorted()

describe("a fake cast", () => {
  const opened: Array<string> = []
  beforeEach(() => {
    vi.useFakeTimers()
    opened.length = 0
    vi.stubGlobal("fetch", (url: string) => opened.push(url))
    vi.stubGlobal("WebSocket", function (url: string) {
      opened.push(url)
    })
  })
  afterEach(() => {
    assert.strictEqual(vi.getTimerCount(), 0)
    assert.deepStrictEqual(opened, [])
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it("looks as a cast does, member by member", () => {
    const real: Cast<Api> = connect<Api>("https://cast.test/", {
      collections: ["pools", "chat"],
      from: snapshot(1, { a: { id: "a", usd: "1" } }) as SnapshotMessage
    })
    const fake: Cast<Api> = open()
    assert.deepStrictEqual(shape(fake), shape(real))
    assert.deepStrictEqual(shape(fake.pools), shape(real.pools))
    assert.deepStrictEqual(shape(fake.status), shape(real.status))
    assert.deepStrictEqual(shape(fake.lane), shape(real.lane))
    // The real one gathers news for a frame.
    vi.runAllTimers()
  })

  it("tells of rows at once, each the same object until it changes, and is as its status says", async () => {
    const cast = open()
    const told: Array<ReadonlyArray<string>> = []
    const stop = cast.pools.subscribe((keys) => told.push([...keys]))
    const [a, b] = cast.pools.rows
    assert.strictEqual(cast.status.state, "connecting")
    cast.fake.put("chat", {})
    assert.strictEqual(cast.status.state, "live")
    await cast.ready()
    told.length = 0
    cast.fake.set("pools", { b: { usd: "2" } })
    cast.fake.put("pools", { c: { id: "c" } })
    cast.fake.remove("pools", "c", "none")
    cast.fake.replace("pools", { a: { id: "a", usd: "1" } })
    assert.deepStrictEqual(told, [["b"], ["c"], ["c"], ["b"]])
    assert.strictEqual(cast.pools.get("a"), a)
    assert.deepStrictEqual(b, { id: "b", usd: "1" })
    assert.strictEqual(cast.pools.rows, cast.pools.rows)
    assert.throws(() => cast.fake.set("pools", { none: { usd: "1" } }), "no such row")
    const { status } = cast
    assert.strictEqual(cast.status, status)
    assert.strictEqual(cast.fake.readers, 1)
    stop()
    stop()
    assert.strictEqual(cast.fake.readers, 0)
  })

  it("is stale, offline, dropped and failed as it is told to be, and live again", async () => {
    const cast = fakeCast<Api>({ collections: { pools: { a: { id: "a" } }, chat: {} } })
    const states: Array<string> = []
    cast.subscribe(() => states.push(cast.status.state))
    cast.fake.stale("pools")
    assert.strictEqual(cast.pools.status.error!.code, "upstream_unreachable")
    cast.fake.live("pools")
    assert.isUndefined(cast.pools.status.error)
    cast.fake.offline()
    cast.fake.connect()
    cast.fake.drop(5)
    assert.strictEqual(cast.status.retryAt, 5)
    cast.reconnect()
    cast.fake.fail({ status: 403, code: "forbidden", detail: "no" })
    assert.strictEqual(cast.status.error!.code, "forbidden")
    await cast.ready()
    assert.deepStrictEqual(states, ["stale", "live", "offline", "live", "stale", "live", "failed"])
    const empty = fakeCast<Api>({ collections: { pools: undefined, chat: {} } })
    const ready = empty.ready().catch(({ message }: CastError) => message)
    empty.fake.fail({ detail: "never" })
    assert.strictEqual(await ready, "never")
  })

  it("writes as a server does, or refuses, and has noted what was asked", async () => {
    const cast = fakeCast<Api>({ collections: { pools: {}, chat: {} } })
    const first = await cast.chat.append({ text: "one" })
    const second = await cast.chat.append({ text: "two", by: "ana" })
    assert.isBelow(first.key.localeCompare(second.key), 0)
    assert.deepStrictEqual(cast.chat.get(second.key), { id: second.key, text: "two", by: "ana" })
    await cast.chat.patch(second.key, { text: "2" }, { unset: ["by"] })
    assert.deepStrictEqual(cast.chat.get(second.key), { id: second.key, text: "2" })
    await cast.chat.put("k9", { id: "k9", text: "put" })
    const page = await cast.chat.history({ limit: 2 })
    assert.deepStrictEqual(
      page.rows.map(({ row }) => row.text),
      ["put", "2"]
    )
    const older = await cast.chat.history({ before: page.before! })
    assert.deepStrictEqual([older.rows.map(({ row }) => row.text), older.before], [["one"], null])
    await cast.chat.delete("k9")
    assert.isUndefined(cast.chat.get("k9"))
    assert.isTrue((await cast.pools.refresh()).refreshed)
    cast.fake.refuse({ status: 403, code: "forbidden", detail: "no" })
    const refusals = [cast.chat.delete(first.key), cast.chat.patch("none", {}), cast.chat.delete("none")]
    const codes = refusals.map((refusal) => refusal.then(String, ({ code }: CastError) => code))
    assert.deepStrictEqual(await Promise.all(codes), ["forbidden", "unknown_row", "unknown_row"])
    assert.strictEqual(cast.chat.get(first.key)!.text, "one")
    assert.deepStrictEqual(
      cast.fake.asked.map(({ method }) => method),
      [
        "append",
        "append",
        "patch",
        "put",
        "history",
        "history",
        "delete",
        "refresh",
        "delete",
        "patch",
        "delete"
      ]
    )
  })
})

const statusOf = ({ status: { error, state } }: Cast<Api>) => [state, error?.code, error?.message]
const readyOf = (cast: Cast<Api>) => cast.ready().then(() => "ready", String)

/** What becomes of both, the same steps behind them. */
const both = async (isLoading: boolean, step: (cast: Cast<Api>, lose: () => void) => void) => {
  const rows = { a: { id: "a" } }
  const message = snapshot(1, rows) as SnapshotMessage
  const stage = new Stage()
  try {
    const real: Cast<Api> = stage.connect({ collections: ["pools"] as never }) as never
    const stop = real.subscribe(() => {})
    await stage.pass(100)
    if (!isLoading) stage.line.say(message)
    await stage.pass(100)
    step(real, () => stage.line.end())
    // The real one takes a connection for lost after 2 s.
    await stage.pass(3_000)
    const fake = fakeCast<Api>({ collections: { pools: isLoading ? undefined : rows } as never })
    step(fake, () => fake.fake.drop())
    assert.deepStrictEqual(statusOf(fake), statusOf(real))
    if (real.status.state !== "connecting") {
      const ends = [readyOf(fake), readyOf(real)]
      await stage.pass(100)
      assert.strictEqual(await ends[0], await ends[1])
    }
    stop()
    real.close()
    await stage.pass(100)
    return fake.status.state
  } finally {
    stage.leave()
  }
}

describe("a fake cast is as a real one", () => {
  it("when the connection is lost, before there are rows and afterwards", async () => {
    assert.strictEqual(await both(true, (_, lose) => lose()), "connecting")
    assert.strictEqual(await both(false, (_, lose) => lose()), "stale")
  })

  it("when a collection is looked at that is none of its own", async () => {
    const other = "order:17" as "chat"
    assert.strictEqual(await both(false, (cast) => void cast.collection(other).rows), "live")
  })

  it("when it is closed, before there are rows and afterwards", async () => {
    for (const isLoading of [true, false])
      assert.strictEqual(await both(isLoading, (cast) => cast.close()), "failed")
    const cast = open()
    const told: Array<string> = []
    cast.subscribe(() => told.push(cast.status.state))
    const ready = readyOf(cast)
    cast.close()
    cast.fake.put("chat", { x: { id: "x", text: "late" } })
    cast.fake.connect()
    cast.reconnect()
    assert.strictEqual(cast.status.error!.code, "closed")
    assert.include(await ready, "closed")
    assert.deepStrictEqual(told, ["failed"])
    assert.strictEqual(cast.chat.rows.length, 0)
  })

  it("when it writes, of a daemon: key fields are filled in, and others are refused", async () => {
    const chat = written({
      key: "id",
      row: Schema.Struct({ id: Schema.String, text: Schema.String, by: Schema.optional(Schema.String) }),
      retain: { rows: 100 }
    })
    const daemon = await startDaemon(defineConfig({ collections: { chat } }), { ANONYMOUS_WRITE: "*" })
    const real = connect<Pick<Api, "chat">>(daemon.url, { collections: ["chat"] })
    const stop = real.subscribe(() => {})
    const fake = fakeCast<Pick<Api, "chat">>({ collections: { chat: {} } })
    const outcomes = async ({ chat }: Cast<Pick<Api, "chat">>) => {
      const first = (await chat.append({ text: "first" })).key
      const all: Array<unknown> = []
      for (const write of [
        () => chat.put("k", { text: "put" }),
        () => chat.put("k2", { id: "other", text: "put" }),
        () => chat.put("k3", { id: "k3", text: "put" }),
        () => chat.patch("k", { text: "patched", by: "ana" }),
        () => chat.patch("k", { id: "other" }),
        () => chat.patch("k", { id: "k" }, { unset: ["by"] }),
        () => chat.patch("k", {}, { unset: ["id"] }),
        () => chat.append({ id: "mine", text: "appended" }),
        () => chat.patch("none", { id: "other" }),
        () => chat.delete("none"),
        () => chat.delete("k3"),
        () => chat.patch(first, { by: "ben" })
      ])
        all.push(
          await write().then(
            ({ key, row }) => (key === first ? { ...row, id: "first" } : { key, row: row ?? null }),
            ({ code, status }: CastError) => `${status} ${code}`
          )
        )
      return [all, chat.rows.map((row) => (row.id === first ? { ...row, id: "first" } : row))]
    }
    const [[ofReal, rowsOfReal], [ofFake, rowsOfFake]] = [await outcomes(real), await outcomes(fake)]
    assert.deepStrictEqual(ofFake, ofReal)
    assert.deepStrictEqual(rowsOfFake, rowsOfReal)
    stop()
    real.close()
    await daemon.close()
  })
})

it("the docs' own test of a component passes as it stands there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ratecast-docs-"))
  const file = join(folder, "ton.test.mjs")
  writeFileSync(file, await bundled(filesOf("testing.md"), "ton.test.ts", "node"))
  const { status, stdout } = spawnSync(process.execPath, ["--test", "--test-reporter=tap", file], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] }
  })
  rmSync(folder, { recursive: true })
  assert.strictEqual(status, 0, stdout)
  assert.include(stdout, "# pass 2")
})

it("and so does the one of components that import their cast, in Vitest", () => {
  const folder = mkdtempSync(join(tmpdir(), "ratecast-docs-"))
  mkdirSync(join(folder, "node_modules"))
  symlinkSync(root, join(folder, "node_modules/ratecast"))
  for (const name of ["react", "react-dom", "vitest"])
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name))
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { jsx: "react-jsx" } }))
  const write = (spoil: (code: string) => string = (code) => code) => {
    for (const [name, code] of [...filesOf("react.md"), ...filesOf("testing.md")])
      if (["cast.ts", "Rates.tsx", "Rates.test.tsx"].includes(name))
        writeFileSync(join(folder, name), spoil(code))
  }
  const { VITEST: _, ...env } = process.env
  const run = () => {
    const args = ["run", "--root", folder, "--reporter=tap", "Rates.test.tsx"]
    const { status, stderr, stdout } = spawnSync(bin("vitest"), args, { encoding: "utf8", env })
    return { status, text: stdout + stderr }
  }
  write()
  const passed = run()
  assert.strictEqual(passed.status, 0, passed.text)
  write((code) => code.replace('toContain("<td>2.20', 'toContain("<td>2.30'))
  assert.strictEqual(run().status, 1)
  rmSync(folder, { recursive: true })
}, 60_000)
