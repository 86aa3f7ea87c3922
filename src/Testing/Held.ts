/**
 * What a client holds, by the letter of docs/protocol.md and nothing else: it shares no code with the server, so that
 * a mistake made once is not believed twice.
 */
type Rows = Map<string, Map<string, unknown>>
type Members = { readonly [name: string]: unknown }

/** One collection in a snapshot or in a change; of a snapshot `rows` are all there are. */
export interface Part {
  readonly state?: string
  readonly error?: { readonly code: string; readonly detail?: string }
  /** ms since 1970 */
  readonly asOf?: number
  readonly rows?: Members
  readonly remove?: ReadonlyArray<string>
  readonly evict?: ReadonlyArray<string>
  readonly put?: Members
  readonly set?: Members
  readonly unset?: { readonly [key: string]: ReadonlyArray<string> }
}

/** A message as it stands on the wire: `snapshot`, `change`, `ping` or `goodbye`. */
export interface Message {
  readonly type: string
  readonly cursor?: string
  readonly from?: string
  readonly reason?: string
  readonly code?: string
  readonly collections?: { readonly [name: string]: Part }
  readonly asOf?: { readonly [name: string]: number }
  readonly [member: string]: unknown
}

const fieldsOf = (row: unknown): Map<string, unknown> => new Map(Object.entries(row as Members))

export class Held {
  cursor: string | undefined
  readonly rows = new Map<string, Rows>()
  readonly states = new Map<string, string>()
  readonly errors = new Map<string, string>()
  readonly asOf = new Map<string, number>()
  readonly reasons: Array<string> = []
  /** Messages that did not start where this client stands. */
  refused = 0
  changes = 0
  pings = 0

  receive(text: string): Message {
    const message = JSON.parse(text) as Message
    if (message.type === "snapshot") {
      this.rows.clear()
      this.states.clear()
      this.errors.clear()
      this.reasons.push(message.reason!)
      for (const [name, part] of Object.entries(message.collections!)) this.replace(name, part)
      this.cursor = message.cursor
    } else if (message.type === "change" || message.type === "ping") {
      // Asked for no snapshot (`since=now`), a client begins where its first ping says.
      if (message.type === "ping" && this.cursor === undefined) this.cursor = message.cursor
      if (message.cursor === this.cursor) return message
      if (message.from !== this.cursor) {
        this.refused++
        return message
      }
      if (message.type === "change") {
        this.changes++
        for (const [name, part] of Object.entries(message.collections!)) this.change(name, part)
      } else {
        this.pings++
        for (const [name, asOf] of Object.entries(message.asOf!)) this.asOf.set(name, asOf)
      }
      this.cursor = message.cursor
    }
    return message
  }

  /** Rows of a collection by key; none of one that is not held. */
  rowsOf(collection: string): { [key: string]: Members } {
    const rows = this.rows.get(collection) ?? new Map<string, Map<string, unknown>>()
    return Object.fromEntries([...rows].map(([key, row]) => [key, Object.fromEntries(row)]))
  }

  private replace(name: string, part: Part): void {
    const rows: Rows = new Map()
    for (const [key, row] of Object.entries(part.rows!)) rows.set(key, fieldsOf(row))
    this.rows.set(name, rows)
    this.note(name, part)
  }

  private note(name: string, part: Part): void {
    if (part.asOf !== undefined) this.asOf.set(name, part.asOf)
    if (part.state === undefined) return
    this.states.set(name, part.state)
    if (part.error === undefined) this.errors.delete(name)
    else this.errors.set(name, part.error.code)
  }

  private change(name: string, part: Part): void {
    if (part.rows !== undefined) return this.replace(name, part)
    this.note(name, part)
    const rows: Rows = this.rows.get(name) ?? new Map()
    this.rows.set(name, rows)
    const named = [
      ...(part.remove ?? []),
      ...(part.evict ?? []),
      ...Object.keys(part.put ?? {}),
      ...Object.keys(part.set ?? {})
    ]
    if (new Set(named).size !== named.length) throw new Error(`a key stands twice in ${JSON.stringify(part)}`)
    for (const key of part.remove ?? []) rows.delete(key)
    for (const key of part.evict ?? []) rows.delete(key)
    for (const [key, row] of Object.entries(part.put ?? {})) rows.set(key, fieldsOf(row))
    for (const [key, members] of Object.entries(part.set ?? {})) {
      const row = rows.get(key)
      if (row === undefined) throw new Error(`set on a row that is not held: ${JSON.stringify(key)}`)
      for (const [field, value] of fieldsOf(members)) row.set(field, value)
    }
    for (const [key, names] of Object.entries(part.unset ?? {})) {
      const row = rows.get(key)
      if (row === undefined) throw new Error(`unset on a row that is not held: ${JSON.stringify(key)}`)
      for (const field of names) row.delete(field)
    }
  }
}
