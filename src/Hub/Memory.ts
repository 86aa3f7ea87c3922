/** What State remembers, as a service: smaller in tests. */
import { Context } from "effect"

import { defaultMemory, type Memory } from "./State.ts"

export const HubMemory = Context.Reference<Memory>("ratecast/Hub/Memory", {
  defaultValue: () => defaultMemory
})
