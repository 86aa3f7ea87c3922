/**
 * The rows of a body as slices of its bytes. A row whose bytes are those of the last body is not even parsed: comparing
 * bytes costs a fiftieth of parsing them.
 *
 * Whoever reads rows one by one must not accept what `JSON.parse` of the whole would not, nor see other rows than it
 * would. So whatever is not plainly a list of JSON values in a JSON envelope is `undefined` here, and is parsed whole.
 */
import { isAscii, isUtf8 } from "node:buffer"
import { randomUUID } from "node:crypto"

import { atPath } from "../BodyPath.ts"

export interface Slices<A> {
  readonly bytes: Buffer
  /** Where the list begins and ends: its brackets. */
  readonly open: number
  readonly close: number
  readonly starts: ReadonlyArray<number>
  readonly ends: ReadonlyArray<number>
  readonly items: ReadonlyArray<A>
}

export interface Reader<A> {
  /** The key by which an item is found again. */
  readonly keyOf: (item: A) => string | undefined
  /** Parses one slice and says its key; `item` makes the whole of it, where it is not known already. */
  readonly parse: (text: string) => { readonly key: string | undefined; readonly item: () => A }
}

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const escape = 0x5c
const openList = 0x5b
const closeList = 0x5d
const openObject = 0x7b
const closeObject = 0x7d

/** Rows compared at once, at most; fewer after a difference. */
const longestRun = 1_024
const runAfterDifference = 16

/** Stands for the list while the envelope is parsed without it. */
const stand = randomUUID()

