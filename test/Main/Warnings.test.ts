/** What a real process says at its start of settings that cannot be meant. */
import { afterAll, assert, describe, it } from "@effect/vitest"

import { freePort, until } from "../Daemon.ts"
import { Folder, ratecast } from "../Process.ts"

const folder = new Folder()
afterAll(() => folder.remove())

const warningsOf = (out: string): ReadonlyArray<string> =>
  out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly level: string; readonly message: string })
    .filter(({ level }) => level === "WARN")
    .map(({ message }) => message)

const start = async (env: { readonly [name: string]: string }) =>
  ratecast(["serve", "--config", folder.written("warned.config.ts", "notes:{id}")], {
    PORT: String(await freePort()),
    ...env
  })

describe("a start", () => {
  it("warns of variables that are nearly settings, and of patterns that cover nothing, once each", async () => {
    const run = await start({
      MAX_CONECTIONS: "5",
      ANONYMOUS_READ: "ntoes:*,notes:7,n*,*",
      ANONYMOUS_WRITE: "notes,notes:*",
      ANONYMOUS_REFRESH: "prices,notes:{id}"
    })
    try {
      await until("the daemon", () => run.out.includes("ratecast is up"), 15_000)
      run.child.kill("SIGTERM")
      assert.strictEqual(await run.exit, 0)
      assert.sameMembers(
        [...warningsOf(run.out)],
        [
          "the variable MAX_CONECTIONS has no effect; did you mean MAX_CONNECTIONS?",
          'ANONYMOUS_READ: "ntoes:*" covers no collection; there are notes:*; did you mean "notes:*"?',
          'ANONYMOUS_WRITE: "notes" covers no collection that is written to; there are notes:*; did you mean "notes:*"?',
          'ANONYMOUS_REFRESH: "prices" covers no collection; there are notes:*',
          'ANONYMOUS_REFRESH: "notes:{id}" covers only what is called exactly so: {sub} is the subject, * any member'
        ]
      )
    } finally {
      run.kill()
    }
  })

  it("that stops because a variable is misspelt says so, too", async () => {
    const run = await start({ ANONYMOUS_READ: "", ANONYMOUS_RAED: "*" })
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, "nobody may do anything")
    assert.deepStrictEqual(warningsOf(run.out), [
      "the variable ANONYMOUS_RAED has no effect; did you mean ANONYMOUS_READ?"
    ])
  })

  it("warns of nothing where all is meant", async () => {
    const run = await start({ ANONYMOUS_READ: "*", ANONYMOUS_WRITE: "notes:*" })
    try {
      await until("the daemon", () => run.out.includes("ratecast is up"), 15_000)
      assert.deepStrictEqual(warningsOf(run.out), [])
    } finally {
      run.kill()
    }
  })
})
