/** What this page asks for, on the shared connection: the jobs of one order, at most every three seconds. */
import { roads } from "./shared/road.js"

export const interval = "3s"

/** A road on which every query is about one order. */
export const streamOf = (order) => ({
  name: roads.stream.name,
  open: (query, on) => {
    const narrowed = (since) => {
      const asked = query(since)
      asked.set("where", `order:${order}`)
      return asked
    }
    return roads.stream.open(narrowed, on)
  }
})
