/** The journal whose writer is killed: fifty rows that are written over and over. */
import { describedOf } from "../../src/Hub/Checkpoint.ts"
import type { Entry } from "../../src/Hub/Journal.ts"
import { collections } from "./World.ts"

export const begun = { epoch: "e", collections: collections.map(describedOf) }

export const commitAt = (revision: number): Entry => {
  const row = { id: `k${revision % 50}`, rate: `${"x".repeat(50_000)}${revision}` }
  return {
    revision,
    text: JSON.stringify({ at: revision, collections: { rates: { put: { [row.id]: row } } } })
  }
}
