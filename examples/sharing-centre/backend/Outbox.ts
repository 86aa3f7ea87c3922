/** Rows on their way to Ratecast, one request each: the newest row of a key wins, and none is lost while nobody answers. */
const longest = 5_000
const patience = 10_000

export class Outbox<Row> {
  private readonly urlOf: (row: Row) => string
  private readonly key: string | undefined
  private readonly waiting = new Map<string, Row>()
  private readonly sending = new Set<string>()

  constructor(urlOf: (row: Row) => string, key: string | undefined) {
    this.urlOf = urlOf
    this.key = key
  }

  put(id: string, row: Row): void {
    this.waiting.set(id, row)
    if (!this.sending.has(id)) void this.send(id)
  }

  private async send(id: string): Promise<void> {
    this.sending.add(id)
    let pause = 250
    let row
    while ((row = this.waiting.get(id)) !== undefined) {
      const wait = await this.attempt(row)
      if (wait === undefined) {
        pause = 250
        if (this.waiting.get(id) === row) this.waiting.delete(id)
      } else {
        await new Promise((done) => setTimeout(done, Math.max(wait, pause)))
        pause = Math.min(longest, pause * 2)
      }
    }
    this.sending.delete(id)
  }

  /** How long to wait at least before the next one, ms; `undefined` where there is no need of another. */
  private async attempt(row: Row): Promise<number | undefined> {
    try {
      const answer = await fetch(this.urlOf(row), {
        method: "PUT",
        headers: {
          "content-type": "application/json",
          ...(this.key !== undefined && { authorization: `Bearer ${this.key}` })
        },
        body: JSON.stringify(row),
        signal: AbortSignal.timeout(patience)
      })
      const text = await answer.text()
      if (answer.ok) return undefined
      if (answer.status === 429 || answer.status >= 500)
        return 1000 * Number(answer.headers.get("retry-after") ?? 0)
      // A row that is refused once is refused always.
      console.error(`the row was refused: ${answer.status} ${text}`)
      return undefined
    } catch {
      return 0
    }
  }
}
