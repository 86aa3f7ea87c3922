/** Long polling: one answer after the other, through whatever lets plain HTTP pass. */
import { address, fetching, request, type Road } from "./Road.ts"

export const changes: Road = (asked, hear, end) =>
  fetching(end, async (signal) => {
    let { since } = asked
    while (!signal.aborted) {
      const response = await request(asked, address({ ...asked, since }, "changes"), { signal })
      hear()
      const cursor = response.headers.get("ratecast-cursor")!
      const text = await response.text()
      hear(text || JSON.stringify({ type: "ping", from: since, cursor }))
      since = cursor
    }
  })
