/** What an example says of its connection. */
import { byId, write } from "./element.js"

const words = {
  connecting: "Connecting",
  live: "Live",
  stale: "Reconnecting",
  offline: "Reconnecting",
  failed: "Refused"
}
const tones = { live: "live", failed: "bad" }

export const showStatus = ({ status }) => {
  write(byId("state"), words[status.state])
  byId("state").dataset.tone = tones[status.state] ?? "wait"
}

/** Its rows as they are now, by key. */
export const rowsOf = (collection) => new Map([...collection.keys()].map((key) => [key, collection.get(key)]))
