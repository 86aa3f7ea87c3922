/** The four ways by which a client reads, each until its end: nothing of the server's code, real sockets. */
import * as http from "node:http"
import type { Readable } from "node:stream"
import { createGunzip } from "node:zlib"

import { EventParser } from "../Clients.ts"

export interface Visit {
  readonly url: string
  readonly search: string
  readonly since: string | undefined
  /** Given up: what is under way comes no more. */
  readonly signal: AbortSignal
  /** `id`: of the event, where there is one. */
  readonly take: (text: string, id?: string) => void
  /** Nothing changed up to there. */
  readonly move: (cursor: string) => void
  /** From where it reads: paused, it takes nothing. */
  readonly reads: (body: Readable) => void
  /** What no fault of a network explains. */
  readonly wrong: (what: string) => void
}

type Road = (visit: Visit) => Promise<void>

/** The parameter may have any of these names. */
const sinceNames = ["since", "last_event_id", "lastEventId", "lastEventID", "lastEvent"]

const urlOf = ({ search, since, url }: Visit, path: string, more = ""): string => {
  const name = sinceNames[(since?.length ?? 0) % sinceNames.length]!
  const items = [search, more, since === undefined ? "" : `${name}=${since}`]
  return `${url}/v1/${path}?${items.filter((item) => item !== "").join("&")}`
}

const stream =
  (headers: { readonly [name: string]: string }): Road =>
  (visit) =>
    new Promise((done) => {
      const { since } = visit
      const isCursor = since !== undefined && since !== "now"
      const request = http.get(urlOf({ ...visit, since: isCursor ? undefined : since }, "stream"), {
        agent: false,
        headers: { ...headers, ...(isCursor ? { "last-event-id": since } : {}) },
        signal: visit.signal
      })
      request.on("error", () => done())
      request.on("response", (response) => {
        if (response.statusCode !== 200) visit.wrong(`a stream was answered ${response.statusCode}`)
        response.on("error", () => done())
        const unzipped = response.headers["content-encoding"] === "gzip"
        if ("accept-encoding" in headers !== unzipped) visit.wrong("a stream has another encoding than asked")
        const body = unzipped ? response.pipe(createGunzip()) : response
        const parser = new EventParser(({ data, lastEventId }) => visit.take(data, lastEventId))
        body.on("error", (error: NodeJS.ErrnoException) => {
          // Cut off in the middle, which the end of a dead connection is; anything else is no gzip.
          if (unzipped && error.code !== "Z_BUF_ERROR" && error.code?.startsWith("Z_"))
            visit.wrong(`a gzip stream broke: ${error.message}`)
          done()
        })
        body.on("data", (bytes: Buffer) => {
          if (!visit.signal.aborted) parser.feed(bytes)
        })
        visit.reads(body)
        body.on("end", () => done())
        response.on("close", () => done())
      })
    })

const socket: Road = (visit) =>
  new Promise((done) => {
    const ws = new WebSocket(urlOf(visit, "socket").replace(/^http/, "ws"))
    visit.signal.addEventListener("abort", () => {
      ws.close()
      done()
    })
    ws.addEventListener("message", ({ data }) => {
      if (!visit.signal.aborted) visit.take(data as string)
    })
    ws.addEventListener("error", () => done())
    ws.addEventListener("close", ({ code }) => {
      if (![1000, 1001, 1005, 1006, 1012, 4408, 4429].includes(code))
        visit.wrong(`a socket was closed with ${code}`)
      done()
    })
  })

/** A connection that is kept, as browsers do; one answer after the other until one does not come. */
const poll: Road = async (visit) => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  let { since } = visit
  const ask = (): Promise<boolean> =>
    new Promise((done) => {
      const request = http.get(urlOf({ ...visit, since }, "changes", "wait=20s"), {
        agent,
        signal: visit.signal
      })
      request.on("error", () => done(false))
      request.on("response", (response) => {
        const { statusCode } = response
        const cursor = response.headers["ratecast-cursor"] as string | undefined
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (more: string) => (text += more))
        response.on("error", () => done(false))
        response.on("close", () => done(false))
        response.on("end", () => {
          if (visit.signal.aborted || !response.complete) return done(false)
          if (statusCode === 204) visit.move(cursor!)
          else if (statusCode === 200) visit.take(text, cursor)
          else if (statusCode !== 503) visit.wrong(`a long poll was answered ${statusCode}: ${text}`)
          since = cursor
          done(statusCode === 200 || statusCode === 204)
        })
      })
    })
  while (await ask());
  agent.destroy()
}

export const roads = {
  stream: stream({}),
  "gzip stream": stream({ "accept-encoding": "gzip" }),
  socket,
  poll
} as const satisfies { readonly [name: string]: Road }

export type RoadName = keyof typeof roads

export const roadNames = Object.keys(roads) as ReadonlyArray<RoadName>
