/** What an upstream of a test answers. */
import { Duration, Effect, Option } from "effect"

import type { Answer as Given } from "./Script.ts"

export interface ReplyOptions {
  /** Default 200. */
  readonly status?: number
  /** Such as `etag` or `retry-after`. */
  readonly headers?: { readonly [name: string]: string }
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as it is, instead of `body`: digits that `JSON.stringify` would lose, or what is no JSON. */
  readonly text?: string
  /** How long it takes. More than the source's `timeout` is a timeout. */
  readonly after?: Duration.Input
}

/** Throws a TypeError that names where it was given. */
export const durationOf = (where: string, input: Duration.Input): Duration.Duration => {
  const found = Duration.fromInput(input)
  if (Option.isSome(found) && Duration.toMillis(found.value) >= 0) return found.value
  throw new TypeError(
    `${where} is ${JSON.stringify(input)}; expected a duration such as "500 millis", "3 seconds", "1 minute"`
  )
}

class Reply {
  readonly options: ReplyOptions & { readonly unreachable?: boolean }
  readonly after: Duration.Duration

  constructor(options: ReplyOptions & { readonly unreachable?: boolean }) {
    this.options = options
    this.after = durationOf("reply({ after })", options.after ?? 0)
  }
}

/** An answer that is more than a body with status 200. */
export const reply = (options: ReplyOptions): Reply => new Reply(options)

/** No connection. */
export const unreachable: Reply = new Reply({ unreachable: true })

/** What `reply` returns, `unreachable`, or a value that is sent as JSON. */
export type Answer = Reply | {} | null

export const given = (name: string, answer: Answer): Given => {
  if (!(answer instanceof Reply)) return { body: jsonOf(name, answer) }
  const { body, headers, status, text, unreachable } = answer.options
  const said = unreachable
    ? Effect.fail("unreachable")
    : Effect.succeed({
        status: status ?? 200,
        headers: lowerCased(headers ?? {}),
        body: text ?? (body === undefined ? "" : jsonOf(name, body))
      })
  return Effect.andThen(Effect.sleep(answer.after), said)
}

const jsonOf = (name: string, body: unknown): string => {
  const text = JSON.stringify(body) as string | undefined
  if (text === undefined) throw new TypeError(`the script of ${name} answers with what is no JSON`)
  return text
}

const lowerCased = (headers: { readonly [name: string]: string }) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
