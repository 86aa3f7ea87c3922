/**
 * Snapshots, built once per query however many ask, in slices that leave the loop to the readers. A newcomer to a stream
 * gets the last one built and at once the change since then, so a new one is built only when that change has grown to a
 * tenth of it: building costs a hundred times what a change one commit behind does.
 */
import { Clock, Deferred, Effect, Semaphore } from "effect"

import type { Health, Row } from "../Collection.ts"
import type { Unreadable } from "../Unreadable.ts"
import { Body } from "./Body.ts"
import { awayFrom, type Changes, changesSince, covered, rowsOf } from "./Changes.ts"
import { Frame } from "./Frame.ts"
import { snapshotHead, snapshotPartHead, type Window } from "./Message.ts"
import type { Presence } from "./Presence.ts"
import type { Query } from "./Query.ts"
import type { Reason, State } from "./State.ts"
import type { Table } from "./Table.ts"

/** The loop is left to others after this long, ms, looked at whenever this much text has been written. */
const slice = 4
const longText = 64 * 1024
/** Snapshots kept for queries, whichever bound is met first: the ones least lately used go. */
const maxKept = 256
const maxKeptBytes = 128 * 1024 * 1024

interface SnapshotPart {
  readonly name: string
  readonly health: Health
  /** Of a written collection. */
  readonly window?: Window | undefined
  readonly rows: Body
}

export interface Snapshot {
  readonly revision: number
  readonly cursor: string
  readonly at: number
  readonly parts: ReadonlyArray<SnapshotPart>
  readonly rows: number
  readonly bytes: number
}

interface Kept {
  readonly snapshot: Snapshot
  /** How many keys have changed since then, as of this revision. */
  weighedAt: number
  keysChanged: number
}

interface Building {
  /** It shows this revision or a later one. */
  readonly revision: number
  readonly built: Deferred.Deferred<Snapshot, Unreadable>
}

/** How many keys a change names. */
export const keysNamed = (changes: Changes): number => {
  let keys = 0
  for (const change of changes.values()) {
    keys +=
      change.remove.length +
      change.evict.length +
      change.put.size +
      change.set.size +
      (change.rows?.size ?? 0)
  }
  return keys
}

export class Snapshots {
  private readonly state: State
  private readonly presence: Presence
  private readonly fork: (effect: Effect.Effect<void>) => void
  private readonly kept = new Map<string, Kept>()
  private readonly building = new Map<string, Building>()
  /** Each that is built holds all its rows in memory; but a small one must not wait for a long one's end. */
  private readonly turns = Semaphore.makeUnsafe(4)
  private keptBytes = 0

  /** `fork` runs what goes on though whoever asked for it has left. */
  constructor(state: State, presence: Presence, fork: (effect: Effect.Effect<void>) => void) {
    this.state = state
    this.presence = presence
    this.fork = fork
  }

  /** The last one built, if the change since then is worth less than a new one; not older than a revision. */
  recent(query: Query, least = 0): Effect.Effect<Snapshot, Unreadable> {
    return Effect.suspend(() => {
      const kept = this.ready(query, least)
      return kept === undefined ? this.build(query, least) : Effect.succeed(kept)
    })
  }

  /** The same where it is there already. */
  ready(query: Query, least: number): Snapshot | undefined {
    return this.get(query, (keys, { revision, rows }) => revision >= least && keys * 10 <= rows)
  }

  /** One that shows the state as it is now, or later. */
  current(query: Query): Effect.Effect<Snapshot, Unreadable> {
    return Effect.suspend(() => {
      const kept = this.get(query, (keys) => keys === 0)
      return kept === undefined ? this.build(query, this.state.revision) : Effect.succeed(kept)
    })
  }

  private get(
    query: Query,
    isGood: (keysChanged: number, snapshot: Snapshot) => boolean
  ): Snapshot | undefined {
    const kept = this.kept.get(query.id)
    if (kept === undefined) return undefined
    this.weigh(query, kept)
    if (!isGood(kept.keysChanged, kept.snapshot)) return undefined
    this.kept.delete(query.id)
    this.kept.set(query.id, kept)
    return kept.snapshot
  }

  /** Once a revision, however many newcomers ask. */
  private weigh(query: Query, kept: Kept): void {
    if (kept.weighedAt === this.state.revision) return
    const { revision } = kept.snapshot
    const changes = changesSince(this.state, query, { sent: revision, seen: revision })
    kept.weighedAt = this.state.revision
    // A newcomer is not shown a state that is over, be it for a moment.
    const isOver = changes === "forgotten" || [...changes.values()].some(({ health }) => health !== undefined)
    kept.keysChanged = isOver ? Infinity : changes.size === 0 ? 0 : Math.max(keysNamed(changes), 1)
  }

