/** What every journal promises, and what SQLite says of files that are not as they should be. */
import { spawnSync } from "node:child_process"
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { Worker } from "node:worker_threads"

import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"

import { describedOf } from "../../src/Hub/Checkpoint.ts"
import { type Expiring, Journal, JournalFailed, type Kept } from "../../src/Hub/Journal.ts"
import { Database } from "../../src/Hub/Journal/Database.ts"
import { layerFallback } from "../../src/Hub/Journal/Fallback.ts"
import { Disk, layerMemory } from "../../src/Hub/Journal/Memory.ts"
import { DatabaseMistake } from "../../src/Hub/Journal/Mistake.ts"
import { layerSqlite } from "../../src/Hub/Journal/Sqlite.ts"
import { collections } from "./World.ts"

const folder = mkdtempSync(join(tmpdir(), "ratecast-journal-"))
afterAll(() => rmSync(folder, { recursive: true }))
let files = 0
const quiet = Logger.layer([])
const newFile = () => join(folder, `${files++}`, "ratecast.sqlite")

const fresh = { epoch: "first", collections: collections.map(describedOf) }
const entry = (revision: number, text = `{"at":${revision},"collections":{}}`) => ({ revision, text })

const past = (key: string, row = `{"id":${JSON.stringify(key)}}`) => ({ collection: "chat", key, row })

const left = (key: string, at = 0) => ({ ...past(key), at })

/** So many rows on their way into history, born one a millisecond. */
const rows = (collection: string, count: number) =>
  Array.from({ length: count }, (_, i) => ({ ...left(`k${i}`, i), collection }))
const from = (first: number, end: number) => Array.from({ length: end - first }, (_, i) => first + i)
/** As the server gives keys. */
const given = (n: number) => `00000000${n}000`
const member = (name: string, rev: number, text = `${name} ${rev}`) => ({ name, rev, text })
const touching = (revision: number, name: string) =>
  entry(revision, JSON.stringify({ at: 1, collections: { [name]: {} } }))

/** One run of a process: opens, does something, and ends. */
type Run = <A>(
  use: (journal: Journal["Service"], kept: Kept) => Effect.Effect<A, JournalFailed>
) => Promise<A>

const runOf =
  (layer: Layer.Layer<Journal, JournalFailed>, epoch = "other"): Run =>
  (use) =>
    Effect.gen(function* () {
      const journal = yield* Journal
      return yield* use(journal, yield* journal.open({ ...fresh, epoch }))
    }).pipe(Effect.provide(Layer.fresh(layer)), Effect.runPromise)

const backends: ReadonlyArray<readonly [name: string, make: () => Layer.Layer<Journal, JournalFailed>]> = [
  ["memory", () => layerMemory(new Disk())],
  ["SQLite", () => layerSqlite(newFile())]
]

/** Step by step, until there is no more. */
const expired = (journal: Journal["Service"], expiring: Expiring) =>
  Effect.repeat(journal.expire(expiring), { while: (more) => more })

