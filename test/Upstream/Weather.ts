/**
 * An upstream for a long day: rows that move, every fault that comes and goes by a seed, and, by rules written here once
 * more and without the server's code, what a hub that was given these answers must hold.
 */
import { Effect } from "effect"

import { seeded } from "../Hub/World.ts"
import type { Answer, Asked, Reply } from "../Kit.ts"

export const timeout = 4_000
export const retries = 2
export const maxBytes = 20_000

interface Item {
  readonly id: string
  readonly rate: string
  readonly n: number
}
const keys = [
  "__proto__",
  "constructor",
  "",
  "\u2028",
  "10",
  "9",
  ...Array.from({ length: 34 }, (_, i) => `pool-${i}`)
]

/** A row as text, so that its digits are what they are. A decimal comes as text or as a number. */
const rowText = ({ id, n, rate }: Item, asNumber: boolean): string =>
  `{"id":${JSON.stringify(id)},"rate":${asNumber ? rate : JSON.stringify(rate)},"n":${n}}`

/** Faults in which the answer is no answer: the code, and whether the poll tries again. */
const failing = {
  refused: ["upstream_unreachable", true],
  status: ["upstream_status", true],
  notFound: ["upstream_status", false],
  busy: ["upstream_status", false],
  hang: ["upstream_timeout", true],
  truncated: ["upstream_not_json", true],
  html: ["upstream_not_json", true],
  notUtf8: ["upstream_not_json", true],
  tooLarge: ["upstream_too_large", false]
} as const
/** Answers that are read, and judged by their rows. */
const read = [
  "slow",
  "empty",
  "half",
  "object",
  "strange",
  "badRows",
  "duplicates",
  "mark",
  "proto",
  "beyond",
  "flaky"
] as const
type Fault = keyof typeof failing | (typeof read)[number]
export const faults: ReadonlyArray<Fault> = [
  ...(Object.keys(failing) as Array<keyof typeof failing>),
  ...read
]

export class Weather {
  /** What a hub must hold, and `live` or the code of what is wrong. */
  held = new Map<string, string>()
  state = "loading"
  readonly seen = new Map<Fault, number>()
  /** When each poll began, ms; when nothing may be asked before, ms. */
  readonly polls: Array<number> = []
  early = 0
  inFlight = 0
  private readonly random: () => number
  private items = new Map<string, Item>()
  private fault: Fault | undefined
  private until = 0
  private attempt = 0
  private life = 0
  private notBefore = 0
  private lastBody: ReadonlyArray<unknown> | "no rows" = "no rows"
  private suspect: ReadonlySet<string> | undefined
  private serial = 0
  private etag = ""
  private body = ""

  constructor(seed: number) {
    this.random = seeded(seed)
    for (const id of keys.slice(0, 30)) this.items.set(id, this.item(id))
  }

  private int(n: number): number {
    return Math.floor(this.random() * n)
  }
  private item(id: string): Item {
    return { id, rate: `${this.int(1_000)}.${this.int(100)}0`, n: this.int(1e9) / 1e3 }
  }

  /** The rows move a little, and come and go. */
  private move(): void {
    if (this.random() < 0.3) return
    for (let n = this.int(6); n > 0; n--) {
      const id = keys[this.int(keys.length)]!
      if (this.items.has(id) && this.items.size > 25 && this.random() < 0.2) this.items.delete(id)
      else this.items.set(id, this.item(id))
    }
  }

  /** Fair weather from now on. */
  clear(): void {
    this.fault = undefined
    this.until = Infinity
    this.notBefore = 0
  }

  /** Whoever polls knows nothing of what was before: what was promised to the last one binds it no more. */
  forget(): void {
    // Its requests are interrupted later than that, and are nobody's then.
    this.life++
    this.notBefore = 0
    this.attempt = 0
    this.inFlight = 0
  }

  private turn(now: number): void {
    if (now < this.until) return
    // Fair weather lasts longer than foul.
    this.fault = this.fault === undefined ? faults[this.int(faults.length)]! : undefined
    this.until = now + (this.fault === undefined ? 20_000 + this.int(300_000) : 5_000 + this.int(60_000))
  }

  readonly answer = (asked: Asked): Answer => {
    const { at } = asked
    if (this.attempt === 0) this.polls.push(at)
    if (at < this.notBefore) this.early++
    this.turn(at)
    if (this.attempt === 0) this.move()
    const { fault } = this
    if (fault !== undefined) this.seen.set(fault, (this.seen.get(fault) ?? 0) + 1)
    this.inFlight++
    const { life } = this
    const isAlive = () => life === this.life
    const done = Effect.sync(() => {
      if (isAlive()) this.inFlight--
    })
    const takes = fault === "slow" ? 3_000 : 1 + this.int(400)
    if (fault === "hang")
      return Effect.never.pipe(
        Effect.onInterrupt(() => (isAlive() ? this.fail("hang") : Effect.void)),
        Effect.ensuring(done)
      )
    return Effect.sleep(takes).pipe(
      Effect.andThen(Effect.suspend(() => this.say(fault, asked))),
      Effect.ensuring(done)
    )
  }

  private fail(fault: keyof typeof failing): Effect.Effect<void> {
    return Effect.sync(() => {
      const [code, again] = failing[fault]
      this.attempt++
      if (again && this.attempt <= retries) return
      this.attempt = 0
      this.state = code
    })
  }

