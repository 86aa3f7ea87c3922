/** What follows from all pools, exactly: the one row of a derived collection in the configs of both crowds. */
import { Schema } from "effect"

import { Decimal, fromScaled, toScaled } from "../src/Config.ts"

export const Total = Schema.Struct({ id: Schema.String, rate: Decimal, pools: Schema.Finite })

type Pools = Iterable<readonly [id: string, pool: { readonly rate: string }]> & { readonly size: number }

export const totalOf = (pools: Pools) => {
  const sum = [...pools].reduce((sum, [, { rate }]) => sum + toScaled(rate, 3), 0n)
  return [{ key: "all", row: { id: "all", rate: fromScaled(sum, 3), pools: pools.size } }]
}
