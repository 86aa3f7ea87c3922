/** What the chat's page makes of messages that a server need not send, but may. */
import { join } from "node:path"

import { assert, describe, it } from "@effect/vitest"

interface Row {
  readonly id: string
}
type Rows = { readonly [key: string]: Row }
interface Part {
  readonly rows?: Rows
  readonly put?: Rows
  readonly evict?: ReadonlyArray<string>
  readonly retain?: { readonly rows: number }
  readonly more?: boolean
}
interface Thread {
  readonly hasOlder: boolean
  readonly keys: ReadonlyArray<string>
  readonly isLive: (key: string) => boolean
  readonly hear: (message: { readonly collections: { readonly [name: string]: Part } }) => void
  readonly take: (rows: ReadonlyMap<string, Row>) => void
  readonly older: () => { readonly before: string; readonly take: (page: object) => void }
}
const page = join(import.meta.dirname, "../../../examples/chat/page")
const { Thread } = (await import(join(page, "thread.js"))) as {
  readonly Thread: new (name: string) => Thread
}

const row = (id: string) => ({ id, author: "Ada", text: id, at: 1 })
const rowsOf = (...keys: ReadonlyArray<string>): Rows =>
  Object.fromEntries(keys.map((key) => [key, row(key)]))

/** What a client holds is taken once for however many messages came since. */
const makeThread = () => {
  const thread = new Thread("chat")
  let rows = new Map<string, Row>()
  return {
    thread,
    take: (...parts: ReadonlyArray<Part>) => {
      for (const part of parts) {
        thread.hear({ collections: { chat: part } })
        if (part.rows !== undefined) rows = new Map(Object.entries(part.rows))
        for (const key of part.evict ?? []) rows.delete(key)
        for (const [key, row] of Object.entries(part.put ?? {})) rows.set(key, row)
      }
      thread.take(new Map(rows))
    }
  }
}
const opened = () => {
  const made = makeThread()
  made.take({ rows: rowsOf("c", "d") })
  return made
}
const history = { rows: [{ key: "b", row: row("b") }], before: "b" }

describe("the thread of the chat", () => {
  it("keeps what leaves the live window, and the history that it has read", () => {
    const { take, thread } = opened()
    thread.older().take(history)
    take({ evict: ["c"], put: rowsOf("e") })
    assert.deepStrictEqual(thread.keys, ["b", "c", "d", "e"])
    assert.deepStrictEqual(thread.keys.map(thread.isLive.bind(thread)), [false, false, true, true])
  })

  it("forgets history where all that was live has left at once: others may have come and gone between", () => {
    const { take, thread } = opened()
    thread.older().take(history)
    take({ evict: ["c", "d"], put: rowsOf("x", "y") })
    assert.deepStrictEqual(thread.keys, ["x", "y"])
  })

  it("takes no page of history that was asked for before it lost its place", () => {
    const { take, thread } = opened()
    const late = thread.older()
    assert.strictEqual(late.before, "c")
    take({ rows: rowsOf("y") })
    late.take(history)
    assert.deepStrictEqual(thread.keys, ["y"])
  })

  it("offers nothing older where the server says that nothing has left the window", () => {
    const { take, thread } = makeThread()
    take({ retain: { rows: 500 }, rows: rowsOf("c") })
    assert.isFalse(thread.hasOlder)
    take({ retain: { rows: 500 }, more: true, rows: rowsOf("c") })
    assert.isTrue(thread.hasOlder)
    take({ retain: { rows: 500 }, rows: rowsOf("c", "d") }, { evict: ["c"], put: rowsOf("e") })
    assert.isTrue(thread.hasOlder, "one has left between two looks")
  })
})
