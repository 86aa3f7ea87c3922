/** The recipes of docs/client for frameworks that need no binding, as written: in a real Chromium, TanStack DB in Node. */
import { afterEach, assert, describe, it, vi } from "@effect/vitest"

import { chromium, patience, reason } from "../Browser.ts"
import { until } from "../Daemon.ts"
import { bundled, filesOf, imported } from "./Recipes.ts"
import { Frontend } from "./Frontend.ts"

const mounts = {
  swr: `
    import { StrictMode } from "react"
    import { createRoot } from "react-dom/client"
    import { Rates } from "./Rates.tsx"
    const root = createRoot(document.getElementById("root"))
    root.render(<StrictMode><Rates /></StrictMode>)
    globalThis.leave = () => root.unmount()`,
  vue: `
    import { createApp } from "vue"
    import Rates from "./Rates.vue"
    const app = createApp(Rates)
    app.mount("#root")
    globalThis.leave = () => app.unmount()`,
  svelte: `
    import { mount, unmount } from "svelte"
    import Rates from "./Rates.svelte"
    const app = mount(Rates, { target: document.getElementById("root") })
    globalThis.leave = () => unmount(app)`
}

describe("recipes", () => {
  const frontend = Frontend.of()
  afterEach(() => void vi.unstubAllGlobals())

  describe.skipIf(chromium === undefined)(`in a browser${reason}`, () => {
    it.each(Object.keys(mounts) as ReadonlyArray<keyof typeof mounts>)(
      "docs/client/%s.md shows the rates, what becomes of them, and leaves nothing behind",
      async (name) => {
        frontend.price("TON", "1.00")
        const files = new Map([...filesOf(`${name}.md`), ["page.tsx", mounts[name]]])
        const tab = await frontend.visit(await bundled(files, "page.tsx", "browser"))
        await tab.shows("li:nth-child(3)", "TON 1.00")
        frontend.price("TON", "2.00")
        await tab.shows("li:nth-child(3)", "TON 2.00")
        frontend.price("SOL", "3.00")
        await tab.shows("li:nth-child(3)", "SOL 3.00")
        await tab.shows("li:nth-child(4)", "TON 2.00")
        frontend.remove("SOL")
        await tab.holds("one less", `document.querySelectorAll("li").length === 3`)
        if (name !== "swr") await tab.shows("h1", "live")
        assert.strictEqual(await tab.evaluate("sockets.length"), 1)
        await tab.evaluate("void leave()")
        await tab.holds("the end of it", "sockets.every(({ readyState }) => readyState === WebSocket.CLOSED)")
        assert.deepStrictEqual(tab.complaints, [])
      }
    )
  })

  it("docs/client/tanstack-db.md holds the rates, and what is asked of them", async () => {
    interface Held {
      readonly toArray: ReadonlyArray<{ readonly symbol: string; readonly usd: string }>
      readonly status: string
      readonly preload: () => Promise<void>
      readonly subscribeChanges: (told: () => void) => { readonly unsubscribe: () => void }
      readonly cleanup: () => Promise<void>
    }
    vi.stubGlobal("location", { href: frontend.url })
    const files = new Map([
      ...filesOf("tanstack-db.md"),
      ["all.ts", `export * from "./cast.ts"\nexport * from "./rates.ts"`]
    ])
    const { cast, rates, sorted, ton } = await imported<{
      cast: { readonly close: () => void }
      rates: Held
      sorted: Held
      ton: Held
    }>(files, "all.ts", frontend.folder)
    frontend.price("TON", "1.00")
    let told = 0
    const changes = rates.subscribeChanges(() => told++)
    await ton.preload()
    await sorted.preload()
    const symbols = () => rates.toArray.map(({ symbol }) => symbol).toSorted()
    await until("the rates", () => symbols().join() === "BTC,ETH,TON", patience)
    frontend.price("TON", "5.00")
    await until("the price", () => ton.toArray[0]?.usd === "5.00", patience)
    frontend.price("SOL", "3.00")
    await until("one more", () => symbols().includes("SOL"), patience)
    assert.deepStrictEqual(
      sorted.toArray.map(({ symbol }) => symbol),
      ["BTC", "ETH", "SOL", "TON"]
    )
    frontend.remove("SOL")
    await until("one less", () => symbols().length === 3, patience)
    assert.isAtLeast(told, 3)
    assert.strictEqual(rates.status, "ready")
    cast.close()
    await until("what is for good", () => rates.status === "error", patience)
    changes.unsubscribe()
    await sorted.cleanup()
    await ton.cleanup()
    await rates.cleanup()
  })
})
