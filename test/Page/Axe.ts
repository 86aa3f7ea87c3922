/** axe-core in a tab, by the rules of WCAG 2.2 AA. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

import type { Tab } from "../Tab.ts"

const source = readFileSync(join(import.meta.dirname, "../../node_modules/axe-core/axe.min.js"), "utf8")

/** What it finds that is serious or critical: the rule, and what of the page it is about. */
export const grave = async (tab: Tab): Promise<ReadonlyArray<string>> => {
  // By the protocol: the page lets no script in that is not its own.
  await tab.evaluate(source)
  return tab.evaluate(`
    axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then(({ violations }) =>
      violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => id + " " + target.join(" ") + ": " + failureSummary)))`)
}
