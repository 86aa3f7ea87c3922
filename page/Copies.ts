/** The same from elsewhere: what a frame was the answer to, as a command or a few lines of code. A token is never in them. */
import type { Frame } from "./Frame.ts"
import { base, type Session } from "./Session.ts"

type Copied = Pick<Frame, "from">
type Asking = Pick<Session, "asked" | "names" | "token">

const queryOf = ({ asked, names }: Asking, from: string | undefined): string =>
  new URLSearchParams({
    collections: names.join(),
    ...(asked.interval === "" ? {} : { interval: asked.interval }),
    ...(from === undefined ? {} : { since: from })
  })
    .toString()
    .replaceAll("%2C", ",")

/** In quotes of a shell. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`

export const asCurl = ({ from }: Copied, session: Asking): string => {
  const token = session.token === "" ? "" : ` -H "Authorization: Bearer $RATECAST_TOKEN"`
  return `curl -N${token} ${quoted(`${base}v1/stream?${queryOf(session, from)}`)}`
}

export const asEventSource = ({ from }: Copied, session: Asking): string => {
  const url = JSON.stringify(`${base}v1/stream?${queryOf(session, from)}`)
  const lines =
    session.token === ""
      ? [`const events = new EventSource(${url})`]
      : [
          // An EventSource can show no header.
          `const asked = { method: "POST", headers: { authorization: \`Bearer \${token}\` } }`,
          `const { ticket } = await (await fetch(${JSON.stringify(`${base}v1/tickets`)}, asked)).json()`,
          `const events = new EventSource(${url} + "&ticket=" + encodeURIComponent(ticket))`
        ]
  return [
    ...lines,
    `for (const type of ["snapshot", "change", "ping"])`,
    `  events.addEventListener(type, ({ data }) => console.log(JSON.parse(data)))`,
    ""
  ].join("\n")
}

export const asClient = (_: Copied, { asked, names, token }: Asking): string => {
  const options = [
    `collections: ${JSON.stringify(names)}`,
    ...(asked.road === "auto" ? [] : [`roads: [${JSON.stringify(asked.road)}]`]),
    ...(asked.interval === "" ? [] : [`interval: ${JSON.stringify(asked.interval)}`]),
    ...(token === "" ? [] : ["token: () => yourToken()"])
  ]
  return [
    `import { connect } from "ratecast/client"`,
    "",
    `const cast = connect(${JSON.stringify(base)}, { ${options.join(", ")} })`,
    `const rows = cast.collection(${JSON.stringify(names[0] ?? "")})`,
    `rows.subscribe((keys) => console.log(keys, rows.rows))`,
    ""
  ].join("\n")
}

export const copies = [
  ["curl", asCurl],
  ["EventSource", asEventSource],
  ["client code", asClient]
] as const
