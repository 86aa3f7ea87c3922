/** Collections that are called as what the client's cast has itself: `cast.status` is no collection. */
import { afterAll, assert, describe, it } from "@effect/vitest"

import type { Casting } from "../../client/Options.ts"
import { castMembers, hidden } from "../../src/Main/CastMembers.ts"
import { freePort, until } from "../Daemon.ts"
import { Folder, ratecast } from "../Process.ts"

const folder = new Folder()
afterAll(() => folder.remove())

const warning =
  '"status" cannot be read as cast.status, which the client has itself: read it as cast.collection("status"), or rename it'

describe("a collection that is called as a member of the client's cast", () => {
  it("is known by the list of them, which is that of the client", () => {
    // Held to the client's type by the compiler: one more or less there does not compile.
    const members: { readonly [name in keyof Casting<unknown>]: true } = {
      close: true,
      collection: true,
      collections: true,
      initial: true,
      lane: true,
      ready: true,
      reconnect: true,
      status: true,
      subscribe: true
    }
    assert.sameMembers([...castMembers], Object.keys(members))
  })

  it("or of every object is hidden, and no other", () => {
    const names = ["status", "constructor", "toString", "prices"]
    const declared = new Map(names.map((name) => [name, { name, family: false }]))
    assert.deepStrictEqual(
      hidden({ declared } as never).map((line) => line.split(" ")[0]),
      ['"status"', '"constructor"', '"toString"']
    )
  })

  it("is warned of by check, which finds nothing else wrong", async () => {
    const file = folder.written("status.config.ts", "status")
    const run = ratecast(["check", "--config", file])
    assert.strictEqual(await run.exit, 0)
    assert.strictEqual(run.out, `${file}: 1 collection from 0 sources, with 1 warning\n  ${warning}\n`)
  })

  it("is warned of by the start", async () => {
    const run = ratecast(["serve", "--config", folder.written("status.config.ts", "status")], {
      PORT: String(await freePort())
    })
    try {
      await until("the warning", () => run.out.includes(JSON.stringify(warning)), 15_000)
    } finally {
      run.kill()
    }
  })

  it("is not warned of where it is a family, whose members are read by cast.collection", async () => {
    const file = folder.written("family.config.ts", "status:{id}")
    const run = ratecast(["check", "--config", file])
    assert.strictEqual(await run.exit, 0)
    assert.strictEqual(run.out, `${file}: 1 collection from 0 sources, all well\n`)
  })
})
