/** The sharing centre of one order: a table and what pops up, both of one collection. */
import { Jobs } from "./jobs.js"
import { News } from "./news.js"
import { byId, make, write } from "./shared/element.js"
import { connect } from "./shared/ratecast.js"
import { rowsOf, showStatus } from "./shared/status.js"
import { startTheme } from "./shared/theme.js"
import { offered, showShare } from "./share.js"
import { popUp } from "./toasts.js"

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
  // The jobs of one order, at most every three seconds.
  const cast = connect("./", { collections: ["jobs"], interval: "3s", query: { where: `order:${order}` } })
  const [jobs, news] = [new Jobs(), new News()]
  const isKnown = () => cast.jobs.status.state !== "loading"
  const paint = () => isKnown() && jobs.paint(rowsOf(cast.jobs), now())
  cast.subscribe(() => showStatus(cast))
  cast.jobs.subscribe(() => {
    if (!isKnown()) return
    for (const job of news.take(rowsOf(cast.jobs), now())) popUp(job)
    paint()
  })
  setInterval(paint, 1000)
  const { kinds, orders, problem = "" } = await offered()
  write(byId("problem"), problem)
  showOrders(orders)
  showShare(order, kinds)
}

void start()
