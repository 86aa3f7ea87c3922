/** The columns of rates: one row an asset. */
import { makeIcon } from "./assets.js"
import { make, write } from "./element.js"
import { brief, dollars, none, percent, price } from "./format.js"

const field = (name) => (row) => Number(row.get(name) ?? NaN)

const measured = (id, label, format, more) => ({
  id,
  label,
  field: id,
  text: (row) => format(field(id)(row)),
  value: field(id),
  numbers: field(id),
  ...more
})

export const rateColumns = (assets, ages) => [
  {
    id: "symbol",
    label: "Asset",
    class: "wide",
    heads: true,
    falls: false,
    value: (row) => String(row.get("symbol")).toLowerCase(),
    make: (cell) => {
      const icon = makeIcon()
      const symbol = make("span", { class: "symbol" })
      const name = make("span", { class: "quiet" })
      cell.append(
        make("span", { class: "asset" }, icon.element, make("span", { class: "names" }, symbol, name))
      )
      return (row, key) => {
        icon.paint(row.get("symbol"), assets.image(key))
        write(symbol, row.get("symbol"))
        write(name, assets.name(key))
      }
    }
  },
  measured("ton", "Price, TON", price, { class: "number price lesser" }),
  measured("usd", "Price, USD", price, { class: "number price" }),
  measured("tvlUsd", "TVL", dollars, { class: "number", title: "What the pools hold of it" }),
  measured("apr", "APR", percent, {
    class: "number edge",
    title: "What its liquidity earned in fees in 24 h, as a year's share of itself"
  }),
  changedColumn("rates", ages)
]

export function changedColumn(collection, ages) {
  const since = (key) => ages.since(collection, key)
  return {
    id: "changed",
    label: "Last change",
    class: "number lesser quiet",
    value: (_, key) => since(key),
    text: (_, key) => (since(key) === undefined ? none : `${brief(Date.now() - since(key))} ago`)
  }
}

export const rateWords = (assets) => (row, key) => `${row.get("symbol")} ${assets.name(key)}`
