/** Answers as upstreams give them: most are as the last one was but for a row or two, and some are wrong. */
import { seeded } from "../Hub/World.ts"

export const sources = ["list", "deep", "tolerant", "paged", "made"] as const
export type Source = (typeof sources)[number]
type Random = ReturnType<typeof seeded>

/** A series of answers that goes on like one of a real upstream, until something is wrong with it. */
const series = (random: Random, source: Source) => {
  const pick = (n: number) => Math.floor(random() * n)
  let rows = Array.from({ length: 5 + pick(30) }, (_, i) => ({ id: `r${i}`, rate: `${pick(9)}`, n: i }))
  let last: ReadonlyArray<string> = []
  let time = 0
  const rowText = ({ id, n, rate }: (typeof rows)[number]): string => {
    const whole = { id, rate, n, all: ["é€", ']}\\"', id] }
    switch (pick(60)) {
      case 0:
        return `{"id":"${id}","rate":"no number"}`
      case 1:
        return '{"rate":"1"}'
      case 2:
        return ["7", "null", '"x"', "[]", "1e5", '{"id":[]}'][pick(6)]!
      case 3:
        return `{"id":"${id}","rate":1.10}`
      case 4:
        return `{"id":"${id}","rate":"1","n":12345678901234567890}`
      case 5:
        return `{ "id" : "${id}",\n "rate":"${rate}"}`
      default:
        return JSON.stringify(whole)
    }
  }
  const known = new Map<string, string>()
  const listOf = (some: typeof rows): string => {
    const [gap, end] = pick(12) === 0 ? [" ,\n  ", "\n"] : [",", ""]
    return `[${end}${some
      .map((row) => {
        const key = JSON.stringify(row)
        if (!known.has(key) || pick(40) === 0) known.set(key, rowText(row))
        return known.get(key)!
      })
      .join(gap)}${end}]`
  }
  const step = () => {
    for (let k = 0; k < 1 + pick(3); k++) rows[pick(rows.length)]!.rate = `${pick(9)}`
    if (pick(4) === 0) rows.splice(pick(rows.length), 0, { id: `s${++time}`, rate: "1", n: time })
    if (pick(5) === 0 && rows.length > 3) rows.splice(pick(rows.length), 1)
    if (pick(9) === 0) rows.push(rows[pick(rows.length)]!)
    if (pick(9) === 0) rows = rows.toSorted(() => random() - 0.5)
    rows = rows.map((row) => ({ ...row }))
  }
  const bodies = (some: typeof rows): ReadonlyArray<string> => {
    const half = Math.floor(some.length / 2)
    if (source === "paged") return [listOf(some.slice(0, half)), listOf(some.slice(half))]
    if (source !== "deep") return [`${pick(20) === 0 ? "\ufeff " : ""}${listOf(some)}`]
    const beside = pick(6) === 0 ? "" : `"beside":${listOf(some.slice(half))},`
    const twice = pick(15) === 0 ? `,"rows":${listOf(some.slice(0, half))}` : ""
    return [
      `{"time":${pick(3) === 0 ? ++time : time},"data":{${beside}"rows":${listOf(some)}${twice}},"end":"]"}`
    ]
  }
  return (): ReadonlyArray<string> => {
    const roll = pick(14)
    if (roll === 0 && last.length > 0) return last
    if (roll === 1) return (last = bodies([]))
    if (roll === 2) return (last = bodies(rows.slice(0, Math.ceil(rows.length / 4))))
    step()
    const whole = bodies(rows)
    if (roll === 3) return [whole[0]!.slice(0, pick(whole[0]!.length)), ...whole.slice(1)]
    if (roll === 4) return [whole[0]!.replace(/,/, pick(2) === 0 ? ",," : " "), ...whole.slice(1)]
    return (last = whole)
  }
}

/** Answers of all sources, in the order in which they come. */
export const runs = (seed: number, polls: number) => {
  const random = seeded(seed)
  const next = new Map(sources.map((source) => [source, series(random, source)]))
  return Array.from({ length: polls }, () => {
    const source = sources[Math.floor(random() * sources.length)]!
    return [source, next.get(source)!()] as const
  })
}
