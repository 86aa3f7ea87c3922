/**
 * Random histories of State, and the oracle that every reader is held against: *the rows a client holds at cursor C equal
 * the server's rows at C, for the query it asked.*
 *
 * One seed is one history: commits of every kind, readers of every query that lag, drop, resume with old, foreign,
 * future and wrong cursors, servers that lose their last commits and go on with others. The same seed is the same run.
 */
import { changesSince, covered, rowsOf } from "../../src/Hub/Changes.ts"
import { checkpointOf, describedOf, replay } from "../../src/Hub/Checkpoint.ts"
import { commitText } from "../../src/Hub/CommitText.ts"
import type { Entry } from "../../src/Hub/Journal.ts"
import { changeMessage } from "../../src/Hub/Message.ts"
import type { Query } from "../../src/Hub/Query.ts"
import { State } from "../../src/Hub/State.ts"
import { Held } from "../Held.ts"
import { collections, describe, Dice, Ledger, Violation, World } from "./World.ts"

interface Reader {
  readonly query: Query
  held: Held
  sent: number
  seen: number
  /** Connections die with their server; whoever lost theirs comes back by its cursor, never by its place. */
  server: State
}

export interface Options {
  readonly seed: number
  readonly steps: number
  readonly keys: number
  /** A server with a planted mistake, to show that the oracle finds it. */
  readonly changesSince?: typeof changesSince
  /** A checkpoint that does not keep everything. */
  readonly spoil?: (piece: string) => string
}

export interface Tally {
  changes: number
  snapshots: number
  resumes: number
  commits: number
}

export const run = (options: Options): Tally => {
  const dice = new Dice(options.seed)
  const world = new World(dice, options.keys)
  const tally: Tally = { changes: 0, snapshots: 0, resumes: 0, commits: 0 }
  const memory = {
    tips: dice.pick([8, 64, 1024]),
    tombstones: dice.pick([1, 4, 1000]),
    idleMembers: dice.pick([0, 1, 100])
  }
  const start = () => new State({ epoch: `e${dice.int(1e6).toString(36)}`, describe, memory })
  let state = start()
  let ledger = new Ledger()
  let log: Array<Entry> = []
  let checkpoint: { readonly revision: number; readonly pieces: ReadonlyArray<string> } | undefined

  const check = (reader: Reader, what: string) =>
    ledger.check(reader.held, reader.query, `seed ${options.seed}: after ${what}`)

  const commit = () => {
    const made = world.commit(ledger.now, state.at + 1 + dice.int(1000))
    const text = commitText(made)
    state.apply(made, text)
    log.push({ revision: state.revision, text })
    ledger.add(made)
    tally.commits++
    if (dice.chance(0.1))
      checkpoint = {
        revision: state.revision,
        pieces: [...checkpointOf(state)].map((piece) => options.spoil?.(piece) ?? piece)
      }
  }

  const snapshot = (reader: Reader, reason: string) => {
    const collections = [...covered(state, reader.query)].map(
      ([part, table]) =>
        [table.collection.name, { ...table.health, rows: Object.fromEntries(rowsOf(part, table)) }] as const
    )
    reader.held.receive(
      JSON.stringify({
        type: "snapshot",
        cursor: state.cursor(reader.query),
        reason,
        collections: Object.fromEntries(collections)
      })
    )
    reader.sent = reader.seen = state.revision
    reader.server = state
    tally.snapshots++
    check(reader, `snapshot (${reason})`)
  }

  const quiet = (reader: Reader) => {
    reader.seen = state.revision
    if (dice.chance(0.2)) {
      const from = state.cursor(reader.query, reader.sent)
      reader.held.receive(
        JSON.stringify({ type: "ping", from, cursor: state.cursor(reader.query), asOf: {} })
      )
      reader.sent = state.revision
    }
    check(reader, "nothing")
  }

  const deliver = (reader: Reader) => {
    // A tip that is forgotten cannot be named as `from`; the hub pings everybody long before.
    if (reader.sent <= state.revision - memory.tips) return snapshot(reader, "forgotten")
    const changes = (options.changesSince ?? changesSince)(state, reader.query, reader)
    if (changes === "forgotten") return snapshot(reader, "forgotten")
    if (changes.size === 0) return quiet(reader)
    const from = state.cursor(reader.query, reader.sent)
    const text = changeMessage({
      from,
      cursor: state.cursor(reader.query),
      commits: state.revision - reader.sent,
      at: state.at,
      changes,
      asOf: () => undefined
    })
    // A change is right over any rows held between its `from` and its cursor, not only over those at `from`.
    const between = reader.sent + dice.int(state.revision - reader.sent + 1)
    const other = new Held()
    other.assume(from, ledger.shown(reader.query, between), ledger.states(between))
    other.receive(text)
    check({ ...reader, held: other }, `change over ${between}`)
    reader.held.receive(text)
    reader.sent = reader.seen = state.revision
    tally.changes++
    check(reader, "change")
    // Applying twice is harmless.
    reader.held.receive(text)
    check(reader, "change applied twice")
  }

  const resume = (reader: Reader) => {
    tally.resumes++
    const cursor = reader.held.cursor!
    const wrong = [
      "",
      "nonsense",
      `zz-${reader.sent}-000000000000`,
      cursor.slice(0, -1) + (cursor.endsWith("0") ? "1" : "0"),
      state.cursor(world.query()),
      cursor.replace(/-\d+-/, `-${state.revision + 5}-`),
      cursor.slice(0, 12)
    ]
    const presented = dice.chance(0.4) ? cursor : dice.pick(wrong)
    const answer = state.resume(reader.query, presented)
    if (answer._tag === "Reset") return snapshot(reader, answer.reason)
    if (presented !== cursor) {
      // Another query's cursor fits only where it is the same query: everything else must have been refused.
      if (presented === state.cursor(reader.query, answer.revision)) return
      throw new Violation(`seed ${options.seed}: took ${presented}`)
    }
    reader.sent = reader.seen = answer.revision
    reader.server = state
    deliver(reader)
  }

  /** Killed and started again. After a power cut the last commits are lost, and it goes on with others in their place. */
  const restart = (lost: number) => {
    const kept = Math.max(0, ledger.revision - lost)
    if (checkpoint !== undefined && checkpoint.revision > kept) checkpoint = undefined
    const { epoch } = state
    log = log.slice(0, kept)
    const steps = replay(
      {
        epoch,
        collections: collections.map(describedOf),
        pieces: checkpoint?.pieces ?? [],
        entries: log.slice(checkpoint?.revision ?? 0)
      },
      memory
    )
    for (;;) {
      const { done, value } = steps.next()
      if (done === true) {
        state = value
        break
      }
    }
    ledger = ledger.until(kept)
  }

  /** A server that remembers nothing. */
  const forgetAll = () => {
    state = start()
    ledger = new Ledger()
    log = []
    checkpoint = undefined
  }

  const newcomer = (): Reader => {
    const reader: Reader = { query: world.query(), held: new Held(), sent: 0, seen: 0, server: state }
    snapshot(reader, "initial")
    return reader
  }

  const readers = Array.from({ length: 6 }, newcomer)
  for (let step = 0; step < options.steps; step++) {
    const fate = dice.next()
    const reader = dice.pick(readers)
    if (fate < 0.45) commit()
    else if (fate < 0.8) (reader.server === state ? deliver : resume)(reader)
    else if (fate < 0.94) resume(reader)
    else if (fate < 0.98) restart(dice.chance(0.5) ? 0 : dice.int(5))
    else if (fate < 0.985) forgetAll()
    else readers[dice.int(readers.length)] = newcomer()
  }
  return tally
}
