/** Places that several threads ask for, in random histories: never more than there are, and all of them come back. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import { quotasOf } from "../../src/Http/Limits/Quotas.ts"
import { Places } from "../../src/Threads/Places.ts"
import { Dice } from "../Hub/World.ts"

const limited = {
  connections: 7,
  connectionsPerAddress: 3,
  connectionsPerSubject: 2,
  writesPerSecond: 1,
  writeBurst: 1
}

interface Taken {
  readonly thread: number
  readonly id: number
  readonly address: string
  subject?: string
}

describe("places", () => {
  it.effect("are given as long as there are some, and each is given back once", () =>
    Effect.gen(function* () {
      for (let seed = 1; seed <= 300; seed++) {
        const dice = new Dice(seed)
        const quotas = yield* quotasOf(limited)
        const threads = [new Places(quotas), new Places(quotas)]
        let taken: Array<Taken> = []
        const count = (is: (each: Taken) => boolean) => taken.filter(is).length
        for (let id = 0; id < 60; id++) {
          const thread = dice.int(2)
          const places = threads[thread]!
          const address = `a${dice.int(4)}`
          const subject = `s${dice.int(3)}`
          const some = taken[dice.int(taken.length + 1)]
          switch (dice.int(6)) {
            case 0:
              // Also what is taken by no one, and what has been given back before.
              threads[some?.thread ?? thread]!.release(some?.id ?? dice.int(id + 1) + 1_000)
              if (some !== undefined) threads[some.thread]!.release(some.id)
              taken = taken.filter((each) => each !== some)
              break
            case 1: {
              if (some === undefined || some.subject !== undefined) break
              const none = yield* threads[some.thread]!.belongsTo(some.id, subject)
              const full = count((each) => each.subject === subject) >= limited.connectionsPerSubject
              assert.strictEqual(none, full ? "subject" : undefined, `seed ${seed}`)
              if (!full) some.subject = subject
              break
            }
            case 2:
              if (!dice.chance(0.1)) break
              places.close()
              taken = taken.filter((each) => each.thread !== thread)
              break
            default: {
              const answer = yield* places.take(id, address)
              const ofAddress = count((each) => each.address === address)
              const expected =
                taken.length >= limited.connections
                  ? "all"
                  : ofAddress >= limited.connectionsPerAddress
                    ? "address"
                    : undefined
              assert.strictEqual(answer, expected, `seed ${seed}`)
              if (answer === undefined) taken.push({ thread, id, address })
              else places.release(id)
            }
          }
        }
        for (const places of threads) places.close()
        for (let id = 0; id < limited.connections; id++)
          assert.isUndefined(yield* threads[id % 2]!.take(1_000 + id, `b${id}`), `seed ${seed}`)
        assert.strictEqual(yield* threads[0]!.take(2_000, "c"), "all", `seed ${seed}`)
      }
    })
  )
})
