/**
 * What was true at every revision, from the texts the journal acknowledged and nothing else: read here once more, without
 * the server's code. A client that holds other rows at its cursor was promised too much.
 */
import type { Row } from "../../src/Collection.ts"
import type { Query } from "../../src/Hub.ts"
import type { Held } from "../Held.ts"
import { Ledger, Violation } from "../Hub/World.ts"

interface Part {
  readonly state?: "loading" | "live" | "stale"
  readonly error?: { readonly code: string }
  readonly put?: { readonly [key: string]: Row }
  readonly set?: { readonly [key: string]: Row }
  readonly unset?: { readonly [key: string]: ReadonlyArray<string> }
  readonly remove?: ReadonlyArray<string>
  readonly evict?: ReadonlyArray<string>
}

export class Truth {
  private ledger = new Ledger()

  get revision(): number {
    return this.ledger.revision
  }

  add(text: string): void {
    const { at, collections } = JSON.parse(text) as {
      readonly at: number
      readonly collections: { readonly [name: string]: Part }
    }
    const deltas = new Map(
      Object.entries(collections).map(([name, part]) => {
        const rows = this.ledger.now.get(name) ?? new Map<string, Row>()
        const edited = new Set([...Object.keys(part.set ?? {}), ...Object.keys(part.unset ?? {})])
        const set = new Map(
          [...edited].map((key) => {
            const gone = new Set(new Map(Object.entries(part.unset ?? {})).get(key))
            const members = [
              ...Object.entries(rows.get(key) ?? {}).filter(([field]) => !gone.has(field)),
              ...Object.entries(new Map(Object.entries(part.set ?? {})).get(key) ?? {})
            ]
            return [key, { row: Object.fromEntries(members), fields: [] }] as const
          })
        )
        const health =
          part.state === undefined
            ? {}
            : { health: { state: part.state, ...(part.error === undefined ? {} : { error: part.error }) } }
        const put = new Map(Object.entries(part.put ?? {}))
        const delta = { put, set, remove: part.remove ?? [], evict: part.evict ?? [], ...health }
        return [name, delta as never] as const
      })
    )
    this.ledger.add({ at, deltas, asOf: new Map() })
  }

  /** The last commits were lost, and others come in their place. */
  lose(count: number): void {
    this.ledger = this.ledger.until(this.ledger.revision - count)
  }

  /** Throws where a client does not hold what was true at its cursor, or stands where nothing was acknowledged. */
  check(held: Held, query: Query, what: string): void {
    const revision = Number(held.cursor!.split("-")[1])
    if (revision > this.revision)
      throw new Violation(`${what}: told revision ${revision}, acknowledged is ${this.revision}`)
    this.ledger.check(held, query, what)
  }

  get tables(): ReadonlyMap<string, ReadonlyMap<string, Row>> {
    return this.ledger.now
  }
}
