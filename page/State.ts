/** The row of figures on top: the connection, how far it is and how late, and the banner where something is wrong. */
import { byId, mark, show, write } from "./Element.ts"
import { brief, listed, long, none, sentence, size, took, whole } from "./Format.ts"
import { roadName } from "./Frames.ts"
import type { Session } from "./Session.ts"

const words = {
  connecting: "Connecting",
  live: "Live",
  stale: "Stale",
  lost: "Reconnecting",
  offline: "Offline",
  failed: "Failed"
} as const

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN

export const revisionOf = (cursor: string | undefined): number | undefined =>
  cursor === undefined ? undefined : Number(cursor.split("-")[1])

export class State {
  private readonly session: Session
  private newest: number | undefined
  private heardAt: number | undefined

  constructor(session: Session) {
    this.session = session
  }

  heard(at: number, cursor: string | undefined): void {
    this.heardAt = at
    this.newest = revisionOf(cursor) ?? this.newest
  }

  paint(lags: ReadonlyArray<number>, received: number): void {
    const { problem, status } = this.session
    const known = problem !== undefined && status === undefined ? "failed" : (status?.state ?? "connecting")
    // One collection that has no rows yet is said of by itself; the others are here.
    const isThere = status?.cursor !== undefined
    const state =
      status?.retryAt !== undefined && isThere && known !== "offline" && known !== "failed"
        ? "lost"
        : known === "connecting" && isThere
          ? "live"
          : known
    const road = status === undefined ? "" : roadName(status.road)
    mark(byId("connection"), "data-tone", state)
    // Read aloud when it changes; the seconds beside it are not.
    write(byId("connection-state"), words[state])
    write(byId("connection-more"), this.more(state, road))
    write(byId("revision"), this.newest === undefined ? none : whole(this.newest))
    write(byId("lag"), lags.length === 0 ? none : took(median(lags)))
    write(
      byId("lag-more"),
      lags.length === 0
        ? "from commit to here"
        : `median of ${whole(lags.length)}, worst ${took(Math.max(...lags))}`
    )
    write(byId("received"), size(received))
    const { asOf } = this.session
    write(byId("as-of"), asOf === undefined ? none : `${brief(this.session.now - asOf)} ago`)
    const banner = this.banner(state)
    show(byId("banner"), banner !== undefined)
    mark(byId("banner"), "data-tone", state === "failed" ? "bad" : "stale")
    write(byId("banner-text"), banner ?? "")
    show(byId("reconnect"), state === "failed" || status?.retryAt !== undefined)
    document.title = `${state === "live" ? "" : `${words[state]} – `}Ratecast`
  }

  private more(state: keyof typeof words, road: string): string {
    const retryAt = this.session.status?.retryAt
    if (retryAt !== undefined) {
      const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))
      return `again ${seconds === 0 ? "now" : `in ${seconds} s`}`
    }
    if (state === "failed" || state === "offline")
      return this.heardAt === undefined ? "" : `last word ${brief(Date.now() - this.heardAt)} ago`
    return road === "" ? "" : `by ${road}`
  }

  private banner(state: keyof typeof words): string | undefined {
    const { described, problem, status } = this.session
    if (state === "failed")
      return sentence(status?.error?.message || problem?.detail || "The daemon refuses.")
    if (state === "offline") return "This browser is offline. Rows are those of the last word."
    const revision = revisionOf(status?.cursor)
    if (status?.retryAt !== undefined && this.heardAt === undefined) return "The daemon cannot be reached."
    if (status?.retryAt !== undefined)
      return `The connection is lost; last word ${long(Date.now() - this.heardAt!)} ago${revision === undefined ? "." : `, to go on at revision ${whole(revision)}.`}`
    const ill = this.session.all.filter(({ status }) => status.state === "stale")
    if (ill.length > 0) {
      const oldest = Math.min(...ill.map(({ status }) => status.asOf ?? Infinity))
      const age = oldest === Infinity ? "" : `, as of ${long(this.session.now - oldest)} ago`
      return `${listed(ill.map(({ name }) => name))} ${ill.length === 1 ? "is" : "are"} stale${age}. ${ill[0]!.status.error?.detail ?? ""}`
    }
    const failing = described.find(({ error, state }) => state === "loading" && error !== undefined)
    return failing === undefined ? undefined : `${failing.name} has no rows yet. ${failing.error!.detail}`
  }
}
