/**
 * The hot path is not much slower than when it was last measured. Ratios within one run, with room for a machine that
 * has other things to do: what is found here is nearly twice as slow, not a tenth.
 */
import { availableParallelism } from "node:os"

import { assert, describe, it } from "@effect/vitest"

import { deliveryRatios, fanOutRatios, type Ratios, recorded, stateRatios } from "../bench/Guard.ts"

const room = 1.8

const check = (ratios: Ratios) => {
  const last = recorded()
  for (const [name, ratio] of Object.entries(ratios))
    assert.isAtMost(ratio, last[name]! * room, `${name}: ${last[name]} when it was recorded`)
}

describe("the hot path costs what it did", () => {
  it.skipIf(process.platform !== "linux" || availableParallelism() < 2)(
    "an event to a reader, beside a bare Node server",
    { timeout: 60_000, retry: 2 },
    async () => check(await fanOutRatios(1))
  )

  it(
    "an event in the delivery loop, beside encoding it for each reader",
    { timeout: 30_000, retry: 2 },
    async () => check(await deliveryRatios())
  )

  it("State, beside JSON.parse", { timeout: 30_000, retry: 2 }, () => check(stateRatios()))
})
