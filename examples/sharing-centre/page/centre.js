/** The sharing centre of one order: a table and what pops up, both of one collection. */
import { Jobs } from "./jobs.js"
import { News } from "./news.js"
import { interval, streamOf } from "./query.js"
import { Cast } from "./shared/cast.js"
import { Connection } from "./shared/connection.js"
import { byId, make, write } from "./shared/element.js"
import { startTheme } from "./shared/theme.js"
import { offered, showShare } from "./share.js"
import { popUp } from "./toasts.js"

const words = { connecting: "Connecting", live: "Live", waiting: "Reconnecting", ended: "Refused" }
const tones = { live: "live", ended: "bad" }
const order = new URLSearchParams(location.search).get("order") ?? "1001"

/** The server's clock minus ours, where they are apart by more than a trip explains. */
const aheadOf = async () => {
  try {
    const { headers } = await fetch("v1/collections", { method: "HEAD" })
    const apart = Date.parse(headers.get("date")) - Date.now()
    return Math.abs(apart) > 3000 ? apart : 0
  } catch {
    return 0
  }
}

const showOrders = (orders) => {
  for (const each of new Set([...orders, order])) {
    const search = new URLSearchParams(location.search)
    search.set("order", each)
    byId("orders").append(
      make("a", { href: `?${search}`, ...(each === order && { "aria-current": "page" }) }, `Order ${each}`)
    )
  }
}

const start = async () => {
  startTheme(byId("look"))
  const ahead = await aheadOf()
  const now = () => Date.now() + ahead
  const cast = new Cast()
  const [jobs, news] = [new Jobs(), new News()]
  const rows = () => cast.collections.get("jobs")?.rows
  const paint = () => rows() !== undefined && jobs.paint(rows(), now())
  const connection = new Connection({
    cast,
    collections: ["jobs"],
    roads: { stream: streamOf(order) },
    on: {
      state: ({ kind }) => {
        write(byId("state"), words[kind])
        byId("state").dataset.tone = tones[kind] ?? "wait"
      },
      message: () => {
        if (rows() === undefined) return
        for (const job of news.take(rows(), now())) popUp(job)
        paint()
      }
    }
  })
  setInterval(paint, 1000)
  addEventListener("online", () => connection.wake())
  document.addEventListener("visibilitychange", () => document.hidden || connection.wake())
  addEventListener("pageshow", ({ persisted }) => persisted && connection.open())
  connection.open({ interval })
  const { kinds, orders, problem = "" } = await offered()
  write(byId("problem"), problem)
  showOrders(orders)
  showShare(order, kinds)
}

void start()