for (const [name, make] of backends) {
  describe(`a journal in ${name}`, () => {
    it("is empty at first, under the epoch it is given", async () => {
      const kept = await runOf(make(), "first")((_, kept) => Effect.succeed(kept))
      assert.deepStrictEqual(kept, {
        ...fresh,
        pieces: [],
        entries: [],
        members: new Map(),
        answered: []
      })
    })

    it("keeps what it acknowledged, in order, and its epoch", async () => {
      const run = runOf(make(), "first")
      await run((journal) => Effect.forEach([entry(1), entry(2)], journal.append))
      await run((journal) => journal.append(entry(3)))
      const kept = await run((_, kept) => Effect.succeed(kept))
      assert.deepStrictEqual(kept, {
        ...fresh,
        pieces: [],
        entries: [entry(1), entry(2), entry(3)],
        members: new Map(),
        answered: []
      })
    })

    it("keeps any text: lone surrogates as JSON writes them, NUL, line ends, 1 MB", async () => {
      const run = runOf(make())
      const texts = [JSON.stringify("\ud800"), JSON.stringify("a\0b"), '"\u2028\n🙂"', "x".repeat(1_000_000)]
      await run((journal) => Effect.forEach(texts, (text, i) => journal.append(entry(i + 1, text))))
      const { entries } = await run((_, kept) => Effect.succeed(kept))
      assert.deepStrictEqual(
        entries.map(({ text }) => text),
        texts
      )
    })

    it("a checkpoint stands in place of everything before it", async () => {
      const run = runOf(make())
      await run((journal) =>
        Effect.forEach([entry(1), entry(2)], journal.append).pipe(
          Effect.andThen(journal.replace({ collections: [], pieces: ["a", "b", "c"] })),
          Effect.andThen(journal.append(entry(3)))
        )
      )
      const kept = await run((_, kept) => Effect.succeed(kept))
      assert.deepStrictEqual(kept, {
        epoch: "other",
        collections: [],
        pieces: ["a", "b", "c"],
        entries: [entry(3)],
        members: new Map(),
        answered: []
      })
    })

    it("keeps rows that are history, and gives them page by page, the newest first", async () => {
      const run = runOf(make())
      const odd = ["\ud800", "\ud801", "a\0b", "__proto__"].map((key) => past(key))
      const gone = odd.map((row) => ({ ...row, at: 3 }))
      const others = [{ collection: "support:1", key: "a", row: "1" }]
      await run((journal) =>
        Effect.forEach(
          [
            { ...entry(1), history: [left("a"), left("b")] },
            { ...entry(2), history: others.map((row) => ({ ...row, at: 2 })), durability: "power" as const },
            { ...entry(3), history: [left("c"), ...gone] }
          ],
          journal.append
        )
      )
      const all = [past("a"), past("b"), past("c"), ...odd].toReversed()
      const asked = (collection: string, before?: string, limit = 100) =>
        run((journal) => journal.past({ collection, before, limit }))
      assert.deepStrictEqual(await asked("chat"), all)
      assert.deepStrictEqual(await asked("chat", undefined, 3), all.slice(0, 3))
      assert.deepStrictEqual(await asked("chat", "\ud800"), all.slice(4))
      assert.deepStrictEqual(await asked("chat", "a"), [])
      assert.deepStrictEqual(await asked("support:1"), others)
      assert.isUndefined(await asked("chat", "nobody"))
      assert.isUndefined(await asked("support:1", "b"))
      const { entries } = await run((_, kept) => Effect.succeed(kept))
      assert.deepStrictEqual(entries, [entry(1), entry(2), entry(3)])
    })

    it("keeps as much history as it is told, the newest, of each member of a family", async () => {
      await runOf(make())((journal) =>
        Effect.gen(function* () {
          const expire = (keep: object, now: number) =>
            expired(journal, { keeps: [{ family: "support", rows: Infinity, ...keep }], now })
          const kept = (collection: string) =>
            Effect.map(journal.past({ collection, before: undefined, limit: 10_000 }), (found) =>
              found!.map(({ key }) => Number(key.slice(1))).toReversed()
            )
          const history = [...rows("support:1", 1_700), ...rows("support:2", 5), ...rows("supporters", 30)]
          yield* journal.append({ ...entry(1), history })
          yield* expire({ rows: 10 }, 0)
          assert.deepStrictEqual(yield* kept("support:1"), from(1_690, 1_700))
          assert.deepStrictEqual(yield* kept("support:2"), from(0, 5))
          yield* expire({ age: 1_000 }, 2_694)
          assert.deepStrictEqual(yield* kept("support:1"), from(1_695, 1_700))
          assert.deepStrictEqual(yield* kept("support:2"), [])
          assert.deepStrictEqual(yield* kept("supporters"), from(0, 30))
          // What is gone is no row any more.
          assert.isUndefined(yield* journal.past({ collection: "support:1", before: "k1694", limit: 5 }))
          // A row that is history again is the newest, and counts once.
          const again = rows("support:1", 1_700).slice(1_695, 1_697)
          yield* journal.append({ ...entry(2), history: again })
          yield* expire({ rows: 4 }, 0)
          assert.deepStrictEqual(yield* kept("support:1"), [1_698, 1_699, 1_695, 1_696])
          yield* expire({ rows: 0 }, 0)
          assert.deepStrictEqual(yield* kept("support:1"), [])
        })
      )
    })

    it("pages on from a key that the server gave, whether or not its row is still there", async () => {
      const history = [left(given(1)), left("own"), left(given(3)), left(given(5))]
      await runOf(make())((journal) =>
        Effect.gen(function* () {
          yield* journal.append({ ...entry(1), history })
          const asked = (before: string, limit = 9) =>
            Effect.map(journal.past({ collection: "chat", before, limit }), (found) =>
              found?.map(({ key }) => key)
            )
          assert.deepStrictEqual(yield* asked(given(4)), [given(3), "own", given(1)])
          assert.deepStrictEqual(yield* asked(given(2)), [given(1)])
          assert.deepStrictEqual(yield* asked(given(0)), [])
          assert.deepStrictEqual(yield* asked(given(9), 1), [given(5)])
          assert.isUndefined(yield* asked(given(4), 0))
          assert.deepStrictEqual(yield* asked(given(3), 0), [])
          assert.isUndefined(yield* asked("another"))
        })
      )
    })

    it("keeps members of families by themselves, each as it was last, and has them where a commit touches them", async () => {
      const run = runOf(make())
      const odd = member("support:\ud800", 2, '{"a":"\u0000🙂"}')
      await run((journal) =>
        journal
          .append(entry(1))
          .pipe(
            Effect.andThen(
              Effect.forEach([member("support:1", 1), odd, member("support:\ud801", 2)], journal.keepMember)
            ),
            Effect.andThen(journal.append(touching(2, "support:1"))),
            Effect.andThen(journal.keepMember(member("support:1", 2)))
          )
      )
      const [one, other, none, kept] = await run((journal, kept) =>
        Effect.all([
          journal.member("support:1"),
          journal.member(odd.name),
          journal.member("support:2"),
          Effect.succeed(kept)
        ])
      )
      assert.strictEqual(one, "support:1 2")
      assert.strictEqual(other, odd.text)
      assert.isUndefined(none)
      assert.strictEqual(kept.members?.get("support:1"), "support:1 2")
    })

    it("many appends at once are all kept, in the order they were asked for", async () => {
      const run = runOf(make())
      const entries = Array.from({ length: 500 }, (_, i) => entry(i + 1))
      await run((journal) => Effect.forEach(entries, journal.append, { concurrency: "unbounded" }))
      assert.deepStrictEqual((await run((_, kept) => Effect.succeed(kept))).entries, entries)
    })
  })
}

const troubleOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    if (error instanceof DatabaseMistake) return error.trouble
    throw error
  }
  return "none"
}

describe("a file that is not as it should be", () => {
  it("another process's: locked, and the one that has it goes on", () => {
    const file = newFile()
    const first = new Database(file, fresh)
    assert.strictEqual(
      troubleOf(() => new Database(file, fresh)),
      "locked"
    )
    first.append([entry(1)])
    first.close()
    const second = new Database(file, fresh)
    assert.deepStrictEqual(
      second.load().entries.map(({ revision }) => revision),
      [1]
    )
    second.close()
  })

  it("text, another application's database: foreign; of another layout: of another version; each left as it is", () => {
    const text = newFile()
    mkdirSync(join(text, ".."), { recursive: true })
    writeFileSync(text, "my diary\n".repeat(1_000))
    const other = newFile()
    mkdirSync(join(other, ".."), { recursive: true })
    const db = new DatabaseSync(other)
    db.exec("CREATE TABLE photos (id INTEGER)")
    db.close()
    const newer = newFile()
    new Database(newer, fresh).close()
    const later = new DatabaseSync(newer)
    later.exec("PRAGMA user_version = 99")
    later.close()
    for (const file of [text, other, newer]) {
      const before = readFileSync(file)
      assert.strictEqual(
        troubleOf(() => new Database(file, fresh)),
        file === newer ? "version" : "foreign",
        file
      )
      assert.isTrue(readFileSync(file).equals(before), file)
    }
  })

  it("damaged: corrupt, and left as it is", () => {
    const file = newFile()
    const database = new Database(file, fresh)
    for (let i = 1; i <= 500; i++) database.append([entry(i, `"${"x".repeat(1_000)}"`)])
    database.close()
    const bytes = readFileSync(file)
    bytes.fill(0xa5, 4_096, bytes.length - 4_096)
    writeFileSync(file, bytes)
    const trouble = troubleOf(() => {
      const damaged = new Database(file, fresh)
      try {
        damaged.load()
      } finally {
        damaged.close()
      }
    })
    assert.strictEqual(trouble, "corrupt")
  })

  it("moved away without its log: corrupt, and the log is left as it is", () => {
    const file = newFile()
    const database = new Database(file, fresh)
    database.append([entry(1)])
    const killed = join(file, "../killed.sqlite")
    copyFileSync(`${file}-wal`, `${killed}-wal`)
    database.close()
    const log = readFileSync(`${killed}-wal`)
    assert.strictEqual(
      troubleOf(() => new Database(killed, fresh)),
      "corrupt"
    )
    assert.isTrue(readFileSync(`${killed}-wal`).equals(log))
    assert.isFalse(existsSync(killed))
  })

  it("emptied beside its log: corrupt, and the log is left as it is", () => {
    const file = newFile()
    const database = new Database(file, fresh)
    database.append([entry(1)])
    const emptied = join(file, "../emptied.sqlite")
    copyFileSync(`${file}-wal`, `${emptied}-wal`)
    writeFileSync(emptied, "")
    database.close()
    assert.strictEqual(
      troubleOf(() => new Database(emptied, fresh)),
      "corrupt"
    )
    assert.isAbove(readFileSync(`${emptied}-wal`).length, 0)
  })

  it("with one letter of a checkpoint changed: corrupt", () => {
    const file = newFile()
    const database = new Database(file, fresh)
    database.replace({ collections: [], pieces: ["one", "two"] })
    database.close()
    const other = new DatabaseSync(file)
    other.exec("UPDATE checkpoint SET text = 'twO' WHERE part = 1")
    other.close()
    const again = new Database(file, fresh)
    assert.strictEqual(
      troubleOf(() => again.load()),
      "corrupt"
    )
    again.close()
  })

  for (const [what, move] of [
    ["deleted", (file: string) => rmSync(file)],
    ["without its log", (file: string) => rmSync(`${file}-wal`)],
    ["put another in its place", (file: string) => renameSync(file, `${file}.old`) ?? writeFileSync(file, "")]
  ] as const)
    it(`${what} while it is used: moved, before another commit is acknowledged`, async () => {
      const file = newFile()
      const failure = await Effect.gen(function* () {
        const journal = yield* Journal
        yield* journal.open(fresh)
        yield* journal.append(entry(1))
        move(file)
        return yield* Effect.flip(journal.append(entry(2)))
      }).pipe(Effect.provide(layerSqlite(file)), Effect.provide(quiet), Effect.runPromise)
      assert.strictEqual(failure.trouble, "moved")
      assert.include(failure.message, "was moved or deleted while it was in use")
    })

  it("in a folder that cannot be made: failed, at once", { timeout: 5_000 }, async () => {
    const failure = await runOf(layerSqlite("/proc/nowhere/ratecast.sqlite"))(() => Effect.void).catch(
      (error: unknown) => error
    )
    assert.include((failure as JournalFailed).message, "/proc/nowhere")
  })

  it("where no file can be: failed", () => {
    const file = join(folder, "a-file")
    writeFileSync(file, "")
    assert.strictEqual(
      troubleOf(() => new Database(join(file, "x.sqlite"), fresh)),
      "failed"
    )
  })

  const small = join(folder, "small")
  mkdirSync(small)
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=300k", "tmpfs", small]).status === 0
  afterAll(() => void (mounted && spawnSync("umount", [small])))

  it.skipIf(!mounted)(
    "a disk that is full: nothing acknowledged is lost (skipped where nothing may be mounted)",
    () => {
      const file = join(small, "ratecast.sqlite")
      const filler = join(small, "filler")
      writeFileSync(filler, "f".repeat(100_000))
      const database = new Database(file, fresh)
      let acknowledged = 0
      const trouble = troubleOf(() => {
        for (let i = 1; i <= 500; i++) {
          database.append([entry(i, `"${"x".repeat(5_000)}"`)])
          acknowledged = i
        }
      })
      assert.strictEqual(trouble, "full")
      assert.isAbove(acknowledged, 5)
      database.close()
      rmSync(filler)
      const again = new Database(file, fresh)
      assert.lengthOf(again.load().entries, acknowledged)
      again.close()
    }
  )

  it.skipIf(!mounted)(
    "a disk that is full when a checkpoint is made: another is made when there is room (skipped where nothing may be mounted)",
    () => {
      const resize = (size: string) => spawnSync("mount", ["-o", `remount,size=${size}`, small])
      resize("14m")
      const file = join(small, "checkpoint.sqlite")
      const database = new Database(file, fresh)
      const troubles: Array<string> = []
      for (let revision = 1; troubles.length === 0 && revision < 400; revision++) {
        grow(database, revision, revision, 90)
        if (database.wantsCheckpoint) troubles.push(troubleOf(() => exhaust(database.checkpoint())))
        if (troubles[0] === "none") troubles.length = 0
      }
      assert.deepStrictEqual(troubles, ["full"])
      resize("64m")
      exhaust(database.checkpoint())
      assert.lengthOf(database.load().entries, 0)
      database.close()
      rmSync(file)
    }
  )

  it.skipIf(!mounted)("a disk that is read-only (skipped where nothing may be mounted)", () => {
    const file = join(small, "read-only.sqlite")
    new Database(file, fresh).close()
    spawnSync("mount", ["-o", "remount,ro", small])
    assert.strictEqual(
      troubleOf(() => new Database(file, fresh)),
      "read_only"
    )
  })

  it("says which file, and what to do", async () => {
    const file = newFile()
    mkdirSync(join(file, ".."), { recursive: true })
    writeFileSync(file, "no journal\n".repeat(1_000))
    const failure = await runOf(layerSqlite(file))(() => Effect.void).catch((error: unknown) => error)
    assert.instanceOf(failure, JournalFailed)
    assert.include((failure as JournalFailed).message, file)
    assert.match((failure as JournalFailed).message, /RATECAST_DATA/)
  })
})

