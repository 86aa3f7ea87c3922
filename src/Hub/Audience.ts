/**
 * Everybody who asks the same query, in cohorts: a cohort is whoever stands at the same place and is served at the same
 * pace, so one frame does for all of them. Plain objects; no fiber, scope or timer per reader.
 */
import { type Changes, changesSince, covered } from "./Changes.ts"
import { Cohorts } from "./Cohorts.ts"
import type { Deadline } from "./Deadlines.ts"
import { Frame } from "./Frame.ts"
import type { Framing } from "./Framing.ts"
import { changeMessage, type GoodbyeCode, pingMessage } from "./Message.ts"
import type { Query } from "./Query.ts"
import { keysNamed, type Snapshot, snapshotFrame } from "./Snapshots.ts"
import type { Reason, State } from "./State.ts"
import { Watch } from "./Watch.ts"

/** One connection, as the hub sees it. */
export interface Sink {
  readonly framing: Framing
  /** `false`: the connection did not take all of it yet; `Reader.drained` is to be called when it has. */
  readonly write: (frame: Frame) => boolean
  /** Ends the connection, with a goodbye where it can still take one. */
  readonly end: (code: GoodbyeCode, retryAfterMs?: number) => void
}

/** How fast a reader wants to be served. */
export interface Pace {
  /** ms between two changes, 0 for none */
  readonly interval: number
  /** It leaves with the first message it gets: a long poll. */
  readonly once: boolean
}

/** Where a reader or a cohort stands. */
export interface Place {
  /** The revision of its last message: the next one's `from`. */
  readonly sent: number
  /** Up to here nothing more of the query is known to have changed. */
  readonly seen: number
  /** The cursor at `sent`. */
  readonly cursor: string
  /** When the next change may leave, ms of the steady clock. */
  readonly notBefore: number
}

export class Reader {
  readonly audience: Audience
  readonly sink: Sink
  readonly pace: Pace
  /** The cohort it stands in; until it has taken its last frame it stands at `place`, alone. */
  cohort: Cohort | undefined
  place: Place | undefined
  gone = false
  /** While a frame is not taken: ends the reader when it takes nothing for too long. */
  stall: Deadline | undefined
  rotation: Deadline | undefined

  constructor(audience: Audience, sink: Sink, pace: Pace) {
    this.audience = audience
    this.sink = sink
    this.pace = pace
  }
}

export class Cohort {
  readonly audience: Audience
  readonly pace: Pace
  place: Place
  /** When the last message left, ms of the steady clock. */
  messageAt: number
  readonly readers = new Set<Reader>()
  ping: Deadline | undefined
  /** Set while a change waits for `notBefore`. */
  pacing: Deadline | undefined
  /** While a snapshot is built for it, or its next frame compressed; then that frame. */
  preparing = false
  next: Next | undefined
  /** Stands among those that are served next. */
  isDue = false

  constructor(audience: Audience, pace: Pace, place: Place, now: number) {
    this.audience = audience
    this.pace = pace
    this.place = place
    this.messageAt = now
  }
}

/** What a cohort is given next, and the revision at which it stands then. */
export interface Next {
  readonly frame: Frame
  readonly revision: number
}

/** A change, or why there is none: nothing changed, or a snapshot is needed for this reason. */
export type Made = Frame | "nothing" | "forgotten" | "smaller"

/** Of the changes kept at one revision, in characters: so much may be asked from different cursors and still be shared. */
const maxMadeLength = 16 * 1024 * 1024
/** Of an entry that is no text. */
const entryLength = 100
const maxPings = 4_096
const none: ReadonlyMap<string, Watch> = new Map()
/** Changes with more keys than this are weighed against a snapshot. */
const manyKeys = 256

export class Audience {
  readonly query: Query
  readonly watches: ReadonlyMap<string, Watch>
  /** Stands among those that a commit concerns. */
  isDue = false
  readonly cohorts = new Cohorts()
  /** Readers in cohorts and out of them. */
  readers = 0
  private readonly state: State
  private readonly due: (audience: Audience) => void
  /** Since this revision the watches know what was touched; up to the other it has been told. */
  private touchedSince: number
  private toldAt: number
  /** Frames made at the present revision, by where they start. */
  private made: Map<string, Made> | undefined
  private madeLength = 0
  private madeAt = -1
  /** Pings that say the same of `asOf`, by where they start and where they lead. */
  private pings: Map<string, Frame> | undefined
  private pingsSay = ""
  private opening: { readonly key: string; readonly frame: Frame } | undefined

  /** `due` is told of this audience when a commit concerns it, once until `isDue` is taken back. */
  constructor(query: Query, state: State, due: (audience: Audience) => void) {
    this.query = query
    this.state = state
    this.due = due
    this.touchedSince = this.toldAt = state.revision
    this.watches = this.watching()
  }

