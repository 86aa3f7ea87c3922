/** `GET /v1/collections`: what there is to read, and of what shape. */
import { Effect, Schema } from "effect"
import type { HttpServerRequest } from "effect/http"

import type { Declared } from "../Catalog.ts"
import { worst } from "../Collection.ts"
import { didYouMean } from "../Nearest.ts"
import { textResponse } from "./Json.ts"
import { Problem } from "./Problem.ts"
import { resolve } from "./Resolve.ts"
import { arrival, caching, type Ground, minRevisionOf, searchOf } from "./Road.ts"

export const collections = (ground: Ground) => {
  const { catalog, hub } = ground
  const everything = resolve(catalog, {
    collections: undefined,
    keys: undefined,
    fields: undefined,
    where: [],
    own: new Map(),
    since: undefined,
    interval: 0,
    wait: undefined,
    pings: false
  })
  const shapes = new Map(
    [...catalog.declared.values()].map((declared) => [declared.name, shapesOf(declared)])
  )

  const describe = ({ collection, family, name }: Declared) => {
    const looks = family ? hub.members(name).map(hub.look) : [hub.look(name)]
    const asOf = Math.min(...looks.map((look) => look.asOf).filter((at) => at > 0))
    const health = worst(looks.map((look) => look.health))
    return {
      // A family goes by the pattern that reads all of it.
      name: family ? `${name}:*` : name,
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
    yield* noParameters(request)
    yield* arrival(ground, undefined, minRevisionOf(request))
    const described = [...catalog.declared.values()].map(describe)
    return textResponse(JSON.stringify({ cursor: hub.cursor(everything), collections: described }), caching)
  })
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

/** JSON Schemas of the fixed and of the live fields, as they stand on the wire. */
const shapesOf = ({ collection, row }: Declared) => {
  const part = (isIn: (name: string) => boolean) => {
    const fields = Object.entries(row.fields).filter(([name]) => isIn(name))
    if (fields.length === 0) return { type: "object", properties: {}, additionalProperties: false }
    const struct = Schema.Struct(Object.fromEntries(fields))
    const { definitions, schema } = Schema.toJsonSchemaDocument(Schema.toType(struct))
    return Object.keys(definitions).length === 0 ? schema : { ...schema, $defs: definitions }
  }
  return {
    fixed: part((name) => collection.fixed.has(name)),
    live: part((name) => !collection.fixed.has(name))
  }
}