const failing = (after: number) => {
  let appended = 0
  return Layer.succeed(Journal, {
    open: (fresh) => Effect.succeed({ ...fresh, pieces: [], entries: [] }),
    append: () =>
      ++appended > after
        ? Effect.fail(new JournalFailed({ file: "f", trouble: "full", detail: "no space" }))
        : Effect.void,
    past: () => Effect.succeed(undefined),
    expire: () => Effect.succeed(false),
    keepMember: () => Effect.void,
    member: () => Effect.succeed(undefined),
    replace: () => Effect.void,
    lost: Effect.never,
    outlives: () => true,
    file: "f"
  })
}

describe("a journal that the daemon can do without", () => {
  it("goes on in memory when it fails, and says that it does", async () => {
    const layer = layerFallback.pipe(Layer.provide(failing(2)), Layer.provide(quiet))
    const seen = await runOf(layer)((journal) =>
      Effect.forEach([1, 2, 3, 4], (revision) =>
        Effect.map(journal.append(entry(revision)), () => journal.outlives())
      )
    )
    assert.deepStrictEqual(seen, [true, true, false, false])
  })

  it("is not given up for a member that cannot be kept or read, nor for a page of history", async () => {
    const broken = Effect.fail(new JournalFailed({ file: "f", trouble: "corrupt", detail: "one text" }))
    const damaged = Layer.effect(
      Journal,
      Effect.map(Journal, (journal) =>
        Journal.of({ ...journal, keepMember: () => broken, member: () => broken, past: () => broken })
      )
    ).pipe(Layer.provide(layerSqlite(newFile())))
    const layer = layerFallback.pipe(Layer.provide(damaged), Layer.provide(quiet))
    const tags = await runOf(layer)((journal) =>
      Effect.gen(function* () {
        const exits = [
          yield* Effect.result(journal.keepMember({ name: "support:1", rev: 1, text: "{}" })),
          yield* Effect.result(journal.member("support:1")),
          yield* Effect.result(journal.past({ collection: "chat", before: undefined, limit: 1 }))
        ]
        assert.isTrue(journal.outlives())
        yield* journal.append(entry(1))
        assert.isTrue(journal.outlives())
        return exits.map(({ _tag }) => _tag)
      })
    )
    assert.deepStrictEqual(tags, ["Failure", "Failure", "Failure"])
  })

  it("has the members that it kept before it failed", async () => {
    const layer = layerFallback.pipe(
      Layer.provide(
        Layer.effect(
          Journal,
          Effect.map(Journal, (journal) =>
            Journal.of({
              ...journal,
              append: () => Effect.fail(new JournalFailed({ file: "f", trouble: "full", detail: "no space" }))
            })
          )
        ).pipe(Layer.provide(layerSqlite(newFile())))
      ),
      Layer.provide(quiet)
    )
    const text = await runOf(layer)((journal) =>
      Effect.gen(function* () {
        yield* journal.keepMember({ name: "support:1", rev: 1, text: "{}" })
        yield* journal.append(entry(1))
        assert.isFalse(journal.outlives())
        return yield* journal.member("support:1")
      })
    )
    assert.strictEqual(text, "{}")
  })

  it("begins in memory where the file is another's, which is left as it is", async () => {
    const file = newFile()
    mkdirSync(join(file, ".."), { recursive: true })
    writeFileSync(file, "my diary\n".repeat(1_000))
    const layer = layerFallback.pipe(Layer.provide(layerSqlite(file)), Layer.provide(quiet))
    const outlives = await runOf(layer)((journal) =>
      Effect.map(journal.append(entry(1)), () => journal.outlives())
    )
    assert.isFalse(outlives)
    assert.include(readFileSync(file, "utf8"), "my diary")
  })
})

