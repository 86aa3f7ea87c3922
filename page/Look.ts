/** The look: that of the system until somebody chooses, and then what they chose, here and next time. */
const name = "ratecast-look"

/** A page may be forbidden to keep anything; then it lasts as long as the page. */
export const kept = {
  get: (key: string): string | null => {
    try {
      return localStorage.getItem(key)
    } catch {
      return null
    }
  },
  set: (key: string, value: string): void => {
    try {
      localStorage.setItem(key, value)
    } catch {
      // As said.
    }
  }
}

const dark = matchMedia("(prefers-color-scheme: dark)")

const apply = (look: string | null) => {
  if (look === "light" || look === "dark") document.documentElement.dataset["look"] = look
}

export const isDark = (): boolean =>
  (document.documentElement.dataset["look"] ?? (dark.matches ? "dark" : "light")) === "dark"

/** `changed`: for what is drawn by scripts, which does not follow by itself. */
export const startLook = (button: HTMLElement, changed: () => void): void => {
  const tell = () => {
    button.setAttribute("aria-pressed", String(isDark()))
    changed()
  }
  button.addEventListener("click", () => {
    const look = isDark() ? "light" : "dark"
    apply(look)
    kept.set(name, look)
    tell()
  })
  dark.addEventListener("change", tell)
  tell()
}

apply(kept.get(name))
