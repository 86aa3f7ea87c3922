/** `connect`, with rows from the last visit shown until the server's are there: first paint without the server, and offline. */
import type { NameOf } from "./Api.ts"
import { connect } from "./Cast.ts"
import type { Cast, Options } from "./Options.ts"
import { snapshotOf } from "./Snapshot.ts"
import type { SnapshotMessage } from "./Wire.ts"

/** What is used of `localStorage`. It is written at once, also by a page that is being left. */
export interface Keep {
  readonly length: number
  readonly key: (index: number) => string | null
  readonly getItem: (key: string) => string | null
  readonly setItem: (key: string, value: string) => void
  readonly removeItem: (key: string) => void
}

export interface PersistOptions {
  /** Who reads, such as the user's id: nobody is shown what another has read. Empty for what everybody may read. */
  readonly as: string
  /** Default: `localStorage`. */
  readonly storage?: Keep
  /** Larger ones are not kept. Default: 1,000,000 characters, of the 5,000,000 that most browsers give an origin. */
  readonly maxLength?: number
  /** How many are kept, of all queries; the oldest goes. Default: 4. */
  readonly maxEntries?: number
  /** Older ones are not shown, ms. Default: a day. */
  readonly maxAge?: number
  /** Is told what could not be kept, such as that the quota is used up. Default: `reportError`, as of an uncaught error. */
  readonly report?: (error: unknown) => void
}

interface Page {
  readonly localStorage?: Keep
  readonly document?: { readonly hidden: boolean }
  readonly addEventListener?: (type: string, listener: () => void) => void
  readonly removeEventListener?: (type: string, listener: () => void) => void
  readonly reportError?: (error: unknown) => void
}

const prefix = "ratecast/1 "
/** At most so often, ms, while the page is looked at; and whenever it is left. */
const every = 10_000
const page = globalThis as unknown as Page
/** How often all was forgotten: who read before that keeps nothing any more. */
let logouts = 0

/** What was kept, of whomever, and what the casts of this page would keep: after a logout. */
export const forget = (storage: Keep | undefined = storageOf()): void => {
  logouts++
  if (storage) for (const key of keysOf(storage)) storage.removeItem(key)
}

const storageOf = (report?: (error: unknown) => void): Keep | undefined => {
  try {
    return page.localStorage
  } catch (error) {
    // A page that may keep nothing is told so by an exception. There is nothing to forget.
    report?.(error)
    return undefined
  }
}

const keysOf = (storage: Keep): ReadonlyArray<string> =>
  Array.from({ length: storage.length }, (_, i) => storage.key(i)!).filter((key) => key.startsWith(prefix))

/** A value is `<ms since 1970> <snapshot>`: its age is known without reading all of it. */
const madeAt = (value: string | null): number => Number.parseInt(value ?? "", 10) || 0

/** `undefined` unless it is one, whatever has become of it. */
const read = (value: string): SnapshotMessage | undefined => {
  try {
    const { collections, cursor, type } = JSON.parse(value.slice(value.indexOf(" "))) as SnapshotMessage
    const isWhole =
      type === "snapshot" &&
      typeof cursor === "string" &&
      Object.values(collections).every(
        ({ rows }) =>
          typeof rows === "object" && Object.values(rows).every((row) => row && typeof row === "object")
      )
    return isWhole ? { type, cursor, collections, reason: "initial", at: 0 } : undefined
  } catch {
    return undefined
  }
}

/** `options.from`, of the page, is newer than whatever was kept. */
export const persisted = <A = { readonly [name: string]: object }, Name extends NameOf<A> = NameOf<A>>(
  url: string,
  options: Options<Name>,
  {
    as,
    maxAge = 86_400_000,
    maxEntries = 4,
    maxLength = 1_000_000,
    report = (error) => page.reportError?.(error),
    storage = storageOf(report)
  }: PersistOptions
): Cast<A, Name> => {
  const { collections, from, query } = options
  const key = prefix + JSON.stringify([url, as, collections, query])
  const begun = logouts
  let hasFailed = false

  /** What goes wrong is told, and is not the page's matter. */
  const attempt = <B>(run: (storage: Keep) => B): B | undefined => {
    try {
      return storage && run(storage)
    } catch (error) {
      hasFailed = true
      report(error)
      return undefined
    }
  }
  const restored = (storage: Keep) => {
    const value = storage.getItem(key)
    if (!value) return undefined
    const snapshot = Date.now() - madeAt(value) < maxAge ? read(value) : undefined
    if (!snapshot) storage.removeItem(key)
    return snapshot
  }

  const cast: Cast<A, Name> = connect<A, Name>(url, {
    ...options,
    from: from ?? attempt(restored),
    trace: (text, road) => {
      options.trace?.(text, road)
      // Once it is applied.
      if (Date.now() > due) queueMicrotask(keep)
    }
  })
  let kept = cast.lane.cursor
  let due = Date.now() + every

  const keep = () => {
    if (begun !== logouts) return
    const { cursor, query } = cast.lane
    const { status } = cast.status.error ?? {}
    // Who may not read any more is not shown what they might.
    if (status === 401 || status === 403) return attempt((storage) => storage.removeItem(key))
    // While the page sleeps it reads less, and what is newer then is not all of one cursor.
    const isWhole = cursor !== kept && query["collections"] === collections.join()
    // Where it has failed it will not be better in ten seconds, and was said once.
    if (!cursor || !isWhole || hasFailed) return
    kept = cursor
    due = Date.now() + every
    attempt((storage) => write(storage, `${Date.now()} ${JSON.stringify(snapshotOf(cast))}`))
  }
  const write = (storage: Keep, value: string) => {
    if (value.length > maxLength) {
      storage.removeItem(key)
      throw new RangeError(`${value.length} characters of rows are more than maxLength, ${maxLength}`)
    }
    const others = keysOf(storage)
      .filter((other) => other !== key)
      .toSorted((a, b) => madeAt(storage.getItem(b)) - madeAt(storage.getItem(a)))
    for (const other of others.slice(maxEntries - 1)) storage.removeItem(other)
    storage.setItem(key, value)
  }

  const leaving = () => {
    if (page.document?.hidden !== false) keep()
  }
  page.addEventListener?.("visibilitychange", leaving)
  page.addEventListener?.("pagehide", keep)
  const { close } = cast
  return Object.assign(cast, {
    close: () => {
      keep()
      page.removeEventListener?.("visibilitychange", leaving)
      page.removeEventListener?.("pagehide", keep)
      close()
    }
  })
}
