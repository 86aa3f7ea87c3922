/** The promise of the journal, with a process that is killed before every statement it makes. */
import { execFile } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, it } from "@effect/vitest"

import { replay, tableOf } from "../../src/Hub/Checkpoint.ts"
import { Database } from "../../src/Hub/Journal/Database.ts"
import { defaultMemory } from "../../src/Hub/State.ts"
import { begun, commitAt, keep, member } from "./Killed.ts"

const folder = mkdtempSync(join(tmpdir(), "ratecast-killed-"))
afterAll(() => rmSync(folder, { recursive: true }))
const writer = new URL("./KilledWriter.ts", import.meta.url).pathname
const written = 100

/** What is history is the newest of what was, without a gap, and counted. */
const checkHistory = (file: string, newest: number, what: string) => {
  const database = new Database(file, begun)
  const keysOf = () =>
    database.past({ collection: "rates", before: undefined, limit: 10_000 })!.map(({ key }) => key)
  const newestOf = (count: number) => Array.from({ length: count }, (_, i) => `h${newest - i}`)
  assert.isAtLeast(keysOf().length, keep.rows, what)
  assert.deepStrictEqual(keysOf(), newestOf(keysOf().length), what)
  while (database.expire({ keeps: [keep], now: 0 })) {
    // to the end
  }
  assert.deepStrictEqual(keysOf(), newestOf(keep.rows), what)
  database.close()
}

const stateOf = (file: string) => {
  const database = new Database(file, begun)
  try {
    const steps = replay(database.load(), defaultMemory)
    for (;;) {
      const { done, value } = steps.next()
      if (done !== true) continue
      if (value.away.has(member)) value.pageIn(member, () => tableOf(database.member(member)!, defaultMemory))
      return value
    }
  } finally {
    database.close()
  }
}

/** Kills a writer before its n-th statement. `true`: it had none. */
const killAt = async (n: number): Promise<boolean> => {
  const own = join(folder, String(n))
  cpSync(join(folder, "begun"), own, { recursive: true })
  await new Promise((done) => execFile(process.execPath, [writer, own, String(n)], done))
  const notes = existsSync(join(own, "acknowledged"))
    ? readFileSync(join(own, "acknowledged"), "utf8").trim().split("\n")
    : []
  const acknowledged = Number(notes.findLast((note) => note !== "done") ?? written)
  const state = stateOf(join(own, "ratecast.sqlite"))
  // One that was under way may be kept or not.
  assert.include([acknowledged, acknowledged + 1], state.revision, `killed before statement ${n}`)
  assert.strictEqual(state.rows("rates").size, 50)
  for (let revision = state.revision - 49; revision <= state.revision; revision++) {
    const { rate } = state.rows("rates").get(`k${revision % 50}`) as { readonly rate: string }
    assert.isTrue(rate.endsWith(`x${revision}`), `killed before statement ${n}: the row of ${revision}`)
  }
  checkHistory(join(own, "ratecast.sqlite"), state.revision, `killed before statement ${n}`)
  // As it was at every commit, though it may be kept by itself.
  assert.deepStrictEqual(state.rows(member).get("a"), { id: "a", n: state.revision })
  assert.strictEqual(state.tables.get(member)!.rev, state.revision)
  rmSync(own, { recursive: true })
  return notes.includes("done")
}

it(
  "killed before any statement of a start, a checkpoint, a commit or a step of letting go of history, nothing acknowledged is lost",
  { timeout: 90_000 },
  async () => {
    const database = new Database(join(folder, "begun/ratecast.sqlite"), begun)
    for (let revision = 1; revision <= written; revision++) database.append([commitAt(revision)])
    database.close()
    let n = 0
    let isOver = false
    const worker = async () => {
      while (!isOver) isOver = (await killAt(n++)) || isOver
    }
    await Promise.all([worker(), worker()])
    assert.isAbove(n, 25)
  }
)
