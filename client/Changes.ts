/** Long polling: one answer after the other, through whatever lets plain HTTP pass. */
import { address, type Asked, fetching, request, type Road } from "./Road.ts"

export const changes: Road = (asked, hear, end) =>
  fetching(end, async (signal) => {
    let { since } = asked
    // The first is answered at once: by that it is known that this road is one.
    let query = { ...asked.query, wait: "0s" } as Asked["query"]
    while (!signal.aborted) {
      const response = await request(asked, address({ ...asked, query, since }, "changes"), { signal })
      hear()
      const cursor = response.headers.get("ratecast-cursor")
      // Somebody in between has taken it away.
      if (!cursor) return
      const text = await response.text()
      hear(text || JSON.stringify({ type: "ping", from: since, cursor }))
      since = cursor
      query = asked.query
    }
  })
