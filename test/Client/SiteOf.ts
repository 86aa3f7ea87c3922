/** A site for the tests of one `describe`. */
import { afterAll, afterEach, beforeAll } from "@effect/vitest"

import { chromium } from "../Browser.ts"
import { Site } from "./Site.ts"

/** Ends the name of what is skipped without a browser, so that a report says why. */
export const reason =
  chromium === undefined ? " (skipped: no Chromium in /usr/bin, and none in CHROMIUM)" : ""
/** Whether there is time for what takes half a minute: `npm run test:browser`. */
export const isThorough = process.env["RATECAST_BROWSER"] === "all"

export const siteOf = (env: { readonly [name: string]: string } = {}): Site => {
  const site = new Site(env)
  beforeAll(() => site.open(), 60_000)
  afterEach(() => site.leave(), 30_000)
  afterAll(() => site.close(), 30_000)
  return site
}
