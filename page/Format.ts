/**
 * Numbers, sizes and times for people. Digits keep their place: a number that moves does not move its point, and a column
 * does not change its width.
 */
const digits = (minimum: number, maximum = minimum) =>
  new Intl.NumberFormat("en", { minimumFractionDigits: minimum, maximumFractionDigits: maximum })

const fractions = Array.from({ length: 9 }, (_, length) => digits(length))
const time = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23"
})
const date = new Intl.DateTimeFormat("en", { month: "short", day: "2-digit" })

/** As wide as a digit. */
const figure = "\u2007"
const thin = "\u202f"
const subscripts = "₀₁₂₃₄₅₆₇₈₉"

export const none = "–"
export const mostPlaces = 8

const fixed = (value: number, places: number): string => fractions[places]!.format(value)

export const whole = (value: number): string => (Number.isFinite(value) ? fixed(value, 0) : none)

/** How many places a number needs for five significant digits: two at least, unless it is an integer. */
export const placesOf = (value: number): number => {
  if (value === 0 || Number.isInteger(value)) return 0
  return Math.min(mostPlaces, Math.max(2, 4 - Math.floor(Math.log10(Math.abs(value)))))
}

/** How many places it came with: what is not there is not shown as if somebody had measured it. */
export const givenPlaces = (text: string): number => {
  const [, rest = "", power = "0"] = /^[^.e]*(?:\.(\d+))?(?:e([+-]\d+))?$/i.exec(text) ?? []
  return Math.max(0, rest.length - Number(power))
}

/**
 * Five significant digits, filled up to `places` so that points line up. Where even that is not enough, zeros are counted
 * as on every exchange: 0.0₇1234 is 0.00000001234… with seven of them.
 */
export const aligned = (value: number, places: number): string => {
  if (!Number.isFinite(value)) return none
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  if (places === mostPlaces && magnitude < 3 - places) {
    const [head, power] = value.toExponential(3).split("e-") as [string, string]
    const zeros = [...String(Number(power) - 1)].map((digit) => subscripts[Number(digit)]).join("")
    const sign = value < 0 ? "-" : ""
    return `${sign}0.0${zeros}${head.replace(/[-.]/g, "")}${figure.repeat(Math.max(0, places - 5 - zeros.length))}`
  }
  const length = Math.min(places, Math.max(2, 4 - magnitude))
  if (places === 0) return fixed(value, 0)
  return fixed(value, length) + figure.repeat(places - length)
}

/** A number as it came, to its last digit, in groups of three: more than a `number` holds. */
export const grouped = (text: string): string => {
  const [, sign = "", whole, rest = ""] = /^(-?)(\d+)(\.\d+)?$/.exec(text) ?? []
  return whole === undefined ? text : sign + whole.replace(/\B(?=(\d{3})+$)/g, ",") + rest
}

/** Digits after the point: what a `number` has, and no more than its formatter takes. */
const mostTicks = 20
const powers = ["", "k", "M", "B", "T", "P", "E", "Z", "Y"]

/** Three digits and a letter, of one width: for columns of numbers that nobody reads to the end. */
export const compact = (value: number): string => {
  if (!Number.isFinite(value)) return none
  const size = Math.abs(value)
  const power = size < 1000 ? 0 : Math.min(powers.length - 1, Math.floor(Math.log10(size * 1.000_005) / 3))
  const text = fixed(value / 1000 ** power, 2)
  return `${text}${thin}${powers[power] === "" ? figure : powers[power]}`
}

