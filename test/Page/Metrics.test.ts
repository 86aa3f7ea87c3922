import { assert, describe, it } from "@effect/vitest"

import { RawCost, readMetrics } from "../../page/Metrics.ts"

const metrics = (polls: number, failed: number) => `# HELP upstream_body_size Size
upstream_body_size{source="pools"} 1000
upstream_body_size{source="a \\"b\\",c=\\\\"} 10
upstream_polls_total{source="pools",outcome="changed"} ${polls}
upstream_polls_total{source="pools",outcome="unchanged"} 5
upstream_polls_total{source="pools",outcome="upstream_status"} ${failed}
upstream_polls_total{source="young",outcome="upstream_status"} 1
upstream_breaker_open{source="pools"} 1
upstream_last_poll_seconds{source="pools"} 0.25
upstream_next_poll_timestamp_seconds{source="young"} 0
hub_readers 3
hub_road_readers{road="socket"} 2
hub_message_bytes_total{framing="events"} 40
hub_message_bytes_total{framing="socket"} 2
`

const told = (polls: number, notModified: number) => `upstream_body_size{source="menu"} 12000
upstream_polls_total{source="menu",outcome="changed"} 1
upstream_polls_total{source="menu",outcome="unchanged"} ${polls - 1}
upstream_not_modified_total{source="menu"} ${notModified}
`

describe("the daemon's metrics on the page", () => {
  it("say what polling would have cost: each source once, then every poll that was answered, also over a restart", () => {
    const cost = new RawCost()
    const totals = [metrics(100, 0), metrics(102, 9), metrics(102, 9), metrics(1, 0)].map((text) => {
      cost.add(readMetrics(text).sources)
      return cost.total
    })
    assert.deepStrictEqual(totals, [1010, 3010, 3010, 9010])
  })

  it("say it as a browser would poll: what is answered by 304 brings no body again", () => {
    const cost = new RawCost()
    // The third was read after an answer was counted, and before its poll was.
    const totals = [told(10, 9), told(28, 27), told(28, 28), told(29, 28), told(31, 29), told(2, 1)].map(
      (text) => {
        cost.add(readMetrics(text).sources)
        return cost.total
      }
    )
    assert.deepStrictEqual(totals, [12_000, 12_000, 12_000, 12_000, 24_000, 36_000])
    assert.deepStrictEqual(cost.fetches.get("menu"), { polls: 24, bodies: 3, size: 12_000 })
  })

  it("say how sources and readers are", () => {
    const { bytes, readers, roads, sources } = readMetrics(metrics(1, 4))
    assert.deepStrictEqual([...sources.keys()], ["pools", `a "b",c=\\`, "young"])
    const { failures, isOpen, polls, took } = sources.get("pools")!
    assert.deepStrictEqual([failures, isOpen, polls, took], [4, true, 6, 250])
    assert.isUndefined(sources.get("young")!.nextAt)
    assert.deepStrictEqual([bytes, readers, roads.get("socket")], [42, 3, 2])
  })
})
