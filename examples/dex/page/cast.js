/**
 * What a client holds, by the letter of docs/protocol.md: collections of rows at one cursor, and what each message makes
 * of them. It knows neither network nor page. Keys are data, `__proto__` is a fine one: everything here is a Map.
 */
const mapOf = (members) => new Map(Object.entries(members ?? {}))

const rowsOf = (members) => new Map(Object.entries(members ?? {}).map(([key, row]) => [key, mapOf(row)]))

const emptyCollection = () => ({ state: "loading", error: undefined, asOf: undefined, rows: new Map() })

export const revisionOf = (cursor) => (cursor === undefined ? undefined : Number(cursor.split("-")[1]))

export class Cast {
  cursor = undefined
  /** By name: `state`, `error`, `asOf`, and `rows`, by key, each a Map of its fields. */
  collections = new Map()

  /**
   * Takes a message as it came. `outcome`: `applied`; `ignored`, it says nothing that we do not know; `again`, it starts
   * elsewhere and we have to ask again from our cursor. `touched`: keys by collection, `all` where it was replaced.
   */
  take(text) {
    const message = JSON.parse(text)
    const receipt = { type: message.type, message, size: text.length, rows: 0, fields: 0, touched: new Map() }
    receipt.outcome = this.#apply(message, receipt)
    return receipt
  }

  /** A long poll that was answered 204: nothing has changed up to there. */
  pass(cursor) {
    if (cursor !== null && this.cursor !== undefined) this.cursor = cursor
  }

  /** The next connection starts from nothing. */
  forget() {
    this.cursor = undefined
  }

  #apply(message, receipt) {
    if (message.type === "snapshot") {
      this.collections = new Map()
      for (const [name, part] of mapOf(message.collections)) this.#replace(name, part, receipt)
      this.cursor = message.cursor
      return "applied"
    }
    if (message.type !== "change" && message.type !== "ping") return "ignored"
    if (this.cursor !== undefined && message.cursor === this.cursor) return "ignored"
    if (this.cursor === undefined || message.from !== this.cursor) return "again"
    const parts = mapOf(message.collections)
    for (const [name, part] of parts) {
      if (this.#fits(name, part)) continue
      // A field for a row that we lack: we are not where our cursor says, and only a snapshot mends that.
      this.forget()
      return "again"
    }
    for (const [name, part] of parts) this.#change(name, part, receipt)
    for (const [name, asOf] of mapOf(message.asOf)) {
      const collection = this.collections.get(name)
      if (collection !== undefined) collection.asOf = asOf
    }
    this.cursor = message.cursor
    return "applied"
  }

  #replace(name, part, receipt) {
    const collection = this.collections.get(name) ?? emptyCollection()
    this.collections.set(name, collection)
    note(collection, part)
    collection.rows = rowsOf(part.rows)
    receipt.touched.set(name, "all")
    receipt.rows += collection.rows.size
    for (const row of collection.rows.values()) receipt.fields += row.size
  }

  #fits(name, part) {
    if (part.rows !== undefined) return true
    const rows = this.collections.get(name)?.rows ?? new Map()
    const put = mapOf(part.put)
    return [...Object.keys(part.set ?? {}), ...Object.keys(part.unset ?? {})].every(
      (key) => rows.has(key) || put.has(key)
    )
  }

  #change(name, part, receipt) {
    if (part.rows !== undefined) return this.#replace(name, part, receipt)
    const collection = this.collections.get(name) ?? emptyCollection()
    this.collections.set(name, collection)
    note(collection, part)
    const { rows } = collection
    const keys = new Set()
    for (const key of [...(part.remove ?? []), ...(part.evict ?? [])]) {
      rows.delete(key)
      keys.add(key)
    }
    for (const [key, row] of mapOf(part.put)) {
      rows.set(key, mapOf(row))
      keys.add(key)
      receipt.fields += rows.get(key).size
    }
    for (const [key, members] of mapOf(part.set)) {
      const fields = mapOf(members)
      for (const [field, value] of fields) rows.get(key).set(field, value)
      keys.add(key)
      receipt.fields += fields.size
    }
    for (const [key, names] of mapOf(part.unset)) {
      for (const field of names) rows.get(key).delete(field)
      keys.add(key)
      receipt.fields += names.length
    }
    receipt.rows += keys.size
    receipt.touched.set(name, keys)
  }
}

/** A part that names a state without an error has none. */
const note = (collection, part) => {
  if (part.asOf !== undefined) collection.asOf = part.asOf
  if (part.state === undefined) return
  collection.state = part.state
  collection.error = part.error
}
