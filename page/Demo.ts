/**
 * What is there in the demo alone: switches of the simulated backend, and the other example systems. Where they are is
 * written into the page by `npm start`; a page that was not told asks nobody but its daemon.
 */
import { byId, choices, copy, make, mark, show, write } from "./Element.ts"

const faults: { readonly [name: string]: object } = {
  none: { kind: "none" },
  slow: { kind: "slow", ms: 4_000 },
  status: { kind: "status", status: 503 }
}
const simulatorEvery = 10_000
const examplesEvery = 3_000

const loopback = new Set(["127.0.0.1", "localhost"])

/** On this computer alone: a page from elsewhere must not knock. As in index.html: a policy can name no address of IPv6. */
const simulatorUrl = (): string | undefined => {
  const given =
    new URLSearchParams(location.search).get("simulator") ?? document.documentElement.dataset["simulator"]
  const url = given === undefined ? null : URL.parse(given)
  return url !== null && loopback.has(url.hostname) ? url.href.replace(/\/+$/, "") : undefined
}

export class Simulator {
  private readonly url = simulatorUrl()
  private readonly tell: () => void

  /** `tell`: something was switched. */
  constructor(tell: () => void) {
    this.tell = tell
  }

  async start(): Promise<void> {
    if (this.url === undefined) return
    byId("simulator").append(
      choices(
        "fault",
        "Simulated backend",
        [
          ["none", "Well"],
          ["slow", "Slow"],
          ["status", "Broken"]
        ],
        "none",
        (value) => void this.set(faults[value]!)
      )
    )
    await this.look()
    setInterval(() => document.hidden || void this.look(), simulatorEvery)
  }

  private async look(): Promise<void> {
    try {
      const { fault } = (await (await fetch(`${this.url}/sim/state`)).json()) as {
        readonly fault: { readonly kind: string }
      }
      // Somebody may have chosen a fault for which there is no button.
      for (const input of byId("simulator").querySelectorAll("input"))
        input.checked = input.value === fault.kind
      show(byId("simulator"), true)
    } catch {
      show(byId("simulator"), false)
    }
  }

  private async set(fault: object): Promise<void> {
    try {
      // No content type of its own: the request stays simple, and no preflight precedes it.
      await fetch(`${this.url}/sim/fault`, { method: "POST", body: JSON.stringify(fault) })
    } finally {
      await this.look()
      this.tell()
    }
  }
}

const examples = [
  ["chat", "Chat", "Everybody writes, history behind a live window."],
  ["support", "Support", "Private threads, a desk that sees all of them."],
  ["sharing-centre", "Sharing centre", "What takes long pops up when it is done."],
  ["menu", "Menu", "A Redux Toolkit Query app goes live."]
] as const

/** Tabs to the other systems: those that run are links, of the others it is said how they start. */
export const startExamples = (): void => {
  const nav = byId("systems")
  if (document.documentElement.dataset["demo"] === undefined) return
  show(nav, true)
  const dialog = byId<HTMLDialogElement>("start")
  const command = make("code", { tabindex: "0" })
  const copied = make("button", { type: "button" }, "Copy")
  copied.addEventListener("click", () => void copy(command.textContent, copied, command))
  byId("start-command").append(command, copied)
  const tabs = new Map<string, HTMLAnchorElement>()
  for (const [name, label, about] of examples) {
    const tab = make(
      "a",
      { href: "#", "data-system": name },
      label,
      make("span", { class: "dot", "aria-hidden": "true" })
    )
    tab.addEventListener("click", (event) => {
      if (tab.dataset["url"] !== undefined) return
      event.preventDefault()
      write(byId("start-title"), label)
      write(byId("start-about"), about)
      write(command, `npm start ${name}`)
      dialog.showModal()
    })
    nav.append(tab)
    tabs.set(name, tab)
  }
  const look = async () => {
    const running = await fetch("examples.json", { cache: "no-store" }).then(
      (answer): Promise<{ readonly [name: string]: string }> =>
        answer.ok ? answer.json() : Promise.resolve({}),
      (): { readonly [name: string]: string } => ({})
    )
    for (const [name, tab] of tabs) {
      const url = running[name]
      mark(tab, "data-url", url)
      mark(tab, "href", url ?? "#")
      mark(tab, "target", url === undefined ? undefined : "_blank")
      mark(tab, "rel", url === undefined ? undefined : "noopener")
      tab.title = url === undefined ? `Does not run; npm start ${name}` : `Runs at ${url}`
    }
  }
  void look()
  setInterval(() => document.hidden || void look(), examplesEvery)
}
