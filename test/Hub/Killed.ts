/** The journal whose writer is killed: fifty rows that are written over and over, and a member that is paged out in between. */
import { describedOf, tableText } from "../../src/Hub/Checkpoint.ts"
import type { Entry } from "../../src/Hub/Journal.ts"
import { Table } from "../../src/Hub/Table.ts"
import { collections } from "./World.ts"

export const begun = { epoch: "e", collections: collections.map(describedOf) }

/** Of history, which is let go of between the commits. */
export const keep = { family: "rates", rows: 20 }

export const member = "order:1"

/** The member as it is at a revision. */
export const memberAt = (revision: number) => {
  const collection = { ...collections.find(({ name }) => name === "order")!, name: member }
  const table = new Table(collection, 0, 1_000)
  const put = new Map([["a", { id: "a", n: revision }]])
  table.apply({ put, set: new Map(), remove: [], evict: [] }, revision, revision)
  return { name: member, rev: revision, text: tableText(table) }
}

export const commitAt = (revision: number): Entry => {
  const row = { id: `k${revision % 50}`, rate: `${"x".repeat(50_000)}${revision}` }
  return {
    revision,
    text: JSON.stringify({
      at: revision,
      collections: { rates: { put: { [row.id]: row } }, [member]: { put: { a: { id: "a", n: revision } } } }
    }),
    history: [{ collection: "rates", key: `h${revision}`, row: String(revision), at: revision }]
  }
}
