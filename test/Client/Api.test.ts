/** What the types of a cast say of it, to the type checker; and what is there all the same. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"

import { connect } from "../../client/Cast.ts"
import { snapshot, Stage } from "./Stage.ts"

interface Api {
  readonly pools: { readonly id: string; readonly usd: string }
  readonly cheap: { readonly id: string }
  readonly status: { readonly id: string; readonly text: string }
  readonly [order: `order:${string}`]: { readonly id: string; readonly state: string }
}
const url = "https://cast.test"

describe("a cast", () => {
  let stage: Stage
  beforeEach(() => void (stage = new Stage()))
  afterEach(() => stage.leave())

  it("has the collections that are listed, and where their names are said twice only those are typed", () => {
    const once = connect<Api>(url, { collections: ["pools"] })
    assert.isUndefined(once.cheap)
    const twice = connect<Api, "pools">(url, { collections: ["pools"] })
    assert.strictEqual(twice.pools, twice.collection("pools"))
    // @ts-expect-error -- it is not listed
    assert.isUndefined(twice.cheap)
    // @ts-expect-error -- it is not among the names
    connect<Api, "pools">(url, { collections: ["cheap"] })
  })

  it("has whatever else there is by its name: members of families, and what is named as a member of the cast", () => {
    const cast = connect<Api>(url, { collections: ["order:17", "order:*", "status"] })
    const state: string | undefined = cast.collection("order:17").get("a")?.state
    const text: string | undefined = cast.collection("status").get("a")?.text
    assert.deepStrictEqual([state, text], [undefined, undefined])
    assert.strictEqual(cast.status.state, "connecting")
    // @ts-expect-error -- there is none of that name
    cast.collection("nope")
    // @ts-expect-error -- nor such a field
    assert.isUndefined(cast.collection("order:17").get("a")?.usd)
    assert.isDefined(connect(url, { collections: ["pools"] }).collection("nope"))
  })

  it("that nobody has typed has rows of unknown fields", async () => {
    stage.greet = (line) => line.say(snapshot(1, { a: { id: "a", usd: "1" } }))
    const cast = connect(url, { collections: ["pools"] })
    cast.subscribe(() => {})
    await stage.pass(1_000)
    const usd: unknown = cast.pools.rows[0]!.usd
    assert.strictEqual(usd, "1")
    // @ts-expect-error -- it may be anything
    const text: string = usd
    assert.strictEqual(text, "1")
    cast.close()
  })

  it("takes an interval with a unit, and a page of history before another, not before the end", () => {
    const collections = ["pools"] as const
    for (const interval of ["50ms", "1s"] as const) connect<Api>(url, { collections, interval })
    // @ts-expect-error -- of what?
    connect<Api>(url, { collections, interval: "50" })
    // @ts-expect-error -- as in the config it is not
    connect<Api>(url, { collections, interval: "1 second" })
    const { pools } = connect<Api>(url, { collections })
    // @ts-expect-error -- which is the end: there is no older page
    const more = () => pools.history({ before: null })
    assert.isFunction(more)
  })
})
