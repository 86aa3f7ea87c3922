/** What the chat's page makes of messages that a server need not send, but may. */
import { join } from "node:path"

import { assert, describe, it } from "@effect/vitest"

import { Cast, change, type Receipt, snapshot } from "../Page/Messages.ts"

interface Thread {
  readonly hasOlder: boolean
  readonly keys: ReadonlyArray<string>
  readonly isLive: (key: string) => boolean
  readonly take: (receipt: Receipt, rows: ReadonlyMap<string, ReadonlyMap<string, unknown>>) => void
  readonly older: () => { readonly before: string; readonly take: (page: object) => void }
}
const page = join(import.meta.dirname, "../../../examples/chat/page")
const { Thread } = (await import(join(page, "thread.js"))) as {
  readonly Thread: new (name: string) => Thread
}

const row = (id: string) => ({ id, author: "Ada", text: id, at: 1 })
const rowsOf = (...keys: ReadonlyArray<string>) => Object.fromEntries(keys.map((key) => [key, row(key)]))

const opened = () => {
  const [cast, thread] = [new Cast(), new Thread("chat")]
  const take = (text: string) => thread.take(cast.take(text), cast.collections.get("chat")!.rows)
  take(snapshot("e-1-x", { chat: { rows: rowsOf("c", "d") } }))
  return { take, thread }
}
const history = { rows: [{ key: "b", row: row("b") }], before: "b" }

describe("the thread of the chat", () => {
  it("keeps what leaves the live window, and the history that it has read", () => {
    const { take, thread } = opened()
    thread.older().take(history)
    take(change("e-1-x", "e-2-x", { chat: { evict: ["c"], put: rowsOf("e") } }))
    assert.deepStrictEqual(thread.keys, ["b", "c", "d", "e"])
    assert.deepStrictEqual(thread.keys.map(thread.isLive.bind(thread)), [false, false, true, true])
  })

  it("forgets history where all that was live has left at once: others may have come and gone between", () => {
    const { take, thread } = opened()
    thread.older().take(history)
    take(change("e-1-x", "e-9-x", { chat: { evict: ["c", "d"], put: rowsOf("x", "y") } }))
    assert.deepStrictEqual(thread.keys, ["x", "y"])
  })

  it("takes no page of history that was asked for before it lost its place", () => {
    const { take, thread } = opened()
    const late = thread.older()
    assert.strictEqual(late.before, "c")
    take(snapshot("f-1-x", { chat: { rows: rowsOf("y") } }))
    late.take(history)
    assert.deepStrictEqual(thread.keys, ["y"])
  })

  it("offers nothing older where the server says that nothing has left the window", () => {
    const [cast, thread] = [new Cast(), new Thread("chat")]
    const take = (part: object) =>
      thread.take(cast.take(snapshot("e-1-x", { chat: part })), cast.collections.get("chat")!.rows)
    take({ retain: { rows: 500 }, rows: rowsOf("c") })
    assert.isFalse(thread.hasOlder)
    take({ retain: { rows: 500 }, more: true, rows: rowsOf("c") })
    assert.isTrue(thread.hasOlder)
  })
})
