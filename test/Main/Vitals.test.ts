import { connect } from "node:net"

import { assert, it } from "@effect/vitest"

import { Backend, freePort, until } from "../Daemon.ts"
import { Folder, ratecast } from "../Process.ts"

it.skipIf(process.platform !== "linux")(
  "a daemon that runs out of file descriptors says so before, and what to set",
  async () => {
    const folder = new Folder()
    const backend = await new Backend().start()
    const port = await freePort()
    const config = folder.config("things.config.ts", backend.url, 'key: "id"')
    const run = ratecast(["serve", "--config", config], { PORT: String(port) }, 120)
    try {
      await until("things to be live", () => run.out.includes("things is live"), 15_000)
      const metric = async (name: string) => {
        const text = await fetch(`http://127.0.0.1:${port}/metrics`).then((answer) => answer.text())
        return Number(new RegExp(`^${name} (\\d+)`, "m").exec(text)?.[1])
      }
      assert.strictEqual(await metric("process_max_fds"), 120)
      assert.isAbove(await metric("process_resident_memory_bytes"), 50_000_000)
      const before = await metric("process_open_fds")
      assert.isAbove(before, 3)
      assert.notInclude(run.out, "file descriptors are open")
      const sockets = Array.from({ length: 112 - before }, () => connect(port, "127.0.0.1"))
      await until("a warning", () => run.out.includes("of 120 file descriptors are open"), 10_000)
      assert.include(run.out, "LimitNOFILE=65536")
      for (const socket of sockets) socket.destroy()
    } finally {
      run.kill()
      await backend.close()
      folder.remove()
    }
  }
)
