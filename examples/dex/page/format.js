/**
 * Numbers, sizes and times for people. Digits keep their place: a price that moves does not move its point, and a column
 * does not change its width.
 */
const digits = (minimum, maximum = minimum) =>
  new Intl.NumberFormat("en", { minimumFractionDigits: minimum, maximumFractionDigits: maximum })

const fractions = Array.from({ length: 9 }, (_, length) => digits(length))
const compact = new Intl.NumberFormat("en", {
  notation: "compact",
  minimumSignificantDigits: 4,
  maximumSignificantDigits: 4
})
const time = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23"
})

/** As in style.css; elsewhere than in a page there is room enough. */
const narrow = globalThis.matchMedia?.("(max-width: 720px)") ?? { matches: false }

/** As wide as a digit. */
const figure = "\u2007"

const subscripts = "₀₁₂₃₄₅₆₇₈₉"

export const none = "–"

const isNumber = (value) => Number.isFinite(value)

export const whole = (value) => (isNumber(value) ? fractions[0].format(value) : none)

/**
 * Five significant digits, at least two after the point, filled up to `places` so that points line up. Where even that
 * is not enough, zeros are counted as on every exchange: 0.0₇1234 is 0.00000001234… with seven of them.
 */
export const price = (value, places = 8) => {
  if (!isNumber(value)) return none
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)))
  if (magnitude < 3 - places) {
    const [head, power] = value.toExponential(3).split("e-")
    const zeros = [...String(Number(power) - 1)].map((digit) => subscripts[digit]).join("")
    return `0.0${zeros}${head.replace(".", "")}${figure.repeat(places - 5 - zeros.length)}`
  }
  const length = Math.min(places, Math.max(2, 4 - magnitude))
  return fractions[length].format(value) + figure.repeat(places - length)
}

export const dollars = (value) => {
  if (!isNumber(value)) return none
  const most = narrow.matches ? 1e5 : 1e12
  return `$${Math.abs(value) < most ? fractions[0].format(value) : compact.format(value)}`
}

export const percent = (value, places = narrow.matches ? 1 : 2) =>
  isNumber(value) ? `${fractions[places].format(value * 100)} %` : none

/** An amount of an asset: nobody reads cents beside millions. */
export const amount = (value) => {
  if (!isNumber(value)) return none
  const size = Math.abs(value)
  if (size >= (narrow.matches ? 1e6 : 1e12)) return compact.format(value)
  return size >= 1000
    ? fractions[0].format(value)
    : size >= 1
      ? fractions[2].format(value)
      : fractions[4].format(value)
}

/** Characters of messages, which for us are bytes: three significant digits. */
export const size = (length) => {
  if (length < 1000) return `${Math.round(length)} B`
  const power = length < 999_500 ? 1 : length < 999_500_000 ? 2 : 3
  const unit = ["B", "kB", "MB", "GB"][power]
  const value = length / 1000 ** power
  return `${fractions[value < 9.995 ? 2 : value < 99.95 ? 1 : 0].format(value)} ${unit}`
}

/** A share: two significant digits, and never 0 for what is not 0. */
export const share = (value) => {
  const hundredths = value * 100
  if (hundredths === 0 || hundredths >= 9.95) return `${whole(hundredths)} %`
  if (hundredths >= 0.995) return `${fractions[1].format(hundredths)} %`
  return hundredths < 0.0005 ? "less than 0.001 %" : `${Number(hundredths.toPrecision(2))} %`
}

/** How long it is, in one unit, for a narrow column. */
export const brief = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`
}

export const long = (ms) => {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${seconds % 60} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

export const clock = (at) => time.format(at)

export const plural = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`

/** An address that nobody reads to the end. */
export const short = (address) => {
  const id = address.replace(/^jetton:/, "")
  return id.length > 12 ? `${id.slice(0, 4)}…${id.slice(-4)}` : id
}
