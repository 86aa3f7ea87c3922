/** What a script answers for: `GET https://api.example.com/orders/{id}`, or `/orders/{id}` on whatever host. */

const shape = /^(?:([A-Z]+) )?(https?:\/\/[^/?#\s]+)?((?:\/[^?#\s]*)?)(\?[^#\s]*)?$/

export interface Target {
  /** As it is listed. */
  readonly name: string
  /** Of two that fit the one with the higher rank answers. */
  readonly rank: number
  /** What stands for the `{…}` in a request, or `undefined` where it is not this one's. */
  readonly match: (method: string, url: URL) => { readonly [name: string]: string } | undefined
}

/** Throws a TypeError. */
export const targetOf = (written: string): Target => {
  const [matched, verb = "GET", origin, path = "", search] = shape.exec(written.trim()) ?? []
  if (matched === undefined || (origin === undefined && path === ""))
    throw new TypeError(
      `${JSON.stringify(written)} is no upstream; expected "GET https://api.example.com/prices", or "/prices" on any host`
    )
  const pieces = (path === "" ? "/" : path).split("/").map((piece) => {
    const parameter = /^\{([A-Za-z]+)\}$/.exec(piece)?.[1]
    return { parameter, text: encoded(piece) }
  })
  const parameters = pieces.filter(({ parameter }) => parameter !== undefined).length
  const wanted = search === undefined ? undefined : sorted(new URLSearchParams(search))
  const host = origin === undefined ? undefined : new URL(origin).origin
  return {
    name: `${verb} ${origin ?? ""}${path}${search ?? ""}`,
    rank: (wanted === undefined ? 0 : 1_000) + (host === undefined ? 0 : 100) - parameters,
    match: (method, url) => {
      if (method !== verb || (host !== undefined && url.origin !== host)) return undefined
      if (wanted !== undefined && sorted(url.searchParams) !== wanted) return undefined
      const asked = url.pathname.split("/")
      const fits = ({ parameter, text }: (typeof pieces)[number], i: number) =>
        parameter === undefined ? asked[i] === text : asked[i] !== ""
      if (asked.length !== pieces.length || !pieces.every(fits)) return undefined
      return Object.fromEntries(
        pieces.flatMap(({ parameter }, i) =>
          parameter === undefined ? [] : [[parameter, decodeURIComponent(asked[i]!)]]
        )
      )
    }
  }
}

/** As a request has it. */
const encoded = (piece: string): string => new URL(`http://host/${piece}`).pathname.slice(1)

const sorted = (search: URLSearchParams): string => {
  const copy = new URLSearchParams(search)
  copy.sort()
  return copy.toString()
}
