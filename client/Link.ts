/**
 * Keeps one road open for as long as somebody reads: falls back to the next, comes back after a pause, notices what is dead
 * though nobody says so, and rests while nobody looks. It knows nothing of rows: whoever made it says whether a message fits.
 */
import { CastError } from "./CastError.ts"
import { host, type HostEvent } from "./Host.ts"
import type { End, Opened } from "./Road.ts"
import type { GoodbyeMessage, Message } from "./Wire.ts"

/** All times in ms. By what time does, it is looked this often. */
const lookEvery = 500
/** Readers come and go while a page changes from one view to the next. */
const linger = 3_000
const sleepAfter = 30_000
/** A ping comes every 15 s. */
const silence = 37_500
/** A first message comes at once, or somebody in between keeps it. */
const firstWithin = 15_000
/** A road that was open for less has not held. */
const hold = 5_000
/** A better road is tried again, after four times as long each time: the good one is given up for that. */
const betterAfter = 60_000
const longestPause = 30_000
/** For so long a lost connection is nobody's business: most are back by then. */
const calm = 2_000

/** As of HTTP; too late and too many are over some time. */
const isFinal = /^4(?!08|29)/

export type Token = string | (() => string | Promise<string>)

export interface Way {
  /** The best first. */
  readonly roads: ReadonlyArray<string>
  readonly token: Token | undefined
  /** What is read while nobody looks, too. */
  readonly keepAlive: ReadonlyArray<string>
  readonly open: (
    road: string,
    token: string | undefined,
    isAsleep: boolean,
    hear: (text?: string) => void,
    end: (end: End) => void
  ) => Opened
  /** `false`: it does not follow what is held, so it has to be asked for again. */
  readonly receive: (message: Message) => boolean
  readonly changed: () => void
}

export interface LinkState {
  /** Whether messages come, or will in a moment. */
  readonly isUp: boolean
  readonly road: string
  /** When it is tried again, ms since 1970. */
  readonly retryAt: number | undefined
  /** Whether what stands in the way does so for good. */
  readonly failed: boolean
  /** What stands in the way. */
  readonly error: CastError | undefined
}

export interface Link {
  readonly state: () => LinkState
  /** As it is sent: another where this one was refused. */
  readonly token: (refused?: Promise<unknown>) => Promise<string | undefined>
  /** Somebody reads; the function says that they do not any more. */
  readonly read: () => () => void
  /** Now, whatever was in the way. */
  readonly reconnect: () => void
  readonly close: () => void
}

