/** What somebody should hear of though nothing is committed: counted, and named in the log. */
import { Effect, Metric } from "effect"

import { familyOf, type Health } from "../Collection.ts"
import type { Failure } from "../Upstream.ts"
import type { Remark } from "./Consequences.ts"

const setAside = Metric.counter("rows_set_aside_total", {
  description: "Rows that could not be read",
  incremental: true
})
const duplicateKeys = Metric.counter("duplicate_keys_total", {
  description: "Rows whose key came again in the same answer",
  incremental: true
})
const deriveMistakes = Metric.counter("derive_mistakes_total", {
  description: "Rows of derived collections that do not fit, and runs that threw",
  incremental: true
})

const inexactNumbers = Metric.counter("inexact_numbers_total", {
  description: "Answers with numbers that a double cannot hold, in fields not declared decimal",
  incremental: true
})

/** A collection is in another state. The name of a member may be somebody's: it is in the log where something is wrong with it. */
export const announce = (
  collection: string,
  { error, state }: Health,
  remarked: Set<string>,
  failure: Failure | undefined = error
) => {
  if (failure === undefined)
    return (isMember(collection) ? Effect.logDebug : Effect.logInfo)(`${collection} is ${state}`).pipe(
      Effect.annotateLogs({ collection })
    )
  const text = whyOf(collection, state, failure)
  if (remarked.size < maxRemarked) remarked.add(keyOf(collection, text))
  return Effect.logWarning(text).pipe(Effect.annotateLogs({ collection, code: failure.code }))
}

const whyOf = (collection: string, state: Health["state"], { detail, more }: Failure): string =>
  `${collection} is ${state}: ${detail}${more === undefined ? "" : ` ${more}`}`

const keyOf = (collection: string, text: string): string => `${collection} ${text}`

const isMember = (collection: string): boolean => familyOf(collection) !== undefined

/** Mistakes are counted always and named in the log once each; what has been named is bounded. */
const maxRemarked = 1_000

export const say = Effect.fnUntraced(function* (
  { collection, failure, mistakes = [], notes, state = "loading" }: Remark,
  remarked: Set<string>
) {
  const once = (text: string, details: object) => {
    const key = keyOf(collection, text)
    if (remarked.has(key) || remarked.size >= maxRemarked) return Effect.void
    remarked.add(key)
    return Effect.logWarning(text).pipe(Effect.annotateLogs({ collection, ...details }))
  }
  // After a restart, too, where nothing has changed since the run before.
  if (failure !== undefined) yield* once(whyOf(collection, state, failure), { code: failure.code })
  const attributes = { collection: collection.replace(/:.*/s, "") }
  if (notes !== undefined) {
    yield* Metric.update(Metric.withAttributes(setAside, attributes), notes.badCount)
    yield* Metric.update(Metric.withAttributes(duplicateKeys, attributes), notes.duplicates)
    for (const { came, key, reason } of notes.bad) {
      yield* once(`row set aside: ${reason}`, {
        ...(key === undefined ? {} : { key: key.slice(0, 200) }),
        ...(came === undefined ? {} : { came })
      })
    }
    if (notes.duplicates > 0)
      yield* once("keys came twice in one answer; `duplicates` says which row counts", {
        duplicates: notes.duplicates
      })
    yield* Metric.update(Metric.withAttributes(inexactNumbers, attributes), notes.inexact.length)
    for (const name of notes.inexact) {
      const field = name.slice(0, 200)
      yield* once(
        `numbers in "${field}" lose digits as doubles; declare the field as Decimal to keep them`,
        {}
      )
    }
    if (notes.thrown !== undefined)
      yield* once(`the config's own function threw: ${String(notes.thrown)}`, {})
  }
  yield* Metric.update(Metric.withAttributes(deriveMistakes, attributes), mistakes.length)
  for (const mistake of mistakes) yield* once(`derived: ${mistake}`, {})
})
