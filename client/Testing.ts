/**
 * A cast for tests of components: the same interface over the same collections, and the test is the server. It opens nothing,
 * waits for nothing and has no timers: what the test says is there, and told, when the call is over.
 */
import type { NameOf, RowOf } from "./Api.ts"
import { type Init, makeCalls } from "./Calls.ts"
import type { Cast, Status } from "./Options.ts"
import { CastError } from "./CastError.ts"
import { type Begun, type Held, makeCollection, same } from "./Collection.ts"
import { keyed, pageOf, patched } from "./FakeRows.ts"
import { type Listener, subscribed, tellAll } from "./Listeners.ts"
import type { Change, Failure, Problem, Whole } from "./Wire.ts"

export interface FakeOptions<A, Name extends string> {
  /** Rows by key. A collection without any is `loading` until it is given some. */
  readonly collections: {
    readonly [N in Name]: { readonly [key: string]: RowOf<A, N> } | undefined
  }
  /** The field that holds the key of rows that are written. Default: `id`. */
  readonly keys?: { readonly [N in Name]?: string }
}

/** What a component has asked the server to do. */
export interface Asked {
  readonly collection: string
  readonly method: "append" | "put" | "patch" | "delete" | "refresh" | "history"
  readonly key?: string
  /** As sent: a row, or `{ set, unset }`. */
  readonly body?: unknown
}

/** The other side: what the server, the network and the browser do. */
export interface Fake<A, Name extends string> {
  /** New rows, or others in their place. */
  readonly put: <N extends Name>(name: N, rows: { readonly [key: string]: RowOf<A, N> }) => void
  /** Some fields of rows that are there. */
  readonly set: <N extends Name>(name: N, rows: { readonly [key: string]: Partial<RowOf<A, N>> }) => void
  readonly remove: (name: Name, ...keys: ReadonlyArray<string>) => void
  /** All of a collection, as in a snapshot. */
  readonly replace: <N extends Name>(name: N, rows: { readonly [key: string]: RowOf<A, N> }) => void
  /** The upstream fails: rows may be old. */
  readonly stale: (name: Name, error?: Failure) => void
  /** The upstream answers again. */
  readonly live: (name: Name) => void
  /** The connection is lost, and tried again at `retryAt`, ms since 1970: `stale` where there are rows. */
  readonly drop: (retryAt?: number) => void
  /** The browser has no network. */
  readonly offline: () => void
  /** Whatever was in the way is gone. */
  readonly connect: () => void
  /** The server says no for good, such as `{ status: 403, code: "forbidden" }`. */
  readonly fail: (problem: Problem) => void
  /** The next write, refresh or page of history fails. */
  readonly refuse: (problem: Problem) => void
  /** What was asked, the first first. */
  readonly asked: ReadonlyArray<Asked>
  /** How many read: 0 once all components are gone. */
  readonly readers: number
}

/** What is in the way. */
type Way = Partial<Pick<Status, "state" | "retryAt" | "error">>

const methods = { POST: "append", PUT: "put", PATCH: "patch", DELETE: "delete", GET: "history" } as const

