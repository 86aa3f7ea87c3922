/** Members that are paged out, as a reader of the whole family is asked about them with every commit. */
import { assert, describe, it } from "@effect/vitest"

import type { Collection, Commit } from "../../src/Collection.ts"
import { awayFrom, changesSince } from "../../src/Hub/Changes.ts"
import { makeQuery } from "../../src/Hub/Query.ts"
import { State } from "../../src/Hub/State.ts"

const describeMember = (name: string): Collection => ({
  name,
  kind: "written",
  key: "id",
  fields: ["id", "text"],
  fixed: new Set<string>()
})
const everyThread = makeQuery(
  [],
  [["support:*", { collection: describeMember("support:*"), keys: undefined, fields: undefined, where: [] }]]
)

const stateWith = (members: number) => {
  const state = new State({ epoch: "x", describe: describeMember })
  const put = (name: string) => {
    const delta = { put: new Map([["a", { id: "a", text: "hi" }]]), set: new Map(), remove: [], evict: [] }
    const commit: Commit = { at: 1, deltas: new Map([[name, delta]]), asOf: new Map() }
    state.apply(commit, "t")
  }
  for (let i = 0; i < members; i++) {
    put(`support:${i}`)
    state.pageOut(`support:${i}`)
  }
  let looks = 0
  const keys = state.away.keys.bind(state.away)
  state.away.keys = () => {
    looks++
    return keys()
  }
  return { state, put, looks: () => looks }
}

describe("members that are paged out", () => {
  it("are not looked through for a reader who has seen beyond all of them", () => {
    const { looks, put, state } = stateWith(1_000)
    const seen = state.revision
    put("support:new")
    const changes = changesSince(state, everyThread, { sent: seen, seen })
    assert.deepStrictEqual(changes === "forgotten" ? changes : [...changes.keys()], ["support:new"])
    assert.strictEqual(looks(), 0)
  })

  it("are found by one who has not, as long as one of them is away", () => {
    const { put, state } = stateWith(3)
    const missed = (seen: number) => [...awayFrom(state, everyThread, seen)]
    assert.deepStrictEqual(missed(-1), ["support:0", "support:1", "support:2"])
    assert.deepStrictEqual(missed(2), ["support:2"])
    const table = state.empty(describeMember("support:2"))
    state.pageIn("support:2", () => table)
    assert.deepStrictEqual(missed(1), ["support:1"])
    for (const name of ["support:0", "support:1"]) state.pageIn(name, () => state.empty(describeMember(name)))
    assert.deepStrictEqual(missed(-1), [])
    put("support:0")
    state.pageOut("support:0")
    assert.deepStrictEqual(missed(state.revision - 1), ["support:0"])
    assert.deepStrictEqual(missed(state.revision), [])
  })
})
