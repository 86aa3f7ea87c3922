/**
 * The roads by which messages come: Server-Sent Events, WebSocket, long poll. Each carries the same messages from the same
 * cursor. A road is opened once and fails once; whether and when to come back is for connection.js to say.
 */
const types = ["snapshot", "change", "ping", "goodbye"]

/** Codes of a close after which the same attempt may go better; the others need another query or another caller. */
const passing = new Set([1000, 1001, 1005, 1006, 1011, 1012, 1013, 4408, 4429])

const stream = {
  name: "SSE",
  open(query, on) {
    const source = new EventSource(`v1/stream?${query(on.cursor())}`)
    for (const type of types) source.addEventListener(type, ({ data }) => on.message(data))
    // It would come back by itself after most failures, but not after all, and without a word on when.
    source.addEventListener("error", () => {
      source.close()
      on.failure({})
    })
    return () => source.close()
  }
}

const socket = {
  name: "WebSocket",
  open(query, on) {
    const url = new URL(`v1/socket?${query(on.cursor())}`, document.baseURI)
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:"
    const socket = new WebSocket(url, "ratecast.v1")
    socket.addEventListener("message", ({ data }) => on.message(data))
    socket.addEventListener("close", ({ code }) => on.failure({ final: !passing.has(code) }))
    return () => socket.close()
  }
}

const poll = {
  name: "long poll",
  open(query, on) {
    const abort = new AbortController()
    const { signal } = abort
    const answered = async () => {
      try {
        const answer = await fetch(`v1/changes?${query(on.cursor())}`, { cache: "no-store", signal })
        return { answer, text: await answer.text() }
      } catch {
        return undefined
      }
    }
    const follow = async () => {
      while (!signal.aborted) {
        const { answer, text } = (await answered()) ?? {}
        if (signal.aborted) return
        if (answer?.status === 200) on.message(text)
        else if (answer?.status === 204) on.nothing(answer.headers.get("ratecast-cursor"))
        else return on.failure(answer === undefined ? {} : refusal(answer))
      }
    }
    void follow()
    return () => abort.abort()
  }
}

const refusal = ({ headers, status }) => ({
  retryAfterMs: 1000 * Number(headers.get("retry-after") ?? 0),
  final: status >= 400 && status < 500 && ![401, 408, 429].includes(status)
})

export const roads = { stream, socket, poll }
