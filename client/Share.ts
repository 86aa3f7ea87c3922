/**
 * One connection for all tabs of a browser. Whoever has the lock of a query leads: opens the road, and tells the others what
 * comes. Who rests, is closed, frozen or killed has the lock no more, and the next in line goes on from its own cursor.
 */
import type { Share } from "./Options.ts"
import type { End, Opened } from "./Road.ts"
import { snapshotOf } from "./Snapshot.ts"

/** A leader answers at once; one that has not in this time, ms, hangs, and its lock is taken. */
const patience = 4_000
/** What an end was comes before the lock does, ms. */
const tact = 100

/** What a leader tells. `to`: the one who asked; all others if there is none. */
interface Told {
  readonly leader: string
  readonly to?: string
  readonly text?: string
  /** Where it leads from, and to. */
  readonly from?: string | undefined
  readonly cursor?: string
  readonly end?: End
}

interface Asking {
  readonly asker: string
  readonly since: string | undefined
}

/** What is used of a browser here. */
interface Browser {
  readonly location?: { readonly href: string }
  readonly navigator?: {
    readonly locks?: {
      readonly request: (
        name: string,
        options: { readonly signal?: AbortSignal; readonly steal?: boolean },
        run: () => Promise<void> | undefined
      ) => Promise<void>
    }
  }
  readonly BroadcastChannel?: new (name: string) => {
    onmessage: unknown
    readonly postMessage: (message: object) => void
    readonly close: () => void
  }
}

/**
 * For `Options.share`. Tabs share that ask the same of the same address, with the same claims in their tokens. `as`: who
 * reads, where a cookie says so that the page cannot see.
 */
export const share =
  (as = ""): Share =>
  (road, cast) =>
  (asked, hear, end) => {
    const { BroadcastChannel, location, navigator } = globalThis as unknown as Browser
    const claims = claimsOf(asked.token)
    // Locks are there on secure pages only.
    if (!navigator?.locks || !BroadcastChannel || claims === undefined) return road(asked, hear, end)
    const { href } = new URL(asked.url, location?.href)
    const name = `ratecast ${JSON.stringify([href, asked.query, as, claims])}`
    const me = crypto.getRandomValues(new Uint32Array(2)).join("-")
    const channel = new BroadcastChannel(name)
    const waiting = new AbortController()
    let isOver = false
    let isLeading = false
    /** Whether what is held is what the server says. */
    let isConnected = false
    let isEnding = false
    let opened: Opened | undefined
    let askedOf: string | undefined
    /** Gives the lock back. */
    let leave: (() => void) | undefined

    const close = () => {
      if (isOver) return
      isOver = true
      clearTimeout(late)
      waiting.abort()
      opened?.close()
      channel.close()
      if (isEnding) setTimeout(() => leave?.(), tact)
      else leave?.()
    }
    const stop = (reason: End) => {
      if (isOver) return
      close()
      end(reason)
    }

    const tell = (told: Omit<Told, "leader">) => {
      if (!isOver) channel.postMessage({ leader: me, ...told })
    }
    const ask = () => channel.postMessage({ asker: me, since: cast.lane.cursor } satisfies Asking)

    const lead = () => {
      if (isOver || isLeading) return
      isLeading = true
      clearTimeout(late)
      // Whoever asked before is answered when there is something; until then nobody hangs.
      tell({})
      const led = new Promise<void>((done) => (leave = done))
      opened = road(
        { ...asked, since: cast.lane.cursor },
        (text) => {
          const from = cast.lane.cursor
          // Before it is heard, which ends this: the others are to know why, and until when.
          if (text && isOf("goodbye", text)) tell({ text })
          isEnding = true
          hear(text)
          isEnding = false
          const { cursor } = cast.lane
          if (!text || !cursor) return
          isConnected = true
          tell({ text, from, cursor })
        },
        (reason) => {
          tell({ end: { ...reason } })
          isEnding = true
          stop(reason)
        }
      )
      return led
    }

    const answer = ({ asker, since }: Asking) => {
      const { cursor } = cast.lane
      const text =
        isConnected && cursor
          ? {
              text: JSON.stringify(
                since === cursor ? { type: "ping", from: cursor, cursor } : snapshotOf(cast)
              ),
              from: cursor,
              cursor
            }
          : undefined
      tell({ to: asker, ...text })
    }

    const follow = ({ cursor, end, from, leader, text, to }: Told) => {
      clearTimeout(late)
      if (to && to !== me) return
      if (end) return stop(end)
      if (!text) return
      const at = cast.lane.cursor
      if (!cursor || from === at || isOf("snapshot", text)) {
        askedOf = undefined
        hear(text)
      } else if (cursor === at) hear()
      else if (askedOf !== leader) {
        askedOf = leader
        ask()
      }
    }

    channel.onmessage = ({ data }: { readonly data: Told | Asking }) => {
      if (isOver) return
      if ("leader" in data) {
        if (!isLeading) follow(data)
      } else if (isLeading) answer(data)
    }

    const request = (options: { readonly signal?: AbortSignal; readonly steal?: boolean }) =>
      void navigator.locks!.request(name, options, lead).catch(({ name }: Error) => {
        // The lock was taken, or the road did not open.
        if (isLeading) stop({})
        // A page that may have no locks, such as one in a sandbox, has nobody to share with.
        else if (name !== "AbortError") lead()
      })
    const late = setTimeout(() => {
      waiting.abort()
      request({ steal: true })
    }, patience)
    request({ signal: waiting.signal })
    ask()
    return { close }
  }

/** Most are not, and need not be read for it. */
const isOf = (type: string, text: string): boolean =>
  text.includes(`"${type}"`) && JSON.parse(text).type === type

/** All that a token says but what each of its kind has of its own; `undefined` where it cannot be read. */
const claimsOf = (token: string | undefined): object | undefined => {
  if (!token) return {}
  try {
    const claims = JSON.parse(atob(token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/")))
    for (const name of ["exp", "iat", "jti", "nbf"]) delete claims[name]
    return claims
  } catch {
    return undefined
  }
}
