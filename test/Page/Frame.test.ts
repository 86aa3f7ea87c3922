import { assert, describe, it } from "@effect/vitest"

import { frameOf } from "../../page/Frame.ts"

const heard = (message: object) => frameOf({ at: 2_000, road: "socket", text: JSON.stringify(message) }, 0)
const rows = { alice: { from: "alice", type: "greeting", cursor: "here", at: 7 } }

/** A snapshot with a text of so many characters in it. */
const long = (count: number) =>
  heard({
    type: "snapshot",
    cursor: "k-1-a",
    collections: { mail: { rows: { a: { text: "x".repeat(count) } } } }
  })

describe("a frame of the page", () => {
  it("starts from the cursor that it says itself, whatever its rows say", () => {
    const snapshot = heard({
      type: "snapshot",
      cursor: "k-1-a",
      reason: "initial",
      collections: { mail: { rows } }
    })
    assert.deepStrictEqual([snapshot.type, snapshot.from, snapshot.cursor], ["snapshot", undefined, "k-1-a"])
    const change = heard({
      type: "change",
      from: "k-1-a",
      cursor: "k-2-b",
      commits: 1,
      at: 1_500,
      collections: { mail: { put: rows } }
    })
    assert.deepStrictEqual(
      [change.type, change.from, change.cursor, change.lag],
      ["change", "k-1-a", "k-2-b", 500]
    )
    const ping = heard({ type: "ping", from: "k-2-b", cursor: "k-9-c", at: 1, asOf: { mail: 7 } })
    assert.deepStrictEqual([ping.from, ping.cursor, ping.lag], ["k-2-b", "k-9-c", undefined])
    const goodbye = heard({ type: "goodbye", code: "shutting_down" })
    assert.deepStrictEqual(
      [goodbye.from, goodbye.cursor, goodbye.about],
      [undefined, undefined, "shutting down"]
    )
    assert.strictEqual(heard({ rows }).type, "message")
  })

  it("is kept whole where that is little, and otherwise says that it is not", () => {
    for (const count of [100, 30_000, 200_000]) {
      const frame = long(count)
      assert.isTrue(frame.isWhole)
      assert.strictEqual(frame.text.length, frame.length)
      assert.include(frame.about, "mail 1 rows")
    }
    const cut = long(300_000)
    assert.isFalse(cut.isWhole)
    assert.isBelow(cut.text.length, 30_000)
    assert.strictEqual(cut.cursor, "k-1-a")
  })
})