const exhaust = (steps: Generator<void>) => {
  while (steps.next().done !== true) {
    // to the end
  }
}

const exhausted = (step: () => boolean) => {
  while (step()) {
    // to the end
  }
}

/** Commits to one collection until the log is long. */
const grow = (database: Database, from: number, to: number, rows = 50) => {
  for (let revision = from; revision <= to; revision++) {
    const row = { id: `k${revision % rows}`, rate: "x".repeat(50_000) }
    const text = JSON.stringify({ at: revision, collections: { rates: { put: { [row.id]: row } } } })
    database.append([{ revision, text }])
  }
}

describe("a thread that dies", () => {
  it("is told at once, though nobody asks anything of it, and what is asked then fails", async () => {
    let thread: Worker | undefined
    const found = (worker: Worker) => (thread = worker)
    const { postMessage } = Worker.prototype
    Worker.prototype.postMessage = function (this: Worker, ...asked) {
      found(this)
      postMessage.apply(this, asked)
    }
    const [lost, append] = await Effect.gen(function* () {
      const journal = yield* Journal
      yield* journal.open(fresh)
      yield* Effect.promise(() => thread!.terminate())
      return [yield* Effect.flip(journal.lost), yield* Effect.flip(journal.append(entry(1)))] as const
    }).pipe(Effect.provide(layerSqlite(newFile())), Effect.provide(quiet), Effect.runPromise)
    Object.assign(Worker.prototype, { postMessage })
    for (const { message } of [lost, append]) assert.include(message, "its thread has ended")
  })
})

