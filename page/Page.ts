/** The page: one session, and everything that shows what it reads. */
import type { Collection } from "../client/Cast.ts"
import { Chart } from "./Chart.ts"
import { startExamples, Simulator } from "./Demo.ts"
import { isFamily, prefixOf } from "./Described.ts"
import { byId, choices, make, show, write } from "./Element.ts"
import { sentence } from "./Format.ts"
import { Frames } from "./Frames.ts"
import { startKeys } from "./Keys.ts"
import { startLook } from "./Look.ts"
import { Operations } from "./Operations.ts"
import { type Asked, Session } from "./Session.ts"
import { State } from "./State.ts"
import { Table } from "./Table.ts"
import { Tabs } from "./Tabs.ts"

const search = byId<HTMLInputElement>("search")
/** As a link says it, which may be written by hand. */
const nameIn = (hash: string) => {
  try {
    return decodeURIComponent(hash.slice(1))
  } catch {
    return hash.slice(1)
  }
}
let shown = nameIn(location.hash)
let received = 0

const session = new Session(
  { road: "auto", interval: "" },
  {
    opened: () => open(),
    status: () => paint(),
    changed: (collection, keys) => changed(collection, keys),
    heard: (heard) => {
      const { length } = heard.text
      // Now it is a reader, too.
      if (received === 0) void operations.ask()
      received += length
      operations.note(length)
      const { at, cursor } = frames.note(heard)
      state.heard(at, cursor)
      paint()
    }
  }
)
let saidFor: ReturnType<typeof setTimeout> | undefined
/** For some seconds: later it would be of another time, or of another collection. */
const said = (text: string) => {
  clearTimeout(saidFor)
  write(byId("said"), text)
  saidFor = setTimeout(() => write(byId("said"), ""), 8_000)
}
const state = new State(session)
const frames = new Frames(session)
const chart = new Chart()
const operations = new Operations(session, said)
const tabs = new Tabs(session, (name) => choose(name))
const table = new Table({
  chosen: (chosen) =>
    chart.open(chosen, table.columns!, table.series, table.sorted.by, () => table.rowOf(chosen)),
  sorted: () => sorts()
})

/** Only what is shown is written, once a frame. */
let isDue = false
const paint = () => {
  if (isDue) return
  isDue = true
  requestAnimationFrame(() => {
    isDue = false
    table.hold(held(shown))
    state.paint(frames.lags, received)
    tabs.paint(shown)
    paintEmpty()
  })
}

const held = (name: string) => session.held(name)

const changed = (collection: Collection, keys: ReadonlySet<string>) => {
  const { name } = collection
  if (isFamily(shown) ? name.startsWith(prefixOf(shown)) : name === shown) {
    table.note(collection, keys)
    chart.note(name, keys)
  }
  paint()
}

const open = () => {
  const { described } = session
  if (!described.some(({ name }) => name === shown)) shown = described.at(-1)?.name ?? ""
  // With another query there is another connection, of which it is told anew.
  if (session.read(shown)) return
  const one = described.find(({ name }) => name === shown)
  if (one === undefined) {
    chart.clear()
    table.close()
  } else table.open(one, held(shown), () => session.all)
  tabs.make()
  paint()
}

const choose = (name: string) => {
  if (name !== shown) chart.clear()
  if (name !== shown) said("")
  shown = name
  history.replaceState(null, "", `#${encodeURIComponent(name)}`)
  open()
}

/** Why there is no row to see; `undefined` while they are waited for. */
const whyEmpty = (rows: number): string | undefined => {
  const { described, problem, token } = session
  if (problem?.status === 401 || problem?.status === 403)
    return token === ""
      ? "This daemon shows its rows to whoever may read them."
      : "With this token there is nothing to read here."
  if (problem !== undefined && described.length === 0) return sentence(problem.detail)
  const sought = search.value.trim()
  if (rows > 0)
    return table.found === 0 && sought !== "" ? `Nothing here has “${sought.slice(0, 60)}” in it.` : ""
  const one = described.find(({ name }) => name === shown)
  if (one === undefined) return undefined
  if (isFamily(shown))
    return one.kind === "polled"
      ? "No member is read now. Each is shown here while somebody reads it."
      : "No rows in any member. They are shown as soon as there are any."
  const { error = one.error, state = one.state } = session.held(shown)[0]?.status ?? {}
  if (state !== "loading") return "No rows. They are shown as soon as there are any."
  return error === undefined ? undefined : `No rows yet. ${error.detail}`
}

