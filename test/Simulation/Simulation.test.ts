/** `npm run simulate -- --seeds 2000` looks further; a seed that fails here is replayed by the command it prints. */
import { assert, describe, it } from "@effect/vitest"

import { mistakes } from "./Mistakes.ts"
import { type Outcome, simulate } from "./Simulation.ts"

const minutes = 3
const fixed = Array.from({ length: 60 }, (_, i) => i + 1)
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
        "forgotten",
        "diverged",
        "epoch",
        "query",
        "changes",
        "stalls",
        "cuts",
        "mouthfuls",
        "clockSets",
        "kept",
        "fetched"
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

/** A hundred; those that found something before come first, since each takes its time. */
const seeds = new Set([1, 12, 32, ...Array.from({ length: 100 }, (_, i) => i + 1)])

/** Whether a seed breaks a promise. */
const isFound = async (): Promise<boolean> => {
  for (const seed of seeds) {
    const isClean = await simulate({ seed, minutes }).then(
      () => true,
      () => false
    )
    if (!isClean) return true
  }
  return false
}

describe("the oracle notices that", () => {
  for (const [mistake, plant] of mistakes) {
    it(mistake, { timeout: 300_000 }, async () => {
      const undo = plant()
      try {
        assert.isTrue(await isFound(), "100 seeds did not find it")
      } finally {
        undo()
      }
    })
  }
})
