/** The columns of pools: one row a pool of two assets, its amounts in their whole units. */
import { makeIcon } from "./assets.js"
import { make, write } from "./element.js"
import { amount, dollars, percent, short } from "./format.js"
import { changedColumn } from "./rates.js"

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0)

const fee = (row) => Number(row.get("fee")) / 100

export const poolColumns = (assets, ages) => {
  const amounts = (row, field) => row.get("assets").map((id, side) => assets.whole(id, row.get(field)[side]))
  const worth = (row, field) =>
    sum(amounts(row, field).map((amount, side) => amount * assets.usd(row.get("assets")[side])))
  const inDollars = (id, label, title) => ({
    id,
    label,
    title,
    field: id,
    class: id === "fees" ? "number edge" : "number",
    text: (row) => dollars(worth(row, id)),
    value: (row) => worth(row, id),
    numbers: (row) => worth(row, id)
  })

  return [
    {
      id: "pair",
      label: "Pool",
      class: "wide",
      heads: true,
      falls: false,
      value: (row) => pairOf(assets, row).toLowerCase(),
      make: (cell) => {
        const icons = [makeIcon(), makeIcon()]
        const sides = [make("span"), make("span")]
        const pair = make("span", { class: "symbol pair" }, sides[0], make("i", {}, " / "), sides[1])
        const kind = make("span", { class: "quiet" })
        const icon = make("span", { class: "icons" }, ...icons.map(({ element }) => element))
        cell.append(make("span", { class: "asset" }, icon, make("span", { class: "names" }, pair, kind)))
        return (row, key) => {
          for (const [side, id] of row.get("assets").slice(0, 2).entries()) {
            icons[side].paint(assets.symbol(id), assets.image(id))
            write(sides[side], assets.symbol(id))
          }
          write(kind, `${row.get("type")} · ${short(key)}`)
          cell.title = key
        }
      }
    },
    { id: "fee", label: "Fee", class: "number lesser slim", value: fee, text: (row) => percent(fee(row), 2) },
    {
      id: "reserves",
      label: "Reserves",
      title: "Sorted by what they are worth",
      field: "reserves",
      class: "number units",
      text: (row) => amounts(row, "reserves").map(amount),
      units: (row) => row.get("assets").map((id) => assets.symbol(id)),
      value: (row) => worth(row, "reserves"),
      numbers: (row) => amounts(row, "reserves")
    },
    inDollars("volume", "24h volume", "Of both assets, in US dollars at the rates of now"),
    inDollars("fees", "24h fees", "Of both assets, in US dollars at the rates of now"),
    changedColumn("pools", ages)
  ]
}

const pairOf = (assets, row) =>
  row
    .get("assets")
    .map((id) => assets.symbol(id))
    .join(" / ")

export const poolWords = (assets) => (row) => {
  const names = row.get("assets").map((id) => assets.name(id))
  return [row.get("type"), pairOf(assets, row), ...names].join(" ")
}