/** `path`: where the list is. `before`: of the last body. `undefined`: to be parsed as a whole. */
export const slicesOf = <A>(
  bytes: Buffer,
  path: string | undefined,
  before: Slices<A> | undefined,
  reader: Reader<A>
): Slices<A> | undefined => {
  if (!isUtf8(bytes)) return undefined
  const sameHead = before !== undefined && sameBytes(bytes, 0, before.bytes, 0, before.open + 1)
  const open = sameHead ? before.open : locate(bytes, path)
  if (open === undefined) return undefined
  const walk = new Walk(bytes, before, reader)
  try {
    const close = walk.run(open + 1)
    if (close === undefined) return undefined
    const rest = bytes.length - close
    const sameEnvelope =
      sameHead &&
      before.bytes.length - before.close === rest &&
      sameBytes(bytes, close, before.bytes, before.close, rest)
    if (!sameEnvelope && !isEnvelope(bytes, open, close, path)) return undefined
    return { bytes, open, close, starts: walk.starts, ends: walk.ends, items: walk.items }
  } catch (error) {
    // Not JSON, it seems: parsed as a whole, it is said where.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

class Walk<A> {
  readonly starts: Array<number> = []
  readonly ends: Array<number> = []
  readonly items: Array<A> = []
  private readonly bytes: Buffer
  private readonly before: Slices<A> | undefined
  private readonly reader: Reader<A>
  private readonly text: (start: number, end: number) => string
  /** The slice of the last body that is expected here. */
  private next = 0
  private longest = longestRun
  private places: Map<string, number> | undefined

  constructor(bytes: Buffer, before: Slices<A> | undefined, reader: Reader<A>) {
    this.bytes = bytes
    this.before = before
    this.reader = reader
    this.text = isAscii(bytes)
      ? (start, end) => bytes.toString("latin1", start, end)
      : (start, end) => bytes.toString("utf8", start, end)
  }

  /** From behind the opening bracket to the closing one, which is returned. */
  run(from: number): number | undefined {
    const { bytes } = this
    let at = afterSpace(bytes, from)
    if (bytes[at] === closeList) return at
    for (;;) {
      const end = this.known(at) ?? this.parsed(at)
      if (end === undefined) return undefined
      at = afterSpace(bytes, end)
      if (bytes[at] === closeList) return at
      if (bytes[at] !== comma) return undefined
      at = afterSpace(bytes, at + 1)
    }
  }

  /** Takes as many rows as stand here as they stood before, and returns where the last of them ends. */
  private known(at: number): number | undefined {
    const { before, bytes } = this
    if (before === undefined) return undefined
    const { ends, items, starts } = before
    let end: number | undefined
    let size = this.longest
    while (this.next < items.length) {
      size = Math.min(size, items.length - this.next)
      const last = this.next + size - 1
      const from = starts[this.next]!
      const shift = at - from
      if (!sameBytes(bytes, at, before.bytes, from, ends[last]! - from)) {
        if (size === 1) break
        size >>= 1
        continue
      }
      for (let i = this.next; i <= last; i++) {
        this.starts.push(starts[i]! + shift)
        this.ends.push(ends[i]! + shift)
        this.items.push(items[i]!)
      }
      end = ends[last]! + shift
      this.next = last + 1
      // What stands between two rows is looked at by `run`, unless it is the same again.
      if (this.next === items.length) break
      const gap = starts[this.next]! - ends[last]!
      if (!sameBytes(bytes, end, before.bytes, ends[last]!, gap)) break
      at = end + gap
      if (size === this.longest) this.longest = size = Math.min(size * 2, longestRun)
    }
    if (this.next < items.length) this.longest = runAfterDifference
    return end
  }

  private parsed(at: number): number | undefined {
    const end = endOf(this.bytes, at)
    if (end === undefined) return undefined
    const { before } = this
    const { item, key } = this.reader.parse(this.text(at, end))
    const place = before === undefined || key === undefined ? undefined : this.placeOf(before, key)
    const isKnown =
      place !== undefined &&
      end - at === before!.ends[place]! - before!.starts[place]! &&
      sameBytes(this.bytes, at, before!.bytes, before!.starts[place]!, end - at)
    this.starts.push(at)
    this.ends.push(end)
    this.items.push(isKnown ? before!.items[place]! : item())
    if (place !== undefined) this.next = place + 1
    return end
  }

  /** Where a row of this key stood: most often where it stands now. */
  private placeOf({ items }: Slices<A>, key: string): number | undefined {
    const { keyOf } = this.reader
    if (this.next < items.length && keyOf(items[this.next]!) === key) return this.next
    if (this.places === undefined) {
      this.places = new Map()
      for (let i = 0; i < items.length; i++) {
        const known = keyOf(items[i]!)
        if (known !== undefined) this.places.set(known, i)
      }
    }
    return this.places.get(key)
  }
}

const sameBytes = (a: Buffer, at: number, b: Buffer, from: number, length: number): boolean =>
  at + length <= a.length &&
  from + length <= b.length &&
  b.compare(a, at, at + length, from, from + length) === 0

const afterSpace = (bytes: Buffer, from: number): number => {
  let at = from
  for (let byte = bytes[at]; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;)
    byte = bytes[++at]
  return at
}

const afterString = (bytes: Buffer, from: number): number => {
  let at = from + 1
  for (let byte = bytes[at]; byte !== quote && byte !== undefined; byte = bytes[++at])
    if (byte === escape) at++
  return at + 1
}

/** Where the value ends that begins here, if it is one. Brackets are counted, not told apart: it is parsed anyway. */
const endOf = (bytes: Buffer, from: number): number | undefined => {
  let depth = 0
  let at = from
  for (;;) {
    const byte = bytes[at]
    if (byte === undefined) return undefined
    if (byte === quote) {
      at = afterString(bytes, at)
      if (at > bytes.length) return undefined
      if (depth === 0) return at
      continue
    }
    if (byte === openObject || byte === openList) depth++
    else if (byte === closeObject || byte === closeList) {
      if (depth === 0) return at === from ? undefined : at
      if (--depth === 0) return at + 1
    } else if (depth === 0 && (byte === comma || byte <= 0x20)) return at === from ? undefined : at
    at++
  }
}

/** Where the list at a path opens, as far as can be seen from before it. */
const locate = (bytes: Buffer, path: string | undefined): number | undefined => {
  // TextDecoder drops a byte order mark.
  let at = afterSpace(bytes, bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)
  for (const step of path?.split(".") ?? []) {
    if (bytes[at] !== openObject) return undefined
    at = afterSpace(bytes, at + 1)
    for (;;) {
      if (bytes[at] !== quote) return undefined
      const end = afterString(bytes, at)
      const name = bytes.toString("utf8", at + 1, end - 1)
      at = afterSpace(bytes, end)
      if (bytes[at] !== colon) return undefined
      at = afterSpace(bytes, at + 1)
      if (name === step) break
      const after = endOf(bytes, at)
      if (after === undefined) return undefined
      at = afterSpace(bytes, after)
      if (bytes[at] !== comma) return undefined
      at = afterSpace(bytes, at + 1)
    }
  }
  return bytes[at] === openList ? at : undefined
}

/** Whether what is around the list is JSON and has this list at the path: a later member of the same name would win. */
const isEnvelope = (bytes: Buffer, open: number, close: number, path: string | undefined): boolean => {
  const head = bytes.toString("utf8", 0, open + 1).replace(/^\ufeff/, "")
  const list = atPath(JSON.parse(`${head}"${stand}"${bytes.toString("utf8", close, bytes.length)}`), path)
  return Array.isArray(list) && list[0] === stand
}
