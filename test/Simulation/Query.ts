/** What the clients of a simulated world ask for. */
import type { Catalog } from "../../src/Catalog.ts"
import { makeQuery, type Part, type Query } from "../../src/Hub.ts"
import type { Dice } from "../Hub/World.ts"

const partOf = (catalog: Catalog["Service"], dice: Dice, name: string): Part => {
  const collection = { ...catalog.declared.get(name.split(":")[0]!)!.collection, name }
  const where = [...collection.fixed].map(
    (field) => [field, dice.pick(["stable", "volatile", "null"])] as const
  )
  const keys = { pools: "pool-", total: "all", typed: "t", order: "1", note: "" }[name.split(":")[0]!]!
  return {
    collection,
    keys: dice.chance(0.2) ? new Set([`${keys}1`, `${keys}3`, "all", "__proto__", "1a", "b"]) : undefined,
    fields: dice.chance(0.2)
      ? new Set([collection.key, ...collection.fields.filter(() => dice.chance(0.5))])
      : undefined,
    where: dice.chance(0.4) ? where : []
  }
}

/** One that somebody might ask. */
export const queryOf = (catalog: Catalog["Service"], dice: Dice): Query => {
  const names = ["pools", "total", "typed", "order:1", "order:2", "note:1", "note:2"].filter(() =>
    dice.chance(0.4)
  )
  if (names.length === 0) names.push("typed")
  const patterns = ["order:*", "note:*"].filter(() => dice.chance(0.2))
  const withPart = (name: string) => [name, partOf(catalog, dice, name)] as const
  return makeQuery(names.map(withPart), patterns.map(withPart))
}
