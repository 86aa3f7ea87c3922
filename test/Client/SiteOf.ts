/** A site for the tests of one `describe`. */
import { afterAll, afterEach, beforeAll } from "@effect/vitest"

import { Site } from "./Site.ts"

export const siteOf = (env: { readonly [name: string]: string } = {}): Site => {
  const site = new Site(env)
  beforeAll(() => site.open(), 60_000)
  afterEach(() => site.leave(), 30_000)
  afterAll(() => site.close(), 30_000)
  return site
}
