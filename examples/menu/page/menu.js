/** The page: what the store holds, as elements. */
import { fetchBaseQuery } from "@reduxjs/toolkit/query"

import { makeApi } from "./api.js"
import { backendUrl, unreachable } from "./backend.js"
import { onRow } from "./libraries/ratecast-redux.js"
import { connect } from "./libraries/ratecast.js"
import { byId, make, write } from "./shared/element.js"
import { clock } from "./shared/format.js"
import { startTheme } from "./shared/theme.js"
import { basket, makeStore } from "./store.js"

/** How long after a failure the companies are asked for again, ms. */
const again = 3_000
const words = {
  connecting: "Connecting",
  live: "Live",
  stale: "Reconnecting",
  offline: "Reconnecting",
  failed: "No menus"
}
const tones = { live: "live", failed: "bad" }
const euros = new Intl.NumberFormat("en", { style: "currency", currency: "EUR" })

/** One connection for the whole page. */
const cast = connect(new URL(".", location.href).href, { collections: ["menuEvents"] })
const api = makeApi({
  baseQuery: fetchBaseQuery({ baseUrl: backendUrl ?? location.origin }),
  onEvent: (then) => onRow(cast.menuEvents, then)
})
const store = makeStore(api)
const { companies, menu } = api.endpoints
let chosen
let subscription

const choose = (company) => {
  chosen = company
  const before = subscription
  subscription = store.dispatch(menu.initiate(company))
  // After the new one, so that a company chosen twice is not dropped between.
  before?.unsubscribe()
  paint()
}

const paintCompanies = () => {
  const list = companies.select()(store.getState()).data ?? []
  if (chosen === undefined && list.length > 0) return choose(list[0].id)
  if (byId("companies").children.length !== list.length)
    byId("companies").replaceChildren(
      ...list.map(({ id, name }) => {
        const button = make("button", { type: "button", "data-company": id }, name)
        button.addEventListener("click", () => choose(id))
        return button
      })
    )
  for (const button of byId("companies").children)
    button.setAttribute("aria-pressed", String(button.dataset.company === chosen))
}

let painted
const paintMenu = () => {
  const { data, error, fulfilledTimeStamp, isFetching } = menu.select(chosen)(store.getState())
  byId("menu").setAttribute("aria-busy", String(isFetching === true))
  paintState(error)
  write(
    byId("about"),
    data === undefined ? "" : `As of ${clock(data.version)}, read at ${clock(fulfilledTimeStamp)}`
  )
  if (data === painted) return
  const before = painted?.company === data?.company ? painted : undefined
  painted = data
  byId("menu").replaceChildren(...(data?.items ?? []).map((item, i) => lineOf(item, before?.items[i])))
}

const lineOf = ({ name, price }, before) => {
  const add = make("button", { type: "button", "aria-label": `Add ${name}` }, "Add")
  add.addEventListener("click", () => store.dispatch(basket.actions.added({ company: chosen, name })))
  const isNew = before !== undefined && before.price !== price
  return make(
    "li",
    {},
    make("span", { class: "name" }, name),
    make("span", { class: isNew ? "price new" : "price" }, euros.format(price / 100)),
    add
  )
}

const paintBasket = () => {
  const items = store.getState().basket
  if (items.length > 0) write(byId("basket-items"), items.map(({ name }) => name).join(", "))
}

/** It is live where the events come and the menus too. */
const paintState = (error) => {
  const problem =
    error === undefined && backendUrl !== undefined ? "" : unreachable("menu backend", error?.status)
  const state = problem === "" ? cast.status.state : "failed"
  write(byId("state"), words[state])
  byId("state").dataset.tone = tones[state] ?? "wait"
  write(byId("problem"), problem)
}

const paint = () => {
  paintCompanies()
  byId("update").disabled = chosen === undefined
  if (chosen === undefined) paintState(companies.select()(store.getState()).error)
  else paintMenu()
  paintBasket()
}

const askForCompanies = async () => {
  const { error } = await store.dispatch(companies.initiate(undefined, { forceRefetch: true }))
  if (error !== undefined) setTimeout(askForCompanies, again)
}

startTheme(byId("look"))
store.subscribe(paint)
paint()
if (backendUrl !== undefined) void askForCompanies()
byId("update").addEventListener("click", () => {
  fetch(`${backendUrl}/menus/${chosen}/update`, { method: "POST" }).catch(() => paintState({}))
})
cast.subscribe(paint)
// To be looked at from the console.
globalThis.menuStore = store