describe("history in SQLite", () => {
  it("that is kept no longer goes in steps of 500 rows, between which commits are appended", () => {
    const database = new Database(newFile(), fresh)
    const history = Array.from({ length: 1_800 }, (_, i) => left(`k${i}`))
    database.append([{ ...entry(1), history }])
    const keeps = [{ family: "chat", rows: 100 }]
    const sizes: Array<number> = []
    for (let revision = 2; database.expire({ keeps, now: 0 }); revision++) {
      database.append([entry(revision)])
      sizes.push(database.past({ collection: "chat", before: undefined, limit: 10_000 })!.length)
    }
    assert.deepStrictEqual(sizes, [1_300, 800, 300, 100])
    database.close()
  })

  it("of a file of the layout before is all there, and counts", () => {
    const file = newFile()
    new Database(file, fresh).close()
    const before = new DatabaseSync(file)
    before.exec(`
      DROP TABLE history; DROP TABLE histories;
      CREATE TABLE history (
        id INTEGER PRIMARY KEY, collection TEXT NOT NULL, key TEXT NOT NULL, row TEXT NOT NULL,
        UNIQUE (collection, key)
      ) STRICT;
      CREATE INDEX history_by_age ON history (collection, id);
      PRAGMA user_version = 3;
    `)
    for (const [collection, key] of [
      ["chat", "a"],
      ["support:7", "a"],
      ["support:7", "b"],
      ["support:7", "c"]
    ])
      before
        .prepare("INSERT INTO history (collection, key, row) VALUES (?, ?, '{}')")
        .run(JSON.stringify(collection), JSON.stringify(key))
    before.close()
    const database = new Database(file, fresh)
    const keysOf = (collection: string) =>
      database.past({ collection, before: undefined, limit: 10 })!.map(({ key }) => key)
    assert.deepStrictEqual([keysOf("chat"), keysOf("support:7")], [["a"], ["c", "b", "a"]])
    const keeps = [
      { family: "chat", rows: 1, age: 86_400_000 },
      { family: "support", rows: 1 }
    ]
    exhausted(() => database.expire({ keeps, now: Date.now() }))
    assert.deepStrictEqual([keysOf("chat"), keysOf("support:7")], [["a"], ["c"]])
    exhausted(() => database.expire({ keeps, now: Date.now() + 90_000_000 }))
    assert.deepStrictEqual([keysOf("chat"), keysOf("support:7")], [[], ["c"]])
    database.close()
  })
})

