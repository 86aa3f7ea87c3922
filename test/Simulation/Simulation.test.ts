/** `npm run simulate -- --seeds 2000` looks further; a seed that fails here is replayed by the command it prints. */
import { assert, describe, it } from "@effect/vitest"

import { Table } from "../../src/Hub/Table.ts"
import { Tips } from "../../src/Hub/Tips.ts"
import { Register } from "../../src/Hub/Register.ts"
import { State } from "../../src/Hub/State.ts"
import { FaultyDisk } from "./FaultyDisk.ts"
import { type Outcome, simulate } from "./Simulation.ts"

const minutes = 5
const fixed = Array.from({ length: 40 }, (_, i) => i + 1)
const firstFresh = Math.floor(Math.random() * 2 ** 31)
const fresh = Array.from({ length: 5 }, (_, i) => firstFresh + i)

const all = async (seeds: ReadonlyArray<number>): Promise<{ readonly [K in keyof Outcome]: number }> => {
  const total: { [name: string]: number } = {}
  for (const seed of seeds) {
    const outcome = await simulate({ seed, minutes }).catch((error: unknown) => {
      throw new Error(`replay it: npm run simulate -- --seed ${seed} --minutes ${minutes}`, { cause: error })
    })
    for (const [name, count] of Object.entries(outcome)) total[name] = (total[name] ?? 0) + (count as number)
  }
  return total as never
}

describe("a simulated world", () => {
  it(
    `${fixed.length} fixed seeds: every client holds what was true at its cursor`,
    { timeout: 300_000 },
    async () => {
      const total = await all(fixed)
      for (const what of [
        "kills",
        "powerCuts",
        "lostCommits",
        "fullDisks",
        "resumes",
        "snapshots",
        "changes",
        "stalls"
      ] as const)
        assert.isAbove(total[what], 0, what)
    }
  )

  it(`and a fresh handful, from ${firstFresh}`, { timeout: 120_000 }, async () => {
    await all(fresh)
  })

  it("the same seed is the same run, to the last task", { timeout: 60_000 }, async () => {
    const [once, again, other] = [
      await simulate({ seed: 7, minutes }),
      await simulate({ seed: 7, minutes }),
      await simulate({ seed: 8, minutes })
    ]
    assert.deepStrictEqual(again, once)
    assert.notStrictEqual(other.hash, once.hash)
  })
})

/** Puts another method in place of one, until it is undone. */
const alter = (prototype: object, name: string, make: (original: Function) => Function) => {
  const methods = prototype as { [name: string]: Function }
  const original = methods[name]!
  methods[name] = make(original)
  return () => {
    methods[name] = original
  }
}

interface Inside {
  readonly dead: Map<string, unknown>
  floor: number
  revision: number
}

const mutants: ReadonlyArray<readonly [mistake: string, plant: () => () => void]> = [
  [
    "a death leaves no tombstone",
    () =>
      alter(
        Table.prototype,
        "kill",
        (kill) =>
          function (this: Inside, ...args: ReadonlyArray<unknown>) {
            kill.apply(this, args)
            this.dead.clear()
          }
      )
  ],
  [
    "a forgotten tombstone leaves no floor",
    () =>
      alter(
        Table.prototype,
        "forget",
        (forget) =>
          function (this: Inside) {
            const { floor } = this
            forget.call(this)
            this.floor = floor
          }
      )
  ],
  [
    "a commit is told before the journal has it",
    () =>
      alter(
        FaultyDisk.prototype,
        "layer",
        (layer) =>
          function (this: FaultyDisk) {
            return layer.call(this, { early: true })
          }
      )
  ],
  [
    "the chain does not tell one history from another",
    () =>
      alter(
        Tips.prototype,
        "extend",
        (extend) =>
          function (this: object) {
            extend.call(this, "always the same")
          }
      )
  ],
  [
    "a checkpoint forgets the tombstones",
    () =>
      alter(
        Table.prototype,
        "kept",
        (kept) =>
          function* (this: Table) {
            for (const each of kept.call(this)) if (each.gone === 0) yield each
          }
      )
  ],
  [
    "a slow reader is offered the next frame all the same",
    () => alter(Register.prototype, "takeOut", () => function () {})
  ],
  [
    "any cursor of this epoch is taken",
    () =>
      alter(
        State.prototype,
        "resume",
        (resume) =>
          function (this: State, query: unknown, text: string) {
            const answer = resume.call(this, query, text)
            return answer._tag === "Reset" && answer.reason !== "epoch" && answer.reason !== "forgotten"
              ? { _tag: "Resumed", revision: Number(text.split("-")[1]) }
              : answer
          }
      )
  ]
]

/** Whether a seed breaks a promise. */
const isFound = async (): Promise<boolean> => {
  for (let seed = 1; seed <= 300; seed++) {
    const isClean = await simulate({ seed, minutes }).then(
      () => true,
      () => false
    )
    if (!isClean) return true
  }
  return false
}

describe("the oracle notices that", () => {
  for (const [mistake, plant] of mutants) {
    it(mistake, { timeout: 300_000 }, async () => {
      const undo = plant()
      try {
        assert.isTrue(await isFound(), "300 seeds did not find it")
      } finally {
        undo()
      }
    })
  }
})
