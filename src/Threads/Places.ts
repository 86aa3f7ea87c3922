/** The places of one thread's connections, as the main thread counts them; all of them are given back when the thread ends. */
import { Effect } from "effect"

import type { NoPlace, Place, Quotas } from "../Http.ts"

export class Places {
  private readonly quotas: Quotas["Service"]
  /** By the thread's own numbers. */
  private readonly places = new Map<number, Place>()

  constructor(quotas: Quotas["Service"]) {
    this.quotas = quotas
  }

  take(id: number, address: string): Effect.Effect<NoPlace | undefined> {
    const place = this.quotas.place()
    this.places.set(id, place)
    return place.take(address)
  }

  belongsTo(id: number, subject: string): Effect.Effect<NoPlace | undefined> {
    const place = this.places.get(id)
    return place === undefined ? Effect.succeed(undefined) : place.belongsTo(subject)
  }

  release(id: number): void {
    this.places.get(id)?.release()
    this.places.delete(id)
  }

  close(): void {
    for (const place of this.places.values()) place.release()
    this.places.clear()
  }
}
