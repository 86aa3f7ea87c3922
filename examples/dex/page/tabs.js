/** Tabs after the pattern of the ARIA guide: arrows move, one stop for the tab key. */
import { show } from "./element.js"

export const startTabs = (list, chosen) => {
  const tabs = [...list.querySelectorAll("[role=tab]")]
  const choose = (tab) => {
    for (const each of tabs) {
      each.setAttribute("aria-selected", String(each === tab))
      each.tabIndex = each === tab ? 0 : -1
      show(document.getElementById(each.getAttribute("aria-controls")), each === tab)
    }
    chosen(tab.dataset.shows)
  }
  list.addEventListener("click", ({ target }) => {
    const tab = target.closest("[role=tab]")
    if (tab !== null) choose(tab)
  })
  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(document.activeElement)
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key]
    if (next === undefined || at === -1) return
    event.preventDefault()
    const tab = tabs.at(next % tabs.length)
    tab.focus()
    choose(tab)
  })
  choose(tabs[0])
}
