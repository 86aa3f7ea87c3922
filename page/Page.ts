/** The page: one session, and everything that shows what it reads. */
import type { Collection } from "../client/Cast.ts"
import { Chart } from "./Chart.ts"
import { startExamples, Simulator } from "./Demo.ts"
import { byId, choices, make, mark, show, write } from "./Element.ts"
import { whole } from "./Format.ts"
import { Frames } from "./Frames.ts"
import { startKeys } from "./Keys.ts"
import { startLook } from "./Look.ts"
import { Operations } from "./Operations.ts"
import { type Asked, isFamily, Session } from "./Session.ts"
import { State } from "./State.ts"
import { Table } from "./Table.ts"

const search = byId<HTMLInputElement>("search")
const tabs = byId("tabs")
let shown = location.hash.slice(1)
let received = 0

const session = new Session(
  { road: "auto", interval: "" },
  {
    opened: () => open(),
    status: () => paint(),
    changed: (collection, keys) => changed(collection, keys),
    heard: (heard) => {
      const { length } = heard.text
      received += length
      operations.note(length)
      const { at, cursor } = frames.note(heard)
      state.heard(at, cursor)
      paint()
    }
  }
)
const said = (text: string) => {
  write(byId("said"), text)
}
const state = new State(session)
const frames = new Frames(session)
const chart = new Chart()
const operations = new Operations(session, said)
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
    state.paint(frames.lags, received)
    paintTabs()
    paintEmpty()
  })
}

const held = (name: string) => session.held(name)

const changed = (collection: Collection, keys: ReadonlySet<string>) => {
  if (held(shown).includes(collection)) {
    table.note(collection, keys)
    chart.note(collection.name, keys)
  }
  paint()
}

const open = () => {
  const { described } = session
  if (!described.some(({ name }) => name === shown)) shown = described.at(-1)?.name ?? ""
  const one = described.find(({ name }) => name === shown)
  if (one === undefined) {
    chart.clear()
    table.close()
  } else table.open(one, held(shown), () => session.all)
  makeTabs()
  paint()
}

const choose = (name: string) => {
  if (name !== shown) chart.clear()
  shown = name
  history.replaceState(null, "", `#${encodeURIComponent(name)}`)
  session.read(name)
  open()
}

const makeTabs = () => {
  const names = session.described.map(({ name }) => name)
  const there = [...tabs.children].map((tab) => (tab as HTMLElement).dataset["name"])
  if (names.join("\n") === there.join("\n")) return
  tabs.replaceChildren(
    ...session.described.map(({ kind, name }) => {
      const tab = make(
        "button",
        { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "rows", "data-name": name },
        make("span", { class: "dot", "aria-hidden": "true" }),
        make("span", { class: "label" }, name),
        make("span", { class: "kind" }, kind),
        make("span", { class: "count" }),
        make("span", { class: "unseen state" })
      )
      tab.addEventListener("click", () => choose(name))
      return tab
    })
  )
}

/** In its row alone: the page stays where it is. */
const reveal = (tab: HTMLElement) => {
  const { clientWidth, scrollLeft } = tabs
  if (tab.offsetLeft < scrollLeft) tabs.scrollLeft = tab.offsetLeft
  else if (tab.offsetLeft + tab.offsetWidth > scrollLeft + clientWidth)
    tabs.scrollLeft = tab.offsetLeft + tab.offsetWidth - clientWidth
}

const paintTabs = () => {
  for (const tab of tabs.children as HTMLCollectionOf<HTMLElement>) {
    const one = session.described.find(({ name }) => name === tab.dataset["name"])
    if (one === undefined) continue
    const own = isFamily(one.name) ? undefined : held(one.name)[0]
    const isConnected = session.status?.state === "live" || session.status?.state === "connecting"
    const known = own?.status.state ?? one.state
    const tone =
      known === "live" && !isConnected
        ? held(one.name).length > 0 && session.status?.retryAt !== undefined
          ? "offline"
          : known
        : known
    mark(tab.querySelector(".dot")!, "data-tone", tone)
    write(tab.querySelector(".state")!, tone)
    write(tab.querySelector(".count")!, whole(own === undefined ? one.rows : own.rows.length))
    const isShown = one.name === shown
    if (isShown && tab.getAttribute("aria-selected") !== "true") reveal(tab)
    mark(tab, "aria-selected", String(isShown))
    mark(tab, "tabindex", isShown ? "0" : "-1")
  }
}

const paintEmpty = () => {
  const { described, problem } = session
  const rows = held(shown).reduce((sum, { rows }) => sum + rows.length, 0)
  const one = described.find(({ name }) => name === shown)
  const own = held(shown)[0]?.status
  const isLoading = problem === undefined && (one === undefined || (own?.state ?? one.state) === "loading")
  const needsToken = problem?.status === 401 || problem?.status === 403
  const text = needsToken
    ? "This daemon shows its rows to whoever may read them."
    : problem !== undefined && described.length === 0
      ? problem.detail
      : rows === 0
        ? isLoading
          ? own?.error !== undefined
            ? `No rows yet. ${own.error.detail}`
            : ""
          : "No rows. They are shown as soon as there are any."
        : table.found === 0 && search.value.trim() !== ""
          ? `Nothing here has “${search.value.trim().slice(0, 60)}” in it.`
          : ""
  const isEmpty = text !== ""
  show(byId("empty"), isEmpty)
  write(byId("empty-text"), text)
  show(byId("empty-token"), needsToken)
  show(byId("skeleton"), rows === 0 && !isEmpty)
  byId("grid").classList.toggle("bare", rows === 0)
}

/** On a phone there is no room for heads to click on, and elsewhere a second way. */
const sorts = () => {
  const select = byId<HTMLSelectElement>("sort")
  const { by, isDown } = table.sorted
  const options = [
    ["", "name"] as const,
    ...(table.columns?.columns ?? []).map(({ field }) => [field, field] as const)
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
  if (shown === "" || isFamily(shown)) return
  const button = byId<HTMLButtonElement>("refresh")
  button.disabled = true
  said(await session.refresh(shown))
  button.disabled = false
  void operations.ask()
}

const step = (by: number) => {
  const names = session.described.map(({ name }) => name)
  const next = names[(names.indexOf(shown) + by + names.length) % names.length]
  if (next !== undefined) choose(next)
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
      (interval) => ask({ interval })
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
  tabs.addEventListener("keydown", (event) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0
    if (by === 0) return
    event.preventDefault()
    step(by)
    tabs.querySelector<HTMLElement>("[tabindex='0']")?.focus()
    requestAnimationFrame(() => tabs.querySelector<HTMLElement>("[aria-selected=true]")?.focus())
  })
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
    { key: "]", does: "next collection", run: () => step(1) },
    { key: "[", does: "collection before", run: () => step(-1) },
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
