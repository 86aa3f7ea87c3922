/** Menus of companies: that one has changed is told here; the menu itself stays where it is, in its own backend. */
import { Schema } from "effect"
import { defineConfig, written } from "ratecast"

const Event = Schema.Struct({
  company: Schema.String,
  event: Schema.Literal("MENU_UPDATE_END"),
  /** Of the menu that is there since then. */
  version: Schema.Int,
  /** ms since 1970 */
  at: Schema.Int
})

/** The last event of each company: who was away for ten of them needs to hear of one. */
const menuEvents = written({ key: "company", row: Event })

export default defineConfig({ collections: { menuEvents } })