  /** Joins the one that is being built, unless that shows less than is asked for. */
  private build(query: Query, least: number): Effect.Effect<Snapshot, Unreadable> {
    return Effect.suspend(() => {
      const building = this.building.get(query.id)
      if (building !== undefined) {
        return building.revision >= least
          ? Deferred.await(building.built)
          : Effect.andThen(Deferred.await(building.built), this.build(query, least))
      }
      const built = Deferred.makeUnsafe<Snapshot, Unreadable>()
      this.building.set(query.id, { revision: this.state.revision, built })
      this.fork(
        this.turns
          .withPermits(1)(this.whole(query))
          .pipe(
            Effect.tap((snapshot) => Effect.sync(() => this.keep(query, snapshot))),
            Effect.ensuring(Effect.sync(() => this.building.delete(query.id))),
            Deferred.into(built),
            Effect.asVoid
          )
      )
      return Deferred.await(built)
    })
  }

  private whole(query: Query): Effect.Effect<Snapshot, Unreadable> {
    const again: Effect.Effect<Snapshot, Unreadable> = Effect.suspend(() => {
      for (const _ of awayFrom(this.state, query)) return this.presence.ofQuery(query, -1, again)
      return this.encode(query)
    })
    return again
  }

  private readonly encode = Effect.fnUntraced(function* (
    this: Snapshots,
    query: Query
  ): Effect.fn.Return<Snapshot> {
    const { at, revision } = this.state
    const cursor = this.state.cursor(query)
    // Rows are never assigned into, so holding on to them now is the whole state at this revision.
    const held = [...covered(this.state, query)].map(([part, table]) => ({
      name: table.collection.name,
      health: table.health,
      window: windowOf(table),
      rows: rowsOf(part, table)
    }))
    const parts: Array<SnapshotPart> = []
    for (const { health, name, rows, window } of held)
      parts.push({ name, health, window, rows: new Body(yield* rowsText(rows)) })
    return {
      revision,
      cursor,
      at,
      parts,
      rows: held.reduce((sum, { rows }) => sum + rows.size, 0),
      // Twice, for what its encodings add.
      bytes: 2 * parts.reduce((sum, { rows }) => sum + rows.utf8.length, 0)
    }
  })

  private keep(query: Query, snapshot: Snapshot): void {
    this.drop(query.id)
    this.kept.set(query.id, { snapshot, weighedAt: snapshot.revision, keysChanged: 0 })
    this.keptBytes += snapshot.bytes
    for (const id of this.kept.keys()) {
      if (this.kept.size <= maxKept && this.keptBytes <= maxKeptBytes) return
      this.drop(id)
    }
  }

  private drop(id: string): void {
    this.keptBytes -= this.kept.get(id)?.snapshot.bytes ?? 0
    this.kept.delete(id)
  }
}

const rowsText = Effect.fnUntraced(function* (rows: ReadonlyMap<string, Row>): Effect.fn.Return<Buffer> {
  const clock = yield* Clock.Clock
  const buffers: Array<Buffer> = []
  let text = "{"
  let since = clock.currentTimeMillisUnsafe()
  for (const [key, row] of rows) {
    text += `${text === "{" && buffers.length === 0 ? "" : ","}${JSON.stringify(key)}:${JSON.stringify(row)}`
    if (text.length < longText) continue
    buffers.push(Buffer.from(text))
    text = ""
    if (clock.currentTimeMillisUnsafe() - since < slice) continue
    yield* Effect.yieldNow
    since = clock.currentTimeMillisUnsafe()
  }
  buffers.push(Buffer.from(`${text}}`))
  return buffers.length === 1 ? buffers[0]! : Buffer.concat(buffers)
})

const windowOf = ({ collection: { retain }, hasPast }: Table): Window | undefined =>
  retain && { retain, more: hasPast }

/** The message, with `asOf` as it is now: a quiet poll moves it and is no reason to build anew. */
export const snapshotFrame = (
  snapshot: Snapshot,
  reason: Reason,
  asOf: (collection: string) => number
): Frame => {
  const pieces: Array<string | Body> = [
    snapshotHead({ cursor: snapshot.cursor, reason, at: snapshot.at }),
    "{"
  ]
  for (const [index, { health, name, rows, window }] of snapshot.parts.entries()) {
    pieces.push(
      `${index === 0 ? "" : ","}${JSON.stringify(name)}:${snapshotPartHead(health, asOf(name), window)}`,
      rows,
      "}"
    )
  }
  return new Frame("snapshot", snapshot.cursor, [...pieces, "}}"])
}
