/** The sharing centre as people use it, in a real Chromium, over `npm start sharing-centre` and its jobs backend. */
import { assert, describe, it } from "@effect/vitest"

import { chromium, isThorough, reason } from "../../Browser.ts"
import { until } from "../../Daemon.ts"
import type { Tab } from "../../Tab.ts"
import { Example } from "../Example.ts"

const words = (tab: Tab) => tab.texts("#jobs .word")
const toasts = (tab: Tab) => tab.texts(".toast strong")

describe.skipIf(chromium === undefined)(`the sharing centre in a browser${reason}`, () => {
  const key = "a key of the tests, long enough"
  const example = Example.of("sharing-centre", { QUIET: "1", API_KEY: key })
  const visit = async (order: string) => {
    const tab = await example.visit({}, `&order=${order}`)
    await tab.shows("#state", "Live")
    return tab
  }
  const put = (id: string, order: string, state: string, at: number, progress = 0, reason?: string) =>
    example.ask("PUT", `v1/rows/jobs/${id}`, { id, order, what: "PDF", state, progress, at, reason }, key)

  it("shows two browsers of one order how a job goes, and when it is ready; another order hears nothing", async () => {
    const [first, second, other] = [await visit("1001"), await visit("1001"), await visit("1002")]
    await first.click("[data-what=PDF]")
    for (const tab of [first, second]) {
      await tab.shows("#jobs", "PDF")
      await tab.shows(".toast", "PDF is ready")
      assert.deepStrictEqual(await words(tab), ["Done"])
      assert.deepStrictEqual(tab.complaints, [])
    }
    assert.deepStrictEqual(await words(other), [])
    assert.deepStrictEqual(await toasts(other), [])
  }, 40_000)

  for (const [width, height] of [
    [800, 600],
    [390, 700]
  ] as const)
    it.skipIf(!isThorough)(
      `covers no reason of a failed job with what pops up, on ${width} × ${height}`,
      async () => {
        const order = `covered-${width}`
        const tab = await example.visit({ width, height }, `&order=${order}`)
        await tab.shows("#state", "Live")
        for (let i = 10; i < 26; i++)
          await put(`${order}-${i}`, order, "failed", Date.now(), 60, "the recipient's server did not answer")
        await until("all rows", async () => (await words(tab)).length === 16, 10_000)
        assert.lengthOf(await toasts(tab), 3)
        // Of rows that are in sight, and of all when they are scrolled to.
        const [seen, covered] = await tab.evaluate<readonly [number, ReadonlyArray<string>]>(`(() => {
        const box = document.querySelector("main").getBoundingClientRect()
        const inSight = [...document.querySelectorAll(".job-state .quiet")].filter((reason) => {
          const { bottom, top } = reason.getBoundingClientRect()
          return top >= box.top && bottom <= Math.min(box.bottom, innerHeight)
        })
        const isCovered = (reason) => {
          const { left, top, width, height } = reason.getBoundingClientRect()
          return document.elementFromPoint(left + width / 2, top + height / 2) !== reason
        }
        const covered = inSight.filter(isCovered)
        const last = [...document.querySelectorAll(".job-state .quiet")].at(-1)
        last.scrollIntoView({ block: "end" })
        if (isCovered(last)) covered.push(last)
        return [inSight.length, covered.map((reason) => reason.closest("tr").dataset.key)]
      })()`)
        assert.isAtLeast(seen, 2)
        assert.deepStrictEqual(covered, [])
        assert.deepStrictEqual(tab.complaints, [])
      },
      40_000
    )

  it.skipIf(!isThorough)(
    "paints a job that changes all the time no more often than every three seconds",
    async () => {
      const tab = await visit("busy")
      await tab.evaluate(`
      window.paints = []
      new MutationObserver(() => paints.push(Date.now())).observe(document.querySelector("#jobs tbody"), {
        subtree: true, attributes: true, attributeFilter: ["value", "data-state"]
      })`)
      const end = Date.now() + 7_500
      let puts = 0
      while (Date.now() < end) {
        await put("busy", "busy", "running", Date.now(), ++puts % 100)
        await new Promise((done) => setTimeout(done, 100))
      }
      const paints = await tab.evaluate<ReadonlyArray<number>>("paints")
      assert.isAbove(puts, 30)
      assert.isAtLeast(paints.length, 2)
      // Several marks of one row are one paint.
      const moments = paints.filter((at, i) => i === 0 || at - paints[i - 1]! > 100)
      assert.isAtMost(moments.length, 4)
      for (const [i, at] of moments.entries()) if (i > 0) assert.isAtLeast(at - moments[i - 1]!, 2_800)
    },
    40_000
  )

  it.skipIf(!isThorough)(
    "after a reconnect tells only the newest, and pops up nothing older than a minute",
    async () => {
      const now = Date.now()
      await put("old", "away", "running", now)
      await put("new", "away", "running", now)
      const tab = await visit("away")
      await until("both", async () => (await words(tab)).join() === "Running,Running")
      await tab.evaluate(`
      window.neverReloaded = true
      window.seen = []
      new MutationObserver(() => seen.push(document.querySelector("[data-key=new] .word").textContent)).observe(
        document.querySelector("#jobs"), { subtree: true, childList: true, characterData: true })`)
      await example.stop(true)
      await tab.shows("#state", "Reconnecting")
      await example.serve()
      // The page comes back within a second or more; whatever is written before that is one change.
      await put("old", "away", "done", now - 90_000, 100)
      await put("new", "away", "failed", Date.now())
      await tab.shows("#state", "Live")
      await until(
        "both have ended",
        async () => (await words(tab)).toSorted().join() === "Done,Failed",
        10_000
      )
      assert.deepStrictEqual(await toasts(tab), ["PDF failed"])
      assert.isTrue(await tab.evaluate<boolean>("window.neverReloaded === true"))
      const later = await visit("away")
      await until("the table", async () => (await words(later)).length === 2)
      assert.deepStrictEqual(await toasts(later), [], "that was before this page was opened")
      assert.deepStrictEqual(later.complaints, [])
    },
    60_000
  )
})