const paintEmpty = () => {
  const { described, problem, status } = session
  const rows = held(shown).reduce((sum, { rows }) => sum + rows.length, 0)
  const why = whyEmpty(rows)
  const needsToken = problem?.status === 401 || problem?.status === 403
  show(byId("empty"), why !== undefined && why !== "")
  write(byId("empty-text"), why ?? "")
  show(byId("empty-token"), needsToken)
  write(byId("empty-token"), session.token === "" ? "Show a token" : "Show another token")
  show(byId("skeleton"), why === undefined)
  const isThere = status?.cursor !== undefined && described.some(({ name }) => name === shown)
  write(byId("skeleton-why"), isThere ? "Waiting for the first answer of its upstream." : "")
  show(byId("tools"), described.length > 0)
  // What people write comes by itself; and a family has no upstream of its own, but each of its members.
  show(
    byId("refresh"),
    !isFamily(shown) && described.some(({ kind, name }) => name === shown && kind !== "written")
  )
  byId("grid").classList.toggle("bare", rows === 0)
}

/** On a phone there is no room for heads to click on, and elsewhere a second way. */
const sorts = () => {
  const select = byId<HTMLSelectElement>("sort")
  const { by, isDown } = table.sorted
  const options = [
    ["", "name"] as const,
    ...(table.columns?.columns ?? []).map(({ field, title }) => [field, title] as const)
  ]
  select.replaceChildren(
    ...options.flatMap(([value, label]) => [
      make("option", { value: `-${value}` }, `${label} ↓`),
      make("option", { value: `+${value}` }, `${label} ↑`)
    ])
  )
  select.value = `${isDown ? "-" : "+"}${by}`
  show(select.parentElement!, table.columns !== undefined)
}

const ask = (asked: Partial<Asked>) => session.ask(asked)

const refresh = async () => {
  const button = byId<HTMLButtonElement>("refresh")
  if (button.hidden) return
  button.disabled = true
  said(await session.refresh(shown))
  button.disabled = false
  void operations.ask()
}

const listen = () => {
  byId("switches").append(
    choices(
      "road",
      "Road",
      [
        ["auto", "Auto"],
        ["socket", "WebSocket"],
        ["stream", "SSE"],
        ["changes", "Long poll"]
      ],
      session.asked.road,
      (road) => ask({ road: road as Asked["road"] })
    ),
    choices(
      "interval",
      "Interval",
      [
        ["", "At once"],
        ["500ms", "0.5 s"],
        ["1s", "1 s"],
        ["5s", "5 s"]
      ],
      session.asked.interval,
      (interval) => ask({ interval: interval as Asked["interval"] })
    )
  )
  search.addEventListener("input", () => {
    table.seek(search.value)
    paint()
  })
  byId<HTMLSelectElement>("sort").addEventListener("change", ({ target }) => {
    const { value } = target as HTMLSelectElement
    table.sortBy({ by: value.slice(1), isDown: value.startsWith("-") })
  })
  byId("refresh").addEventListener("click", () => void refresh())
  byId("reconnect").addEventListener("click", () => session.reconnect())
  window.addEventListener("hashchange", () => choose(nameIn(location.hash)))
  const dialog = byId<HTMLDialogElement>("token")
  for (const id of ["token-open", "empty-token"]) byId(id).addEventListener("click", () => dialog.showModal())
  byId("token-form").addEventListener("submit", () => {
    const input = byId<HTMLInputElement>("token-text")
    const token = input.value.trim()
    input.value = ""
    write(byId("token-open"), token === "" ? "Token" : "Token shown")
    byId<HTMLInputElement>("switches").querySelector<HTMLInputElement>("[value=auto]")!.checked = true
    session.asked = { ...session.asked, road: "auto" }
    frames.clear()
    operations.clear()
    void session.show(token).then(() => operations.ask())
  })
  const look = byId("look")
  startLook(look, () => chart.look())
  startKeys([
    { key: "/", does: "search the rows", run: () => search.focus() },
    { key: "]", does: "next collection", run: () => tabs.step(1) },
    { key: "[", does: "collection before", run: () => tabs.step(-1) },
    {
      key: "g",
      does: "go to the rows: arrows, Page Up and Down, Enter to chart one",
      run: () => byId("grid").focus()
    },
    { key: "r", does: "refresh this collection", run: () => void refresh() },
    { key: "f", does: "frames of this connection", run: () => frames.turn() },
    { key: "t", does: "light or dark", run: () => look.click() },
    { key: "?", does: "this help", run: () => byId<HTMLDialogElement>("help").showModal() }
  ])
  setInterval(() => {
    if (document.hidden) return
    paint()
    chart.update()
    operations.paint()
  }, 1_000)
}

listen()
startExamples()
operations.start()
void session.start()
void new Simulator(() => void operations.ask()).start()