export const makeLink = ({ changed, keepAlive, open, receive, roads, token }: Way): Link => {
  let readers = 0
  let looking: ReturnType<typeof setInterval> | undefined
  let isClosed = false
  let isAsleep = false
  let opened: Opened | undefined
  /** Of a road that is open or opens: what an earlier one still says is nobody's any more. */
  let turn = 0
  let road = 0
  let short = 0
  let attempts = 0
  let isRenewed = false
  let hasFailed = false
  let error: CastError | undefined
  let asked: Promise<string | undefined> | undefined
  let retryAt: number | undefined
  /** Where nothing is to be heard it is never too long ago. */
  let heardAt = Infinity
  /** When the first message came; 0 until then. */
  let connectedAt = 0
  let calmUntil = 0
  let lookedAt = Date.now()
  let shownAt = lookedAt
  let better = betterAfter

  const current = (refused?: Promise<unknown>): Promise<string | undefined> => {
    // Another may have asked for a new one since.
    if (!asked || refused === asked) {
      asked = (async () => (typeof token === "function" ? token() : token))()
      const forget = () => void (asked = undefined)
      asked.then((jwt) => jwt || forget(), forget)
    }
    return asked
  }

  /** Nothing once this turn is over. */
  const guard = <A>(then: (value: A) => void) => {
    const mine = turn
    return (value: A) => {
      if (mine === turn) then(value)
    }
  }

  const shut = () => {
    turn++
    opened?.close()
    opened = retryAt = undefined
    if (connectedAt) calmUntil = Date.now() + calm
    heardAt = Infinity
    connectedAt = 0
    changed()
  }

  const begin = (refused?: unknown) => {
    shut()
    if (!looking || hasFailed || (isAsleep && !keepAlive[0])) return
    heardAt = Date.now() - silence + firstWithin
    const [heard, lost] = [guard(hear), guard(lose)]
    current(refused ? asked : undefined)
      .then(guard((jwt) => void (opened = open(roads[road]!, jwt, isAsleep, heard, lost))))
      // Whatever it says of itself it is not ours.
      .catch((error) => lost({ detail: error?.message }))
  }

  const hear = (text?: string) => {
    heardAt = Date.now()
    if (!text) return
    const message = JSON.parse(text) as Message
    if (message.type === "goodbye") return lose(farewell(message))
    if (!receive(message)) return lose({})
    connectedAt ||= heardAt
    error = undefined
    changed()
  }

  const lose = (end: End) => {
    const { code, retryAfterMs = 0, status = 0 } = end
    const hasHeld = connectedAt && Date.now() - connectedAt > hold
    shut()
    if (hasHeld) attempts = short = 0
    if (status === 401 && !isRenewed) return begin((isRenewed = true))
    error = new CastError(end)
    if (isFinal.test(`${status}`)) hasFailed = true
    else {
      // Who is busy says so by every road, unless it is somebody in between.
      if (!hasHeld && !(code && retryAfterMs) && ++short > 2) {
        road = (road + 1) % roads.length
        short = 0
      }
      calmUntil += Math.min(retryAfterMs, hold)
      retryAt = Date.now() + retryAfterMs + Math.random() * Math.min(longestPause, 500 * 2 ** attempts++)
    }
  }

  /** All that time does. */
  const look = () => {
    const now = Date.now()
    if (calmUntil && now > calmUntil) {
      calmUntil = 0
      changed()
    }
    if (connectedAt && now - connectedAt > hold) isRenewed = false
    if (!host.document?.hidden) shownAt = now
    // The clock was set back: nothing that waits would end in its time.
    if (now < lookedAt) {
      shownAt = now
      begin((calmUntil = 0))
    }
    lookedAt = now
    if (now - shownAt > sleepAfter !== isAsleep) {
      isAsleep = !isAsleep
      // What was refused to the one says nothing of the other.
      hasFailed = false
      begin((attempts = 0))
    } else if (retryAt) {
      if (now > retryAt) begin()
    } else if (now - heardAt > silence) {
      // To wait three times would be long.
      if (!connectedAt) short = 2
      lose({})
    } else if (connectedAt && road && now - connectedAt > better) {
      better *= 4
      // That it does not hold once is enough to be back.
      road = 0
      short = 2
      begin()
    }
  }

  const notice = ({ persisted, type }: HostEvent) => {
    // A page with a connection is not kept for going back to; one that was frozen would hear no more of it.
    if (type === "pagehide" || type === "freeze") shut()
    else if (type === "online" || type === "resume" || persisted) begin((attempts = 0))
    else look()
    changed()
  }

  const listen = (isOn: boolean) => {
    clearInterval(looking)
    looking = isOn ? setInterval(look, lookEvery) : undefined
    for (const type of ["visibilitychange", "offline", "online", "pagehide", "pageshow", "freeze", "resume"])
      // Some are of the document alone, and pass here on their way.
      host[isOn ? "addEventListener" : "removeEventListener"]?.(type, notice, true)
    begin()
  }

  return {
    state: () => {
      const isUp = !hasFailed && (connectedAt > 0 || Date.now() < calmUntil)
      return { isUp, failed: hasFailed, road: roads[road]!, retryAt, error: isUp ? undefined : error }
    },
    token: current,
    read: () => {
      let isReading = 1
      readers++
      if (!looking && !isClosed) listen(true)
      return () => {
        readers -= isReading
        isReading = 0
        setTimeout(() => readers || !looking || listen(false), linger)
      }
    },
    reconnect: () => {
      if (isClosed) return
      error = asked = undefined
      hasFailed = isRenewed = false
      begin((attempts = short = 0))
    },
    close: () => {
      isClosed = hasFailed = true
      error = new CastError({ code: "closed" })
      listen(false)
    }
  }
}

/** What is wrong for longer has a problem, and so a status; of the others only a token helps. Who says goodbye has held. */
const farewell = ({ code, problem, retryAfterMs = 1 }: GoodbyeMessage): End => ({
  code,
  retryAfterMs,
  // `expired`, `revoked`, `unauthenticated`.
  status: /^(exp|rev|unau)/.test(code) ? 401 : 0,
  ...problem
})
