/** Names of written collections whose rows may be deleted where the config has no place for them any more. */
import { Context } from "effect"

export const Forgettable = Context.Reference<ReadonlySet<string>>("ratecast/Hub/Forgettable", {
  defaultValue: () => new Set()
})
