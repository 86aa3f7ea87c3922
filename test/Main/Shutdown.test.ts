/** The end of a real process with a thousand readers. */
import { afterAll, assert, beforeAll, it } from "@effect/vitest"

import { type Message } from "../Held.ts"
import { Wire } from "../Clients.ts"
import { Backend, freePort, until } from "../Daemon.ts"
import { RawSocket } from "../Frames.ts"
import { Folder, ratecast } from "../Process.ts"

const folder = new Folder()
const backend = new Backend()
beforeAll(async () => {
  await backend.start()
  backend.body = [{ id: "a", n: 1 }]
})
afterAll(async () => {
  await backend.close()
  folder.remove()
})

const half = Array.from({ length: 500 }, (_, i) => i)

const goodbyeIn = (body: string): Message =>
  JSON.parse(/^event: goodbye\ndata: (.*)$/m.exec(body)![1]!) as Message

// Measured by the clock of a machine that may have other things to do, so one more try is allowed.
it(
  "SIGTERM under 1,000 readers: not ready at once, a goodbye for each, and gone within a second",
  { retry: 1 },
  async () => {
    const port = await freePort()
    const config = folder.config("things.config.ts", backend.url, 'key: "id"')
    const run = ratecast(["serve", "--config", config], { PORT: String(port) })
    try {
      await until("things to be live", () => run.out.includes("things is live"), 15_000)
      const readyz = () => fetch(`http://127.0.0.1:${port}/readyz`).then(({ status }) => status)
      assert.strictEqual(await readyz(), 200)
      const streams = await Promise.all(
        half.map(async (i) => {
          const wire = await Wire.open(port)
          wire.request("GET /v1/stream HTTP/1.1", { "x-reader": String(i) })
          return wire
        })
      )
      const sockets = await Promise.all(half.map(() => RawSocket.open(port, "/v1/socket?collections=things")))
      await until("first messages", () => sockets.every(({ messages }) => messages.length > 0))
      await until("first events", () => streams.every(({ text }) => text.includes("event: snapshot")), 10_000)
      const first = new Promise<void>((done) => {
        for (const { socket } of streams) socket.once("data", () => done())
      })

      const asked = performance.now()
      run.child.kill("SIGTERM")
      const status = first.then(readyz).catch(() => "no answer")
      const code = await run.exit
      const took = performance.now() - asked

      assert.strictEqual(code, 0, run.err)
      assert.isBelow(took, 1_000, "ms from the signal to the exit")
      assert.notStrictEqual(await status, 200)
      await until("ends", () =>
        [...streams, ...sockets.map(({ wire }) => wire)].every(({ isClosed }) => isClosed)
      )
      for (const { answers } of streams) {
        assert.isTrue(answers[0]!.whole, "the last chunk came")
        const { code, retryAfterMs } = goodbyeIn(answers[0]!.body.toString())
        assert.strictEqual(code, "shutdown")
        assert.isAbove(retryAfterMs as number, 0)
      }
      for (const { broken, closing, types } of sockets) {
        assert.deepStrictEqual(closing, { code: 1012, reason: "shutdown" })
        assert.deepStrictEqual(types, ["snapshot", "goodbye"])
        assert.deepStrictEqual(broken, [])
      }
    } finally {
      run.kill()
    }
  }
)
