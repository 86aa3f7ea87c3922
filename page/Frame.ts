/** One message of this connection: what it says of itself, and as much of it as somebody may want. */
/** A message as it came. */
export interface Heard {
  readonly at: number
  readonly road: string
  readonly text: string
}

export interface Frame {
  readonly at: number
  readonly type: string
  readonly road: string
  readonly length: number
  /** All of it, or what of it is kept. */
  readonly text: string
  readonly isWhole: boolean
  /** The cursor it starts from; none for a snapshot. */
  readonly from: string | undefined
  readonly cursor: string | undefined
  readonly about: string
  /** From the commit until it was here, ms; `undefined` where there is nothing new in it. */
  readonly lag: number | undefined
}

interface Body {
  readonly reason?: string
  readonly commits?: number
  readonly code?: string
  readonly collections?: {
    readonly [name: string]: { readonly [part: string]: unknown; readonly state?: string }
  }
}

const sizeOf = (part: unknown): number =>
  Array.isArray(part) ? part.length : typeof part === "object" && part !== null ? Object.keys(part).length : 0

const verbs = [
  ["rows", "rows"],
  ["put", "put"],
  ["set", "changed"],
  ["unset", "unset"],
  ["remove", "removed"],
  ["evict", "evicted"]
] as const

const aboutOf = (type: string, { code, collections = {}, reason }: Body): string => {
  if (type === "goodbye") return (code ?? "").replaceAll("_", " ")
  if (type === "ping") return "nothing has changed"
  const parts = Object.entries(collections).map(([name, part]) => {
    const said = verbs.flatMap(([field, verb]) => {
      const count = sizeOf(part[field])
      return count === 0 ? [] : [`${count} ${verb}`]
    })
    if (part.state !== undefined && type === "change") said.push(part.state)
    return `${name} ${said.join(", ")}`
  })
  return [type === "snapshot" ? (reason ?? "") : "", ...parts].filter((each) => each !== "").join(" · ")
}

/** To read a large one again would cost more than it tells, and fifty snapshots are a lot to keep; one of 42,000 rows is 13 MB. */
const most = 256 * 1024
/** Of what is larger, for who wants to see what it is. */
const seen = 24 * 1024

const field = (head: string, name: string) =>
  new RegExp(`"${name}":(?:"([^"]*)"|(\\d+))`)
    .exec(head)
    ?.slice(1)
    .find((found) => found !== undefined)

export const frameOf = ({ at, road, text }: Heard, ahead: number): Frame => {
  // What it says of itself stands first; the rest is rows, whose fields have any names.
  const [head] = /^\{[^{[]{0,400}/.exec(text) ?? [""]
  const type = field(head, "type") ?? "message"
  const committed = Number(field(head, "at"))
  const isWhole = text.length <= most
  const kept = isWhole ? text : text.slice(0, seen)
  let about = isWhole ? undefined : "too long to be looked into"
  return {
    at,
    type,
    road,
    length: text.length,
    text: kept,
    isWhole,
    from: field(head, "from"),
    cursor: field(head, "cursor"),
    // When somebody sees it: most are overtaken before.
    get about() {
      return (about ??= aboutOf(type, JSON.parse(kept) as Body))
    },
    lag: type === "change" && committed > 0 ? Math.max(0, at + ahead - committed) : undefined
  }
}