  private watching(): ReadonlyMap<string, Watch> {
    const watches = new Map<string, Watch>()
    for (const [name, { keys }] of this.query.parts)
      if (keys !== undefined) watches.set(name, new Watch(keys, this))
    return watches.size === 0 ? none : watches
  }

  /** A commit that has just been applied may have changed something of its query. */
  concern(): void {
    if (this.toldAt > this.touchedSince) {
      for (const watch of this.watches.values()) watch.forget()
      this.touchedSince = this.toldAt
    }
    if (this.isDue) return
    this.isDue = true
    this.due(this)
  }

  /** The change that takes readers from one place to the present; or why there is none. */
  change(place: Place): Made {
    this.made ??= new Map()
    if (this.madeAt !== this.state.revision) this.forgetMade()
    const key = `${place.sent}/${place.seen}`
    let made = this.made.get(key)
    if (made === undefined) {
      if (this.madeLength > maxMadeLength) this.forgetMade()
      made = this.makeChange(place)
      this.made.set(key, made)
      this.madeLength += entryLength
    }
    return made
  }

  /**
   * The same for a cohort that has been served before, which may be the only reader: then it is not kept. Ten thousand
   * frames that live until the next commit cost the collector more than it took to make them.
   */
  next(place: Place): Made {
    if (this.readers > 1) return this.change(place)
    this.made = undefined
    this.madeLength = 0
    return this.makeChange(place, true)
  }

  private forgetMade(): void {
    this.made?.clear()
    this.madeLength = 0
    this.madeAt = this.state.revision
  }

  private makeChange(place: Place, isForOne = false): Made {
    const { query, state } = this
    const changes = changesSince(
      state,
      query,
      place,
      place.seen < this.touchedSince ? undefined : this.touched
    )
    this.toldAt = state.revision
    if (changes === "forgotten") return "forgotten"
    if (changes.size === 0) return "nothing"
    if (isLargerThanState(changes, state)) return "smaller"
    const cursor = state.cursor(query)
    const text = changeMessage({
      from: place.cursor,
      cursor,
      commits: state.revision - place.sent,
      at: state.at,
      changes,
      asOf: (name) => state.asOf(name)
    })
    this.madeLength += text.length
    return new Frame("change", cursor, [text], isForOne)
  }

  private readonly touched = (collection: string) => this.watches.get(collection)?.touched

  /** To `seen`, where nothing of the query is known to have changed since `sent`; one for all who stand there. */
  ping(place: Place): Frame {
    const { query, state } = this
    const asOf = [...covered(state, query)]
      .map(([, table]) => [table.collection.name, table.asOf] as const)
      .filter(([, at]) => at > 0)
    if (this.readers === 1) return this.makePing(place, asOf)
    this.pings ??= new Map()
    const say = `${state.revision} ${JSON.stringify(asOf)}`
    if (this.pingsSay !== say) {
      this.pings.clear()
      this.pingsSay = say
    }
    let ping = this.pings.get(`${place.sent}/${place.seen}`)
    if (ping === undefined) {
      if (this.pings.size >= maxPings) this.pings.clear()
      ping = this.makePing(place, asOf)
      this.pings.set(`${place.sent}/${place.seen}`, ping)
    }
    return ping
  }

  private makePing(place: Place, asOf: ReadonlyArray<readonly [collection: string, asOf: number]>): Frame {
    const cursor = this.state.cursor(this.query, place.seen)
    const text = pingMessage({ from: place.cursor, cursor, at: this.state.at, asOf })
    return new Frame("ping", cursor, [text], this.readers === 1)
  }

  /** The snapshot message, made once for all who are given the same. `made`: whoever asked lets go of it in time. */
  snapshot(snapshot: Snapshot, reason: Reason, made: () => void): Frame {
    const key = [snapshot.cursor, reason, ...snapshot.parts.map(({ name }) => this.state.asOf(name))].join()
    if (this.opening?.key !== key) {
      this.opening = { key, frame: snapshotFrame(snapshot, reason, (name) => this.state.asOf(name)) }
      made()
    }
    return this.opening.frame
  }

  /** Lets go of the snapshot message: it would be held for as long as anybody reads. */
  forgetOpening(): void {
    this.opening = undefined
  }
}

/** Whether the collections that changed have fewer rows in all than the change names keys. */
const isLargerThanState = (changes: Changes, state: State): boolean => {
  const keys = keysNamed(changes)
  if (keys < manyKeys) return false
  let rows = 0
  for (const name of changes.keys()) rows += state.rows(name).size
  return rows < keys
}
