/** Variables that are nearly settings, and those that only look so. */
import { readFileSync } from "node:fs"
import { join } from "node:path"

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import { misspelt, settingNames } from "../../src/Settings.ts"
import { root } from "../Project.ts"

const names = Effect.runSync(settingNames)

describe("a variable that is nearly a setting", () => {
  for (const [name, meant] of [
    ["MAX_CONECTIONS", "MAX_CONNECTIONS"],
    ["RATECAST_THREAD", "RATECAST_THREADS"],
    ["ANONYMOUS_RAED", "ANONYMOUS_READ"],
    ["anonymous_read", "ANONYMOUS_READ"],
    ["ANONYMOUSREAD", "ANONYMOUS_READ"],
    ["JWT_SECRT_FIEL", "JWT_SECRET_FILE"],
    ["ORIGIN", "ORIGINS"]
  ] as const)
    it(`is named with the one that is meant: ${name}`, () => {
      assert.deepStrictEqual(misspelt([name, "HOME"], names), [{ name, meant }])
    })

  it("is left alone where the one that may be meant is set, too", () => {
    assert.deepStrictEqual(misspelt(["LOG_LEVEL", "LOGLEVEL"], names), [])
  })

  it("is none of what machines, shells and other programs set", () => {
    const others =
      "PATH HOME PWD OLDPWD LANG LOGNAME USER SHELL TERM PAGER EDITOR HOSTNAME HOSTS PORTS PAGES SSL_CERT_FILE SSL_CERT_DIR " +
      "NODE_ENV NODE_OPTIONS npm_config_cache KUBERNETES_PORT KUBERNETES_SERVICE_HOST REDIS_PORT DATABASE_URL BASE_URL " +
      "JWT_KEY API_TOKEN ADMIN_PASSWORD MAX_WORKERS RATECAST_URL BACKEND_PORT SIMULATOR_PORT LOG_DIR CI DEBUG TZ __proto__"
    assert.deepStrictEqual(misspelt(others.split(" "), names), [])
  })

  it("is no setting itself", () => assert.deepStrictEqual(misspelt(names, names), []))
})

it("every setting is in docs/operations.md", () => {
  const page = readFileSync(join(root, "docs/operations.md"), "utf8")
  assert.isAbove(names.size, 30)
  assert.deepStrictEqual(
    [...names].filter((name) => !page.includes(`\`${name}\``) && !page.includes(`\`${name}=`)),
    []
  )
})