/** Of an axis, rising: as short as they can be while each says where it is. */
export const ticks = (values: ReadonlyArray<number>): ReadonlyArray<string> => {
  const most = Math.max(...values.map(Math.abs))
  const gaps = values.slice(1).map((value, i) => value - values[i]!)
  const gap = Math.min(most / 1000, ...gaps)
  const isExact = (unit: number, places: number) =>
    values.every((value) => Math.abs(Number((value / unit).toFixed(places)) * unit - value) <= gap / 100)
  const power = most < 1e6 ? 0 : Math.min(powers.length - 1, Math.floor(Math.log10(most) / 3))
  const unit = 1000 ** power
  const places = [2, 3, 4].find((places) => isExact(unit, places))
  if (power > 0 && places !== undefined)
    return values.map((value) => `${fixed(value / unit, places)}${thin}${powers[power]}`)
  let all = 0
  while (all < mostTicks && !isExact(1, all)) all++
  const form = new Intl.NumberFormat("en", { maximumFractionDigits: all, signDisplay: "negative" })
  return values.map((value) => form.format(value))
}

/** Characters of messages, which for us are bytes: three significant digits. */
export const size = (length: number): string => {
  if (!Number.isFinite(length)) return none
  if (length < 1000) return `${Math.round(length)} B`
  const power = length < 999_500 ? 1 : length < 999_500_000 ? 2 : 3
  const unit = ["B", "kB", "MB", "GB"][power]
  const value = length / 1000 ** power
  return `${fixed(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${unit}`
}

/** A share: two significant digits, and never 0 for what is not 0. */
export const share = (value: number): string => {
  const hundredths = value * 100
  if (hundredths === 0 || hundredths >= 9.95) return `${whole(hundredths)} %`
  if (hundredths >= 0.995) return `${fixed(hundredths, 1)} %`
  return hundredths < 0.0005 ? "less than 0.001 %" : `${Number(hundredths.toPrecision(2))} %`
}

/** How far it is from where it began: as a share of that, where it has not been 0 or below. */
export const moved = (from: number, to: number): string => {
  const isShare = from > 0 && to >= 0
  if (to === from) return isShare ? "0 %" : "0"
  const by = Math.abs(to - from)
  const sign = to > from ? "+" : "−"
  if (!isShare) return sign + fixed(by, placesOf(by)).replace(/(\.\d*?)0+$/, "$1")
  const hundredths = (by / from) * 100
  if (hundredths < 0.0001) return "less than 0.0001 %"
  return `${sign}${hundredths >= 0.1 ? fixed(hundredths, 2) : Number(hundredths.toPrecision(2))} %`
}

/** How long something took, ms. */
export const took = (ms: number): string =>
  !Number.isFinite(ms)
    ? none
    : ms < 1000
      ? `${Math.round(ms)} ms`
      : `${fixed(ms / 1000, ms < 9_995 ? 2 : 1)} s`

/** How long it is, in one unit, for a narrow column. */
export const brief = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

export const long = (ms: number): string => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Beyond 275,760 years from 1970 there is no date. */
const isTime = (at: number) => Math.abs(at) <= 8.64e15

export const clock = (at: number): string => time.format(at)

/** A time of day, with its day where that is not today. */
export const when = (at: number, now = Date.now()): string => {
  if (!isTime(at)) return none
  return new Date(at).toDateString() === new Date(now).toDateString()
    ? clock(at)
    : `${date.format(at)} ${clock(at)}`
}

/** To the last digit, where it is a time at all. */
export const iso = (at: number): string => (isTime(at) ? new Date(at).toISOString() : none)

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${whole(count)} ${count === 1 ? one : many}`

/** What a daemon says in a few words, as a line by itself. */
export const sentence = (text: string): string =>
  text === "" ? "" : `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? "" : "."}`

/** Of many the first two, and how many more there are. */
export const listed = (names: ReadonlyArray<string>): string => {
  const said = names.length > 3 ? [...names.slice(0, 2), `${whole(names.length - 2)} more`] : names
  return said.length < 2 ? said.join() : `${said.slice(0, -1).join(", ")} and ${said.at(-1)}`
}

/** An address that nobody reads to the end. */
export const short = (address: string): string => {
  const id = address.replace(/^[a-z]+:(?=.{20})/, "")
  return id.length > 16 ? `${id.slice(0, 6)}…${id.slice(-4)}` : id
}
