/** The page: one connection, and everything that shows what comes over it. */
import { Ages } from "./ages.js"
import { Assets } from "./assets.js"
import { Cast } from "./cast.js"
import { showCommands } from "./commands.js"
import { Connection } from "./connection.js"
import { byId, show, write } from "./element.js"
import { whole } from "./format.js"
import { Log } from "./log.js"
import { Meter } from "./meter.js"
import { poolColumns, poolWords } from "./pools.js"
import { rateColumns, rateWords } from "./rates.js"
import { Refresh } from "./refresh.js"
import { roads } from "./road.js"
import { Simulator } from "./simulator.js"
import { States } from "./states.js"
import { Table } from "./table.js"
import { startTabs } from "./tabs.js"
import { startTheme } from "./theme.js"

const collections = ["rates", "pools", "assets"]
const cast = new Cast()
const assets = new Assets(cast)
const ages = new Ages()
const log = new Log()

/** The server's clock minus ours, where they are apart by more than the trip of a message explains. */
let ahead = 0
const meter = new Meter({
  date: (date) => {
    const apart = date - Date.now()
    ahead = Math.abs(apart) > 3000 ? apart : 0
  },
  operators: (there) => {
    for (const link of document.querySelectorAll("[data-operators]")) show(link, there)
  }
})

const connection = new Connection({
  cast,
  collections,
  roads,
  on: {
    state: () => states.paint(),
    message: (receipt, opening) => {
      meter.note(receipt)
      ages.note(receipt)
      log.note(receipt, opening)
      update()
    }
  }
})

const states = new States({ cast, collections, connection, now: () => Date.now() + ahead })

const rowsOf = (name) => cast.collections.get(name)?.rows ?? new Map()
const emptyWords = (name) => (searching) => {
  if (searching) return "Nothing here has that in it."
  const error = cast.collections.get(name)?.error
  return error === undefined ? "Waiting for the first rows." : `No rows yet. ${error.detail}`
}
const makeTable = (name, columns, words, by) =>
  new Table({
    element: byId(`${name}-table`),
    columns,
    words,
    sort: { by, down: true },
    rows: () => rowsOf(name),
    empty: emptyWords(name)
  })
const tables = new Map([
  ["rates", makeTable("rates", rateColumns(assets, ages), rateWords(assets), "tvlUsd")],
  ["pools", makeTable("pools", poolColumns(assets, ages), poolWords(assets), "volume")]
])
let shown = "rates"

/** Tables paint in the next frame and only where somebody sees them; the rest is a few words. */
const update = () => {
  states.paint()
  tables.get(shown).update()
  for (const name of tables.keys()) {
    write(byId(`${name}-count`), whole(rowsOf(name).size))
    show(byId(`${name}-stale`), cast.collections.get(name)?.state === "stale")
  }
  const searching = byId("search").value.trim() !== ""
  write(byId("found"), searching ? `${whole(tables.get(shown).found)} of ${whole(rowsOf(shown).size)}` : "")
}

/** A browser may remember what was chosen before a reload. */
const chosen = (name) => document.querySelector(`input[name=${name}]:checked`).value

const listen = () => {
  startTheme(byId("look"))
  startTabs(byId("tabs"), (name) => {
    shown = name
    update()
  })
  byId("search").addEventListener("input", ({ target }) => {
    for (const table of tables.values()) table.search(target.value)
    update()
  })
  document.addEventListener("change", ({ target }) => {
    if (target.name === "road") connection.open({ road: target.value })
    if (target.name === "pace") connection.open({ interval: target.value })
  })
  byId("reconnect").addEventListener("click", () => connection.open())
  addEventListener("online", () => connection.wake())
  document.addEventListener("visibilitychange", () => document.hidden || connection.wake())
  addEventListener("pageshow", ({ persisted }) => persisted && connection.open())
  setInterval(() => {
    update()
    meter.paint()
  }, 1000)
}

listen()
showCommands()
new Refresh().start()
connection.open({ road: chosen("road"), interval: chosen("pace") })
void new Simulator().start()
