import { assert, describe, it } from "@effect/vitest"

import { columnsOf } from "../../page/Columns.ts"

const at = Date.UTC(2026, 2, 9, 8, 7, 6)
const nobody = () => undefined

const columnOf = (type: string, values: ReadonlyArray<unknown>) =>
  columnsOf(
    {
      name: "jobs",
      key: "id",
      fixed: { properties: { id: { type: "string" } } },
      live: { properties: { doneAt: { anyOf: [{ type }, { type: "null" }] } } }
    },
    values.map((doneAt, i) => ({ id: String(i), doneAt }) as never),
    nobody,
    nobody
  ).columns[0]!

describe("columns of the page", () => {
  it("show nothing of a time that a row does not have, whenever it comes, and times of the others", () => {
    for (const known of [[at], [null, at], [at, undefined]]) {
      const column = columnOf("integer", known)
      assert.strictEqual(column.kind, "time")
      assert.strictEqual(column.exact({ doneAt: at }, ""), "2026-03-09T08:07:06.000Z")
      for (const doneAt of [null, undefined, "", "soon", NaN, Infinity, 9e15])
        assert.deepStrictEqual(
          [column.text({ doneAt } as never, ""), column.exact({ doneAt } as never, "")],
          ["–", "–"],
          String(doneAt)
        )
    }
    for (const none of [[], [null], [undefined, null]])
      assert.strictEqual(columnOf("integer", none).kind, "number")
  })
})
