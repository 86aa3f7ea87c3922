/** What a test's upstreams answer, by method and URL. Whatever goes wrong here is the test's to hear, and is kept for it. */
import { Effect } from "effect"

import { didYouMean } from "../Nearest.ts"
import { type Answer, given } from "./Answer.ts"
import { NotScripted } from "./Mistakes.ts"
import type { Answer as Given, Asked } from "./Script.ts"
import { type Target, targetOf } from "./Target.ts"

/** What Ratecast asked an upstream for. */
export interface UpstreamRequest {
  readonly method: string
  readonly url: string
  /** Of the URL. */
  readonly query: { readonly [name: string]: string }
  /** What stands for `{id}` in the URL that was scripted. */
  readonly params: { readonly [name: string]: string }
  readonly headers: { readonly [name: string]: string | undefined }
  /** Parsed, where it is JSON. */
  readonly body: unknown
  /** When, ms since 1970 of the virtual clock. */
  readonly at: number
  /** The first request to this script is 1. */
  readonly nth: number
}

interface Scripted {
  readonly target: Target
  readonly requests: Array<UpstreamRequest>
  answer: Answer | ((request: UpstreamRequest) => Answer)
  asked: number
}

/** An upstream as a test sees it. */
export interface ScriptedUpstream {
  /** What it has been asked for, in order, retries included. */
  readonly requests: ReadonlyArray<UpstreamRequest>
}

export class Upstreams {
  private readonly scripted = new Map<string, Scripted>()
  private readonly unanswered = new Set<string>()
  private readonly thrown: Array<unknown> = []

  /** Throws a TypeError where the target is none. */
  script(written: string, answer: Scripted["answer"]): ScriptedUpstream {
    const target = targetOf(written)
    if (answer === undefined) throw new TypeError(`cast.upstream(${JSON.stringify(written)}, …): no answer`)
    const found = this.scripted.get(target.name) ?? { target, requests: [], answer, asked: 0 }
    Object.assign(found, { answer, asked: 0 })
    this.scripted.set(target.name, found)
    return found
  }

  readonly answer = (asked: Asked): Given => {
    const found = this.find(asked)
    if (found === undefined) {
      this.unanswered.add(`${asked.method} ${asked.url}`)
      return Effect.fail("not scripted")
    }
    const { scripted, params } = found
    const { at, headers, method, url } = asked
    const query = Object.fromEntries(new URL(url).searchParams)
    const nth = ++scripted.asked
    const request = { method, url, query, params, headers, body: parsed(asked.body), at, nth }
    scripted.requests.push(request)
    try {
      return given(scripted.target.name, answerOf(scripted, request))
    } catch (error) {
      this.thrown.push(error)
      return Effect.fail("the script threw")
    }
  }

  /** Throws what has gone wrong since the last call. */
  check(): void {
    const requests = [...this.unanswered]
    this.unanswered.clear()
    const [first] = this.thrown.splice(0)
    if (first !== undefined) throw first
    if (requests.length === 0) return
    const names = [...this.scripted.keys()]
    throw new NotScripted(requests, names, didYouMean(requests[0]!, names))
  }

  /** The one that says most about the URL. */
  private find({ method, url }: Asked) {
    let best: { readonly scripted: Scripted; readonly params: UpstreamRequest["params"] } | undefined
    for (const scripted of this.scripted.values()) {
      const params = scripted.target.match(method, new URL(url))
      if (params !== undefined && !(best && best.scripted.target.rank > scripted.target.rank))
        best = { scripted, params }
    }
    return best
  }
}

const answerOf = ({ answer, target }: Scripted, request: UpstreamRequest): Answer => {
  const made =
    typeof answer === "function" ? (answer as (request: UpstreamRequest) => Answer)(request) : answer
  if (made === undefined)
    throw new TypeError(
      `the script of ${target.name} returned nothing; return rows, reply({ … }) or unreachable`
    )
  if (made instanceof Promise)
    throw new TypeError(
      `the script of ${target.name} returned a promise, which the virtual clock cannot wait for; return reply({ after: "3 seconds", … }) for one that takes long`
    )
  return made
}

const parsed = (text: string): unknown => {
  if (text === "") return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
