/** What the examples say where there is nothing to show: it is found in the middle, in every window. */
import { assert, describe, it } from "@effect/vitest"

import { chromium, isThorough, reason } from "../Browser.ts"
import { Example } from "../examples/Example.ts"
import type { Tab } from "../Tab.ts"

const isCentred = async (tab: Tab, selector: string, text: string) => {
  await tab.shows(selector, text)
  const [middle, of, left, right] = await tab.evaluate<readonly [number, number, number, number]>(
    `(() => {
      const [text, box] = [${JSON.stringify(selector)}, "#scroll"].map((each) => document.querySelector(each).getBoundingClientRect())
      return [text.top + text.bottom, box.top + box.bottom, text.left - box.left, box.right - text.right]
    })()`
  )
  assert.closeTo(middle, of, 4, text)
  assert.closeTo(left, right, 2, text)
  assert.deepStrictEqual(tab.complaints, [])
}

describe.skipIf(chromium === undefined || !isThorough)(`empty examples in a browser${reason}`, () => {
  const chat = Example.of("chat")
  const support = Example.of("support", {
    QUIET: "1",
    JWT_SECRET: "a secret of the tests that is long enough"
  })

  for (const [width, height] of [
    [1280, 800],
    [390, 844]
  ] as const)
    it(`say so in the middle of ${width} px`, async () => {
      await isCentred(await chat.visit({ width, height }), "#nothing", "Nobody has said anything yet.")
      const [ada, desk] = await Promise.all(
        ["ada", "margaret"].map((who) => support.visit({ width, height }, `as=${who}`))
      )
      await isCentred(ada!, "#nothing", "Ask us anything")
      await isCentred(desk!, "#choose", "Choose a thread.")
      await desk!.shows("#no-threads", "Nobody has asked anything yet.")
    }, 40_000)
})