export const fakeCast = <A = { readonly [name: string]: object }, Name extends NameOf<A> = NameOf<A>>({
  collections,
  keys = {}
}: FakeOptions<A, Name>): Cast<A, Name> & { readonly fake: Fake<A, Name> } => {
  const held = new Map<string, Held>()
  const listeners = new Set<Listener>()
  const waiting = new Set<() => void>()
  const asked: Array<Asked> = []
  const refusals: Array<CastError> = []
  /** What the server gives. */
  const names = new Set<string>(Object.keys(collections))
  let readers = 0
  let revision = 0
  let way: Way = {}
  let isClosed = false
  let status: Status | undefined

  /** Somebody reads; the function says that they do not any more. */
  const read = () => {
    let isReading = 1
    readers++
    return () => {
      readers -= isReading
      isReading = 0
    }
  }
  const holding = (name: string): Held => {
    let one = held.get(name)
    if (one === undefined) {
      const calls = makeCalls(name, ask, async (answer) => answer)
      const initial = (collections as { readonly [name: string]: Begun["initial"] })[name]
      one = makeCollection({ ...calls, name, initial, cast }, read, () => {})
      held.set(name, one)
    }
    return one
  }
  const tell = () => {
    for (const { tell } of held.values()) tell()
    tellAll(listeners)
    for (const look of waiting) look()
  }
  /** As the server commits it. */
  const commit = (name: string, part: Change | Whole) => {
    revision++
    if (isClosed) return
    names.add(name)
    const isNew = holding(name).status.state === "loading"
    const isFit = holding(name).apply({
      ...(isNew && { state: "live" }),
      asOf: Date.now(),
      ...part
    } as Change)
    tell()
    if (!isFit) throw new TypeError(`${name}: there is no such row to change; put adds one`)
  }
  const go = (next: Way) => {
    if (isClosed) return
    way = next
    tell()
  }

  /** What the server does with a request. */
  const ask = async (path: string, { body, method = "GET" }: Init = {}): Promise<never> => {
    const { pathname, searchParams } = new URL(path, "ratecast://fake/")
    const [, what, name] = pathname.split("/").map(decodeURIComponent) as [string, string, Name]
    const at = searchParams.get("key") ?? ""
    const said = body ? JSON.parse(body) : undefined
    asked.push({
      collection: name,
      method: what === "refresh" ? "refresh" : methods[method as keyof typeof methods],
      ...(at && { key: at }),
      ...(said !== undefined && { body: said })
    })
    const refusal = refusals.shift()
    if (refusal) throw refusal
    const answer = (more: object) => ({ epoch: "fake", revision, ...more }) as never
    if (what === "refresh") {
      commit(name, {})
      return answer({ asOf: Date.now(), refreshed: true, retryAfterMs: 0 })
    }
    if (what === "history") return pageOf(holding(name), searchParams) as never
    const key = at || `k${String(revision + 1).padStart(6, "0")}`
    const before = holding(name).get(key)
    if (!before && (method === "PATCH" || method === "DELETE"))
      throw new CastError({ status: 404, code: "unknown_row", detail: `${name} has no row ${key}` })
    if (method === "DELETE") {
      commit(name, { remove: [key] })
      return answer({ key })
    }
    const next = method === "PATCH" ? patched(before!, said) : said
    const row = keyed(next, keys[name] ?? "id", key, method === "POST")
    commit(name, { put: { [key]: row } })
    return answer({ key, row })
  }

  const statuses = () => [...names].map((name) => holding(name).status)
  const cursor = () => `fake-${revision}-0`
  const isLoading = () => statuses().some(({ state }) => state === "loading")
  const look = (): Status => {
    const times = statuses().flatMap(({ asOf }) => asOf ?? [])
    const isStale = way.state === "stale" || statuses().some(({ state }) => state === "stale")
    const ofRows = isLoading() ? "connecting" : isStale ? "stale" : "live"
    return {
      state: way.state === "failed" || way.state === "offline" ? way.state : ofRows,
      road: "fake",
      cursor: cursor(),
      asOf: times.length > 0 ? Math.min(...times) : undefined,
      retryAt: way.retryAt,
      error: way.error
    }
  }

  const fake: Fake<A, Name> = {
    put: (name, rows) => commit(name, { put: rows as never }),
    set: (name, rows) => commit(name, { set: rows as never }),
    remove: (name, ...keys) => commit(name, { remove: keys }),
    replace: (name, rows) => commit(name, { rows: rows as never }),
    stale: (name, error = { code: "upstream_unreachable", detail: "The upstream cannot be reached." }) =>
      commit(name, { state: "stale", error, asOf: holding(name).status.asOf ?? 0 }),
    live: (name) => commit(name, { state: "live" }),
    drop: (retryAt = Date.now() + 1_000) => go({ state: "stale", retryAt, error: new CastError({}) }),
    offline: () => go({ state: "offline" }),
    connect: () => go({}),
    fail: (problem) => go({ state: "failed", error: new CastError(problem) }),
    refuse: (problem) => refusals.push(new CastError(problem)),
    asked,
    get readers() {
      return readers
    }
  }

  const cast: Omit<Cast<A, never>, "initial"> & { readonly fake: Fake<A, Name> } = {
    fake,
    collection: holding as never,
    collections: held,
    get lane() {
      return {
        query: { collections: Object.keys(collections).join() },
        cursor: cursor(),
        names
      }
    },
    get status() {
      const next = look()
      return same(status, next) ? status! : (status = next)
    },
    subscribe: (changed) => subscribed(listeners, { told: changed }, read),
    ready: () =>
      new Promise((done, fail) => {
        const look = () => {
          if (isLoading() && way.state !== "failed") return
          waiting.delete(look)
          if (isLoading()) fail(way.error!)
          else done()
        }
        waiting.add(look)
        look()
      }),
    reconnect: () => go({}),
    close: () => {
      go({ state: "failed", error: new CastError({ code: "closed" }) })
      isClosed = true
    }
  }
  const named = cast as unknown as { [name: string]: Collection }
  for (const [name, rows] of Object.entries(collections)) {
    if (!(name in named)) named[name] = holding(name)
    if (rows) commit(name, { rows: rows as never })
  }
  return Object.assign(cast, { initial: cast.status }) as never
}

type Collection =
  Cast<{ readonly [name: string]: object }>["collections"] extends ReadonlyMap<string, infer C> ? C : never
