/** The look: that of the system until somebody chooses, and then what they chose, here and next time. */
const name = "ratecast-look"
const dark = matchMedia("(prefers-color-scheme: dark)")

/** A page may be forbidden to keep anything. */
const kept = {
  get: () => {
    try {
      return localStorage.getItem(name)
    } catch {
      return null
    }
  },
  set: (look) => {
    try {
      localStorage.setItem(name, look)
    } catch {
      // Then it lasts as long as the page.
    }
  }
}

const apply = (look) => {
  if (look === "light" || look === "dark") document.documentElement.dataset.look = look
}

const isDark = () => (document.documentElement.dataset.look ?? (dark.matches ? "dark" : "light")) === "dark"

export const startTheme = (button) => {
  const mark = () => button.setAttribute("aria-pressed", String(isDark()))
  button.addEventListener("click", () => {
    const look = isDark() ? "light" : "dark"
    apply(look)
    kept.set(look)
    mark()
  })
  dark.addEventListener("change", mark)
  mark()
}

apply(kept.get())
