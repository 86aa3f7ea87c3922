/** Server-Sent Events by `fetch`: it may send a token, sees the status, and need not be a page. */
import { address, fetching, request, type Road } from "./Road.ts"

export const stream: Road = (asked, hear, end) =>
  fetching(end, async (signal) => {
    const response = await request(asked, address(asked, "stream"), { signal })
    // Where a body cannot be read as it comes there is none, and this throws: another road is tried.
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let rest = ""
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      hear()
      // Every message of ours is one line. Only what came now is searched for its end: a snapshot comes in many pieces.
      const lines = value.split("\n")
      lines[0] = rest + lines[0]!
      rest = lines.pop()!
      for (const line of lines) if (line.startsWith("data:")) hear(line.slice(5))
    }
  })