describe("a checkpoint of SQLite", () => {
  it("is wanted when the log is longer than it, and made between appends", () => {
    const file = newFile()
    const database = new Database(file, fresh)
    grow(database, 1, 100)
    assert.isTrue(database.wantsCheckpoint)
    const steps = database.checkpoint()
    let revision = 100
    for (let i = 0; steps.next().done !== true; i++) if (i % 10 === 0) grow(database, ++revision, revision)
    assert.isAbove(revision, 105)
    assert.isFalse(database.wantsCheckpoint)
    const { entries, pieces } = database.load()
    assert.deepStrictEqual(
      entries.map((each) => each.revision),
      Array.from({ length: revision - 100 }, (_, i) => 101 + i)
    )
    assert.include(pieces[0], '"revision":100')
    database.close()
  })

  it("one that is not finished when the process dies leaves everything as it was", () => {
    const file = newFile()
    const database = new Database(file, fresh)
    grow(database, 1, 100)
    const steps = database.checkpoint()
    for (let i = 0; i < 103; i++) steps.next()
    database.close()
    const again = new Database(file, fresh)
    const { entries, pieces } = again.load()
    assert.lengthOf(entries, 100)
    assert.deepStrictEqual(pieces, [])
    exhaust(again.checkpoint())
    assert.lengthOf(again.load().entries, 0)
    again.close()
    assert.isTrue(existsSync(file))
  })
})
