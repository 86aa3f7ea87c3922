/** What the keyboard does beyond Tab and Enter; listed by `?`, and switched off where single keys are in somebody's way. */
import { byId, make } from "./Element.ts"
import { kept } from "./Look.ts"

const name = "ratecast-keys"

export interface Key {
  readonly key: string
  readonly does: string
  readonly run: () => void
}

const isWriting = (target: EventTarget | null): boolean =>
  target instanceof Element &&
  target.closest("input:not([type=radio]):not([type=checkbox]), select, textarea") !== null

export const startKeys = (keys: ReadonlyArray<Key>): void => {
  const help = byId<HTMLDialogElement>("help")
  const isOn = byId<HTMLInputElement>("keys-on")
  isOn.checked = kept.get(name) !== "off"
  isOn.addEventListener("change", () => kept.set(name, isOn.checked ? "on" : "off"))
  for (const { does, key } of keys)
    byId("keys").append(make("div", {}, make("dt", {}, make("kbd", {}, key)), make("dd", {}, does)))
  byId("help-open").addEventListener("click", () => help.showModal())
  for (const dialog of document.querySelectorAll("dialog"))
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close())
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target)) return
    if (document.querySelector("dialog[open]") !== null || !isOn.checked) return
    const found = keys.find(({ key }) => key === event.key)
    if (found === undefined) return
    event.preventDefault()
    found.run()
  })
}
