/** The journal whose writer is killed: fifty rows that are written over and over. */
import { describedOf } from "../../src/Hub/Checkpoint.ts"
import type { Entry } from "../../src/Hub/Journal.ts"
import { collections } from "./World.ts"

export const begun = { epoch: "e", collections: collections.map(describedOf) }

/** Of history, which is let go of between the commits. */
export const keep = { family: "rates", rows: 20 }

export const commitAt = (revision: number): Entry => {
  const row = { id: `k${revision % 50}`, rate: `${"x".repeat(50_000)}${revision}` }
  return {
    revision,
    text: JSON.stringify({ at: revision, collections: { rates: { put: { [row.id]: row } } } }),
    history: [{ collection: "rates", key: `h${revision}`, row: String(revision), at: revision }]
  }
}
