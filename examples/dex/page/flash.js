/** A tint that fades: green where a value rose, red where it fell. Who asked for less motion gets none. */
const still = matchMedia("(prefers-reduced-motion: reduce)")

export const flash = (element, difference) => {
  if (still.matches) return
  const tint = difference > 0 ? "var(--up)" : difference < 0 ? "var(--down)" : "var(--other)"
  element.animate([{ backgroundColor: tint }, { backgroundColor: tint, offset: 0.25 }, {}], {
    duration: 1200,
    easing: "ease-out"
  })
}
