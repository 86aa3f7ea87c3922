/**
 * A road of our own for the client: Server-Sent Events by `EventSource`, which cannot show a token, so each begins with a
 * ticket. And the ping goes both ways: the server hears of us as we hear of it, and neither talks to one who is gone.
 */
const types = ["snapshot", "change", "ping", "goodbye"]

export const streamWith =
  (account) =>
  ({ query, since, url }, hear, end) => {
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
      end(failure)
    }

    const pinging = ({ connection, interval }) => {
      if (connection === undefined) return
      clearInterval(pings)
      pings = setInterval(async () => {
        try {
          const { status } = await fetch(`${url}v1/connections/${connection}/ping`, { method: "POST" })
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
      const asked = new URLSearchParams({ ...query, ...(since && { since }), ping: "client", ticket })
      source = new EventSource(`${url}v1/stream?${asked}`)
      for (const type of types) source.addEventListener(type, ({ data }) => open && hear(data))
      source.addEventListener("ping", ({ data }) => open && pinging(JSON.parse(data)))
      source.addEventListener("error", () => fail({}))
    }
    begin().catch(({ retryAfterMs, status }) => fail({ retryAfterMs, status }))
    return { close }
  }
