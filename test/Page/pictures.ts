/** `npm run pictures -- http://127.0.0.1:8080/`: makes the README's pictures anew, of a demo that runs there. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"

import { Browser, chromium } from "../Browser.ts"
import { Tab } from "../Tab.ts"

const [url] = process.argv.slice(2)
if (url === undefined || chromium === undefined) {
  console.error(
    url === undefined
      ? "say where a demo runs: npm run pictures -- http://127.0.0.1:8080/"
      : "there is no Chromium in /usr/bin, and none in CHROMIUM"
  )
  process.exit(2)
}

/** Until the chart and the small ones have something to show, ms. */
const patience = 90_000
const folder = join(import.meta.dirname, "../../docs/images")
const wide = { width: 1440, height: 900 }
const dark = { "prefers-color-scheme": "dark" }
const pictures = [
  ["page-light", wide, { "prefers-color-scheme": "light" }],
  ["page-dark", wide, dark],
  ["page-phone", { width: 390, height: 844 }, dark]
] as const

const browser = new Browser(chromium)
const take = async ([name, size, media]: (typeof pictures)[number]) => {
  const tab = await Tab.open(browser, `${url}#rates`, { ...size, media })
  await new Promise((done) => setTimeout(done, patience))
  const options = { format: "webp", quality: 82 }
  const { data } = await tab.call<{ readonly data: string }>("Page.captureScreenshot", options)
  writeFileSync(join(folder, `${name}.webp`), Buffer.from(data, "base64"))
}
await Promise.all(pictures.map(take))
await browser.close()
console.log(`${pictures.map(([name]) => `${name}.webp`).join(", ")} in ${folder}`)
