import { assert, describe, it } from "@effect/vitest"

import { load } from "./Messages.ts"

const { RawCost, readMetrics } = await load<{
  readonly RawCost: new () => { readonly total: number; readonly add: (sources: unknown) => void }
  readonly readMetrics: (text: string) => { readonly readers?: number; readonly sources: unknown }
}>("metrics.js")

const metrics = (polls: number, failed: number) => `# HELP upstream_body_size Size
upstream_body_size{source="pools"} 1000
upstream_body_size{source="a \\"b\\",c=\\\\"} 10
upstream_polls_total{source="pools",outcome="changed"} ${polls}
upstream_polls_total{source="pools",outcome="unchanged"} 5
upstream_polls_total{source="pools",outcome="upstream_status"} ${failed}
upstream_polls_total{source="young",outcome="upstream_status"} 1
hub_readers 3
`

describe("metrics.js says what polling would have cost", () => {
  it("counts each source once to begin with, then every poll that was answered, also over a restart", () => {
    const cost = new RawCost()
    const totals = [metrics(100, 0), metrics(102, 9), metrics(102, 9), metrics(1, 0)].map((text) => {
      cost.add(readMetrics(text).sources)
      return cost.total
    })
    assert.deepStrictEqual(totals, [1010, 3010, 3010, 9010])
    assert.strictEqual(readMetrics(metrics(1, 1)).readers, 3)
  })
})
