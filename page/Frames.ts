/** The last messages of this connection, as they came; each says how to get the same by other means. */
import { copies } from "./Copies.ts"
import { byId, copy, make, mark, show, write } from "./Element.ts"
import { clock, none, plural, size, took } from "./Format.ts"
import { type Frame, frameOf, type Heard } from "./Frame.ts"
import type { Session } from "./Session.ts"

const most = 50
/** ms between two looks at them: nobody reads faster. */
const every = 250
const roadNames: { readonly [road: string]: string } = {
  socket: "WebSocket",
  stream: "SSE",
  changes: "Long poll"
}

export const roadName = (road: string): string => roadNames[road] ?? road

/** A longer one is not laid out in lines: there would be too many of them. */
const shown = 24 * 1024

const pretty = ({ length, text }: Frame): string =>
  length <= shown ? JSON.stringify(JSON.parse(text), null, 2) : `${text.slice(0, shown)}…`

export class Frames {
  readonly lags: Array<number> = []
  private readonly frames: Array<Frame> = []
  private readonly session: Session
  private readonly list = byId("frames-list")
  private readonly toggle = byId("frames-toggle")
  private isOpen = false
  private isHeld = false
  private isDue = false

  constructor(session: Session) {
    this.session = session
    this.toggle.addEventListener("click", () => this.turn())
    byId("frames-hold").addEventListener("click", () => {
      this.isHeld = !this.isHeld
      mark(byId("frames-hold"), "aria-pressed", String(this.isHeld))
      this.paint()
    })
  }

  turn(): void {
    this.isOpen = !this.isOpen
    mark(this.toggle, "aria-expanded", String(this.isOpen))
    show(byId("frames-panel"), this.isOpen)
    document.body.classList.toggle("frames-open", this.isOpen)
    this.paint()
  }

  note(heard: Heard): Frame {
    const frame = frameOf(heard, this.session.ahead)
    this.frames.unshift(frame)
    if (this.frames.length > most) this.frames.pop()
    if (frame.lag !== undefined) {
      this.lags.push(frame.lag)
      if (this.lags.length > most) this.lags.shift()
    }
    if (!this.isDue) {
      this.isDue = true
      setTimeout(() => {
        this.isDue = false
        this.paint()
      }, every)
    }
    return frame
  }

  /** What another token had shown. */
  clear(): void {
    this.frames.length = 0
    this.lags.length = 0
    this.paint()
  }

  private paint(): void {
    const [last] = this.frames
    if (last !== undefined)
      write(
        byId("frames-last"),
        `${last.type} · ${last.about} · ${size(last.length)} by ${roadName(last.road)}`
      )
    if (!this.isOpen || this.isHeld) return
    const shown = new Map([...this.list.children].map((item) => [(item as HTMLElement).dataset["at"], item]))
    const items = this.frames.map((frame) => {
      const id = `${frame.at}/${frame.cursor ?? frame.type}`
      return shown.get(id) ?? this.item(frame, id)
    })
    // What is open stays where it is, with what has the focus in it.
    const gone = [...this.list.children].filter((item) => !items.includes(item))
    for (const item of gone) item.remove()
    for (const [i, item] of items.entries())
      if (this.list.children[i] !== item) this.list.insertBefore(item, this.list.children[i] ?? null)
  }

  private item(frame: Frame, id: string): HTMLElement {
    const code = make("pre", { tabindex: "0" })
    const details = make(
      "details",
      {},
      make(
        "summary",
        {},
        make("time", {}, clock(frame.at)),
        make("span", { class: "type", "data-type": frame.type }, frame.type),
        make("span", { class: "about" }, frame.about),
        make("span", { class: "lag" }, frame.lag === undefined ? "" : took(frame.lag)),
        make("span", { class: "size" }, size(frame.length))
      )
    )
    const buttons = copies.map(([label, codeOf]) => {
      const button = make("button", { type: "button", class: "small" }, `Copy as ${label}`)
      button.addEventListener("click", () => void copy(codeOf(frame, this.session), button))
      return button
    })
    const whole = make("button", { type: "button", class: "small" }, "Copy JSON")
    whole.addEventListener("click", () => void copy(frame.text, whole, code))
    if (!frame.isWhole) {
      whole.disabled = true
      write(whole, `JSON: only ${size(frame.text.length)} of ${size(frame.length)} are kept`)
    }
    details.append(
      make(
        "div",
        { class: "copies" },
        ...buttons,
        whole,
        make("span", { class: "quiet" }, `cursor ${frame.cursor ?? none}`)
      ),
      code
    )
    // Written when somebody looks.
    details.addEventListener("toggle", () => write(code, details.open ? pretty(frame) : ""))
    return make("li", { "data-at": id, title: plural(frame.length, "character") }, details)
  }
}
