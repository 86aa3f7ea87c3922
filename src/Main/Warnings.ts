/** What is set and cannot be meant, though the daemon can do with it: said once, when it starts. */
import { Effect, Layer } from "effect"

import { Catalog, type Declared } from "../Catalog.ts"
import { familyOf } from "../Collection.ts"
import { covers, notMeant } from "../Http/Auth/Rights.ts"
import { didYouMean } from "../Nearest.ts"
import { misspelt, settingNames, Settings } from "../Settings.ts"
import { hidden } from "./CastMembers.ts"

/** Before anything else: what a start stops for may be the consequence. */
export const warnOfNames = Effect.gen(function* () {
  // Whoever passes variables on passes them empty, too.
  const given = Object.entries(process.env).flatMap(([name, value]) => (value === "" ? [] : [name]))
  for (const { meant, name } of misspelt(given, yield* settingNames))
    yield* Effect.logWarning(`the variable ${name} has no effect; did you mean ${meant}?`)
})

/** Whether a pattern covers a collection, or any member that a family may have. */
const reaches = (pattern: string, { family, name }: Declared): boolean => {
  if (!family) return covers([pattern], name)
  const start = `${name}:`
  const [literal, ...more] = pattern.split("*") as [string, ...ReadonlyArray<string>]
  if (more.length === 0) return familyOf(pattern)?.family === name && pattern !== start
  // An id may be any text, so it ends as the pattern wants it.
  return literal.startsWith(start) || start.startsWith(literal)
}

const warn = (
  setting: string,
  patterns: ReadonlyArray<string>,
  what: string,
  declared: ReadonlyArray<Declared>
) => {
  const names = declared.map(({ family, name }) => (family ? `${name}:*` : name))
  const there = names.length === 0 ? "there is none" : `there are ${names.join(", ")}`
  const covering = Effect.forEach(
    // Whoever says everything has named none that is not there.
    patterns.filter((pattern) => pattern !== "*" && !declared.some((each) => reaches(pattern, each))),
    (pattern) =>
      Effect.logWarning(
        `${setting}: ${JSON.stringify(pattern)} covers no ${what}; ${there}${didYouMean(pattern, names)}`
      ),
    { discard: true }
  )
  const meaning = Effect.forEach(notMeant(patterns), (odd) => Effect.logWarning(`${setting}: ${odd}`), {
    discard: true
  })
  return Effect.andThen(covering, meaning)
}

/** What everybody may, of collections that there are not; and collections that a client has other things in place of. */
export const layerWarnings = Layer.effectDiscard(
  Effect.gen(function* () {
    const catalog = yield* Catalog
    const declared = [...catalog.declared.values()]
    yield* Effect.forEach(hidden(catalog), (line) => Effect.logWarning(line), { discard: true })
    const { anonymousRead, anonymousRefresh, anonymousWrite } = (yield* Settings).access
    const written = declared.filter(({ made }) => made._tag === "Written")
    yield* warn("ANONYMOUS_READ", anonymousRead, "collection", declared)
    yield* warn("ANONYMOUS_WRITE", anonymousWrite, "collection that is written to", written)
    yield* warn("ANONYMOUS_REFRESH", anonymousRefresh, "collection", declared)
  })
)
