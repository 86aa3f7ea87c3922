/** `GET /v1/collections`: what the caller may read, and of what shape. */
import { Effect } from "effect"
import type { HttpServerRequest } from "effect/http"

import type { Declared } from "../Catalog.ts"
import { worst } from "../Collection.ts"
import { makeQuery, matchesPattern } from "../Hub.ts"
import { didYouMean } from "../Nearest.ts"
import { type Caller, may, refusal } from "./Auth/Caller.ts"
import { textResponse } from "./Json.ts"
import { Problem } from "./Problem.ts"
import { arrival, cachingFor, type Ground, minRevisionOf, searchOf } from "./Road.ts"
import { rowSchemas } from "./RowSchema.ts"

export const collections = (ground: Ground) => {
  const { catalog, hub } = ground
  const shapes = new Map(
    [...catalog.declared.values()].map((declared) => [declared.name, rowSchemas(declared)])
  )

  /** `shown`: by which name it is asked for; of a family a member, or a pattern over them. */
  const describe = ({ collection, family, name }: Declared, shown: string) => {
    const looks = family
      ? hub
          .members(name)
          .filter((member) => matchesPattern(shown, member))
          .map(hub.look)
      : [hub.look(name)]
    const asOf = Math.min(...looks.map((look) => look.asOf).filter((at) => at > 0))
    const health = worst(looks.map((look) => look.health))
    return {
      name: shown,
      kind: collection.kind,
      key: collection.key,
      ...shapes.get(name),
      rows: looks.reduce((sum, look) => sum + look.rows, 0),
      state: health.state,
      ...(health.error === undefined ? {} : { error: health.error }),
      ...(asOf === Infinity ? {} : { asOf })
    }
  }

  return Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const caller = yield* ground.auth.callerOf(request)
    yield* noParameters(request)
    if (caller.rights.read.length === 0) return yield* refusal(caller, "nothing can be read")
    yield* arrival(ground, undefined, minRevisionOf(request))
    const shown = [...catalog.declared.values()].flatMap((declared) =>
      namesFor(caller, declared).map((name) => [declared, name] as const)
    )
    const query = makeQuery(
      shown
        .filter(([{ family }]) => !family)
        .map(([{ collection }, name]) => [name, { collection, ...unnarrowed }] as const)
    )
    const described = shown.map(([declared, name]) => describe(declared, name))
    return textResponse(
      JSON.stringify({ cursor: hub.cursor(query), collections: described }),
      cachingFor(caller)
    )
  })
}

const unnarrowed = { keys: undefined, fields: undefined, where: [] }

/** By which names the caller may ask for it: a family by the pattern that reads all of it, or by what is allowed of it. */
const namesFor = (caller: Caller, { family, name }: Declared): ReadonlyArray<string> => {
  const asked = family ? `${name}:*` : name
  if (may(caller, "read", asked)) return [asked]
  return family ? [...new Set(caller.rights.read.filter((pattern) => pattern.startsWith(`${name}:`)))] : []
}

/** For endpoints that take none: an unknown one is a mistake there too. */
export const noParameters = (request: HttpServerRequest.HttpServerRequest): Effect.Effect<void, Problem> => {
  const odd = [...searchOf(request).keys()].find((name) => !name.startsWith("_"))
  return odd === undefined
    ? Effect.void
    : Effect.fail(
        new Problem({
          code: "invalid_query",
          detail: `unknown parameter "${odd.slice(0, 80)}"${didYouMean(odd, [])}; there are none here`
        })
      )
}
