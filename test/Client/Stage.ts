/**
 * Where a client is looked at by itself: the clock is the test's, so is the page, and so is what the server says on each
 * connection. The requests are real `Request`s, and the answers real `Response`s.
 */
import { vi } from "@effect/vitest"

import { connect, type Message, type Options } from "../../client/Cast.ts"

// oxlint-disable-next-line typescript/consistent-type-definitions -- a row has an index signature, which an interface lacks
export type Pool = { readonly id: string; readonly usd?: string }
export interface Api {
  readonly pools: Pool
  readonly toasts: Pool
}

/** One connection, of whichever road, from the server's side. */
export interface Line {
  readonly road: string
  readonly query: URLSearchParams
  readonly headers: Headers
  readonly protocols: ReadonlyArray<string>
  readonly at: number
  /** Whether the client still holds it. */
  isOpen: boolean
  readonly say: (message: Message) => void
  /** Of a stream, a long poll: a status with a problem. Of a socket: its close code. */
  readonly end: (status?: number, problem?: object, headers?: { readonly [name: string]: string }) => void
}

export const snapshot = (revision: number, pools: { readonly [key: string]: Pool }): Message => ({
  type: "snapshot",
  cursor: cursor(revision),
  reason: "initial",
  at: 1,
  collections: { pools: { state: "live", asOf: 1, rows: pools } }
})

export const cursor = (revision: number, epoch = "e1") => `${epoch}-${revision}-abc`

export const change = (from: number, to: number, pools: object): Message => ({
  type: "change",
  from: cursor(from),
  cursor: cursor(to),
  commits: to - from,
  at: 1,
  collections: { pools }
})

class Listeners {
  private readonly all = new Map<string, Set<(event: object) => void>>()
  readonly addEventListener = (type: string, listener: (event: object) => void) => {
    const mine = this.all.get(type) ?? new Set()
    this.all.set(type, mine.add(listener))
  }
  readonly removeEventListener = (type: string, listener: (event: object) => void) => {
    this.all.get(type)?.delete(listener)
  }
  dispatch(type: string, more: object = {}): void {
    for (const listener of this.all.get(type) ?? []) listener({ type, ...more })
  }
  get count(): number {
    return [...this.all.values()].reduce((sum, { size }) => sum + size, 0)
  }
}

export class Stage {
  readonly lines: Array<Line> = []
  readonly page = new Listeners()
  readonly requests: Array<{ readonly method: string; readonly path: string; readonly headers: Headers }> = []
  /** Answers what is no road. */
  answer: (path: string, init: RequestInit) => Response = () => Response.json({})
  /** Answers every connection, as it comes. */
  greet: (line: Line) => void = () => {}
  frames: Array<() => void> = []

  constructor() {
    vi.useFakeTimers({ now: 1_800_000_000_000 })
    vi.stubGlobal("WebSocket", this.socket())
    vi.stubGlobal("fetch", (url: string, init: RequestInit) => this.fetched(url, init))
  }

  /** As in a browser: with a document, with frames. */
  asPage(): this {
    vi.stubGlobal("document", { hidden: false, getElementById: () => null })
    vi.stubGlobal("location", { href: "https://app.test/" })
    vi.stubGlobal("addEventListener", this.page.addEventListener)
    vi.stubGlobal("removeEventListener", this.page.removeEventListener)
    vi.stubGlobal("requestAnimationFrame", (run: () => void) => this.frames.push(run))
    return this
  }

  hide(hidden: boolean): void {
    vi.stubGlobal("document", { hidden, getElementById: () => null })
    this.page.dispatch("visibilitychange")
  }

  leave(): void {
    vi.useRealTimers()
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  }

  connect<Name extends keyof Api & string>(options: Partial<Options<Name>> = {}) {
    return connect<Api, Name>("https://cast.test", { collections: ["pools"] as never, ...options })
  }

  get line(): Line {
    return this.lines.at(-1)!
  }

  get open(): ReadonlyArray<Line> {
    return this.lines.filter(({ isOpen }) => isOpen)
  }

  /** What promises do happens, too. */
  async pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms)
  }

  frame(): void {
    const due = this.frames
    this.frames = []
    for (const run of due) run()
  }

  private fetched(url: string, init: RequestInit): Promise<Response> {
    const { pathname, search, searchParams } = new URL(url, "https://app.test")
    const headers = new Headers(init.headers)
    const path = `${pathname}${search}`
    const road = pathname.slice("/v1/".length)
    if (road !== "stream" && road !== "changes") {
      this.requests.push({ method: init.method ?? "GET", path, headers })
      try {
        return Promise.resolve(this.answer(path, init))
      } catch (error) {
        return Promise.reject(error)
      }
    }
    const { promise, reject, resolve } = Promise.withResolvers<Response>()
    let body: ReadableStreamDefaultController<Uint8Array> | undefined
    const begin = () => {
      if (body !== undefined) return
      const stream = new ReadableStream<Uint8Array>({ start: (controller) => void (body = controller) })
      resolve(new Response(stream, { headers: { "content-type": "text/event-stream" } }))
    }
    const line: Line = {
      road,
      query: searchParams,
      headers,
      protocols: [],
      at: Date.now(),
      isOpen: true,
      say: (message) => {
        if (road === "changes") {
          line.isOpen = false
          return resolve(
            Response.json(message, { headers: { "ratecast-cursor": (message as { cursor: string }).cursor } })
          )
        }
        begin()
        body!.enqueue(new TextEncoder().encode(`event:${message.type}\ndata:${JSON.stringify(message)}\n\n`))
      },
      end: (status, problem, headers) => {
        line.isOpen = false
        if (status === undefined) {
          if (body === undefined) reject(new TypeError("fetch failed"))
          else body.close()
        } else
          resolve(
            problem === undefined
              ? new Response("<html>", { status, headers: { "content-type": "text/html", ...headers } })
              : Response.json(
                  { status, ...problem },
                  { status, headers: { "content-type": "application/problem+json", ...headers } }
                )
          )
      }
    }
    init.signal!.addEventListener("abort", () => {
      if (!line.isOpen) return
      line.isOpen = false
      reject(init.signal!.reason)
      body?.error(init.signal!.reason)
    })
    this.lines.push(line)
    this.greet(line)
    return promise
  }

  private socket() {
    const { greet, lines } = { greet: (line: Line) => this.greet(line), lines: this.lines }
    return class {
      onopen: () => void = () => {}
      onmessage: (event: { readonly data: string }) => void = () => {}
      onclose: (event: { readonly code: number; readonly reason: string }) => void = () => {}
      private readonly line: Line

      constructor(url: string, protocols: ReadonlyArray<string>) {
        const { pathname, protocol, searchParams } = new URL(url)
        if (!protocol.startsWith("ws") || pathname !== "/v1/socket") throw new SyntaxError(url)
        const line: Line = {
          road: "socket",
          query: searchParams,
          headers: new Headers(),
          protocols,
          at: Date.now(),
          isOpen: true,
          say: (message) => this.onmessage({ data: JSON.stringify(message) }),
          end: (code = 1006) => {
            line.isOpen = false
            this.onclose({ code, reason: "" })
          }
        }
        this.line = line
        lines.push(line)
        queueMicrotask(() => {
          this.onopen()
          greet(line)
        })
      }

      close(): void {
        this.line.isOpen = false
      }
    }
  }
}