  private say(fault: Fault | undefined, asked: Asked): Effect.Effect<Reply, unknown> {
    if (fault === "flaky" && this.attempt === 0)
      return Effect.andThen(this.fail("refused"), Effect.fail("reset"))
    if (fault !== undefined && fault in failing) {
      const which = fault as keyof typeof failing
      return Effect.andThen(this.fail(which), this.broken(which, asked.at))
    }
    const { body, rows } = this.rows(fault)
    if (body !== this.body) {
      this.body = body
      this.etag = `"${++this.serial}"`
    }
    const repeated = asked.headers["if-none-match"] === this.etag
    if (!repeated) this.lastBody = rows
    this.attempt = 0
    this.judge()
    return Effect.succeed(repeated ? { status: 304 } : { headers: { etag: this.etag }, body })
  }

  private broken(fault: keyof typeof failing, at: number): Effect.Effect<Reply, unknown> {
    const text = `[${[...this.items.values()].map((item) => rowText(item, false)).join()}]`
    switch (fault) {
      case "refused":
      case "hang":
        return Effect.fail(new Error("ECONNREFUSED"))
      case "status":
        return Effect.succeed({ status: [500, 502, 503, 504][this.int(4)]!, body: text })
      case "notFound":
        return Effect.succeed({ status: 404, body: text })
      case "busy": {
        const seconds = 5 + this.int(60)
        // The waiting begins when the answer is there.
        this.notBefore = at + seconds * 1_000
        return Effect.succeed({ status: 429, headers: { "retry-after": `${seconds}` } })
      }
      case "truncated":
        return Effect.succeed({ body: text.slice(0, 1 + this.int(text.length - 2)) })
      case "html":
        return Effect.succeed({ body: "<!doctype html><h1>Bad gateway</h1>" })
      case "notUtf8":
        return Effect.succeed({
          body: Buffer.concat([Buffer.from('["'), Buffer.from([0xc3, 0x28]), Buffer.from('"]')])
        })
      case "tooLarge":
        return Effect.succeed({ body: `${text}${" ".repeat(maxBytes)}` })
    }
  }

  /** The body, and the rows that stand in it: `undefined` for one that cannot be read, or its key where only that can. */
  private rows(fault: Fault | undefined): {
    readonly body: string
    readonly rows: ReadonlyArray<unknown> | "no rows"
  } {
    const all = [...this.items.values()]
    const asNumber = this.serial % 2 === 0
    const texts = (items: ReadonlyArray<Item>) => items.map((item) => rowText(item, asNumber))
    const list = (items: ReadonlyArray<unknown>, extra: ReadonlyArray<string> = []) => ({
      body: `[${[...extra, ...texts(items.filter((item) => typeof item === "object") as ReadonlyArray<Item>)].join()}]`,
      rows: items
    })
    const [first, ...rest] = all as [Item, ...Array<Item>]
    switch (fault) {
      case "empty":
        return { body: "[]", rows: [] }
      case "half":
        return list(all.slice(0, 8))
      case "object":
        return { body: `{"rows":[${texts(all).join()}]}`, rows: "no rows" }
      case "strange":
        return {
          body: JSON.stringify(all.map(({ id }) => ({ id, price: 1 }))),
          rows: all.map(({ id }) => id)
        }
      case "badRows":
        return list([first.id, ...rest], [`{"id":${JSON.stringify(first.id)},"rate":"much","n":1}`])
      case "duplicates":
        return list([{ ...first, n: -1 }, ...all], [])
      case "mark":
        return { ...list(all), body: `\uFEFF${list(all).body}` }
      case "proto":
        return {
          body: `[${texts(all).join()}]`.replaceAll('"rate"', '"__proto__":{"n":1,"rate":"0"},"rate"'),
          rows: all
        }
      case "beyond": {
        // One number has more digits than a double, another is no double at all.
        const big = { ...first, n: Number("12345678901234567890") }
        const [second, ...others] = rest as [Item, ...Array<Item>]
        return {
          body: `[${[rowText(first, asNumber).replace(/"n":.*\}/, '"n":12345678901234567890}'), rowText(second, asNumber).replace(/"n":.*\}/, '"n":1e999}'), ...texts(others)].join()}]`,
          rows: [big, second.id, ...others]
        }
      }
      default:
        return list(all)
    }
  }

  /** What becomes of the last body: at most a tenth bad, at least half still there, or the same said twice. */
  private judge(): void {
    const wrong = (code: string, suspect?: ReadonlySet<string>) => {
      this.state = code
      this.suspect = suspect
    }
    if (this.lastBody === "no rows") return wrong("upstream_shape")
    const next = new Map<string, string>()
    let bad = 0
    for (const row of this.lastBody) {
      if (typeof row === "string") {
        bad++
        if (this.held.has(row)) next.set(row, this.held.get(row)!)
      } else {
        const { id, n, rate } = row as Item
        next.set(id, `${rate} ${n}`)
      }
    }
    if (bad * 10 > this.lastBody.length) return wrong("upstream_shape")
    const kept = (before: Iterable<string>, count: number) =>
      count === 0 ? 1 : [...before].filter((key) => next.has(key)).length / count
    const { suspect } = this
    const believed =
      suspect !== undefined &&
      (suspect.size === 0 ? next.size === 0 : next.size > 0 && kept(suspect, suspect.size) >= 0.5)
    if (!believed && next.size === 0 && !(this.held.size === 0 && this.state === "live")) {
      return wrong("upstream_empty", new Set())
    }
    if (!believed && kept(this.held.keys(), this.held.size) < 0.5)
      return wrong("upstream_shrunk", new Set(next.keys()))
    this.suspect = undefined
    this.held = next
    this.state = "live"
  }
}
