/** What the servers in Node and Bun have in common: "go BYTES RATE" casts events until "stop", which says how many. */
import { commands, say } from "../Probe.ts"
import { eventText } from "../Event.ts"

export const backlog = 8192

/** A server on a port of its own choice that sends `text` to everybody by `cast`. */
export const serveCasts = (cast: (text: string) => void): void => {
  let timer: NodeJS.Timeout | undefined
  let events = 0
  commands.set("go", ([bytes, rate]) => {
    events = 0
    timer = setInterval(() => cast(eventText(events++, Number(bytes))), 1000 / Number(rate))
    return {}
  })
  commands.set("stop", () => {
    clearInterval(timer)
    return { events }
  })
}

export const listening = (port: number): void => say({ port })
