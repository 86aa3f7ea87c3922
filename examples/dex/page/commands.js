/** The same by hand: commands to copy, for the address that this page came from. */
import { byId, make } from "./element.js"

const commands = [
  ["Watch", (at) => `curl -N '${at}v1/stream?collections=rates'`],
  ["Fetch once", (at) => `curl '${at}v1/snapshot?collections=rates'`],
  ["Wait for the next change", (at) => `curl -i '${at}v1/changes?collections=rates&since=now'`]
]

export const showCommands = () => {
  const at = new URL(".", document.baseURI).href
  for (const [label, command] of commands) {
    const code = make("code", { tabindex: "0" }, command(at))
    const button = make("button", { type: "button" }, "Copy")
    button.setAttribute("aria-label", `Copy: ${label.toLowerCase()}`)
    button.addEventListener("click", () => copy(code, button))
    byId("commands").append(make("li", {}, make("span", {}, label), code, button))
  }
}

const copy = async (code, button) => {
  try {
    await navigator.clipboard.writeText(code.textContent)
    button.textContent = "Copied"
  } catch {
    // Without a secure origin there is no clipboard: selected, it is one key away.
    getSelection().selectAllChildren(code)
    button.textContent = "Selected"
  }
  setTimeout(() => (button.textContent = "Copy"), 1500)
}
