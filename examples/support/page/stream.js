/**
 * Server-Sent Events for somebody with a token: an `EventSource` cannot show one, so each begins with a ticket. And the
 * ping goes both ways: the server hears of us as we hear of it, and neither talks to one who is gone.
 */
const types = ["snapshot", "change", "ping", "goodbye"]

export const streamOf = (account) => ({
  name: "SSE",
  open(query, on) {
    let source
    let pings
    let open = true
    const close = () => {
      open = false
      clearInterval(pings)
      source?.close()
    }
    const fail = (failure) => {
      if (!open) return
      close()
      on.failure(failure)
    }

    const pinging = ({ connection, interval }) => {
      if (connection === undefined) return
      clearInterval(pings)
      pings = setInterval(async () => {
        try {
          const { status } = await fetch(`v1/connections/${connection}/ping`, { method: "POST" })
          // It has given us up, whatever this end still believes.
          if (status === 404) fail({})
        } catch {
          // Silence tells of that, too.
        }
      }, interval)
    }

    const begin = async () => {
      const { ticket } = await account.ask("POST", "v1/tickets")
      if (!open) return
      const asked = query(on.cursor())
      asked.set("ping", "client")
      asked.set("ticket", ticket)
      source = new EventSource(`v1/stream?${asked}`)
      for (const type of types) source.addEventListener(type, ({ data }) => open && on.message(data))
      source.addEventListener("ping", ({ data }) => open && pinging(JSON.parse(data)))
      source.addEventListener("error", () => fail({}))
    }
    begin().catch(({ retryAfterMs, status }) => fail({ retryAfterMs, final: status === 403 }))
    return close
  }
})
