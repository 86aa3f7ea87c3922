import { mkdirSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import { join } from "node:path"

import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { Backend, freePort, until } from "./Daemon.ts"
import { Folder, ratecast, root } from "./Process.ts"

const folder = new Folder()
const backend = new Backend()
beforeAll(async () => {
  await backend.start()
  backend.body = [{ id: "a", n: 1 }]
})
afterAll(async () => {
  await backend.close()
  folder.remove()
})

const configFile = (name: string, options: string): string => folder.config(name, backend.url, options)

describe("ratecast check", () => {
  it("says that a config is well", async () => {
    const run = ratecast(["check", "--config", configFile("good.config.ts", 'key: "id"')])
    assert.strictEqual(await run.exit, 0)
    assert.match(run.out, /1 collections? from 1 sources?/)
  })

  it("names file, path and the nearest known name of every mistake", async () => {
    const file = configFile("bad.config.ts", 'key: "ident", tolerence: {}, fixed: ["m"]')
    const run = ratecast(["check", "--config", file])
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, file)
    assert.include(run.err, 'collections.things.tolerence: unknown option; did you mean "tolerance"?')
    assert.notInclude(run.err, "    at ")
  })

  it("names a file that is not there, and the one that may be meant", async () => {
    configFile("good.config.ts", 'key: "id"')
    const run = ratecast(["check", "--config", join(folder.path, "godo.config.ts")])
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, 'there is no such file; did you mean "good.config.ts"?')
  })

  for (const [what, text, message] of [
    ["a mistake in TypeScript", "const a = {\n  b: 1\n  c: 2\n}", /^ {2}line 4: .*Expected ','/m],
    [
      "a mistake in JavaScript",
      "const a = 1\n\nconst a = 2",
      /^ {2}line 4: .*'a' has already been declared/m
    ],
    ["a throw of its own", "\nconst a = undefined as never\na.b.c", /^ {2}line 4: .*reading 'b'/m],
    ["an import that is not there", 'import { nix } from "effect"', /^ {2}line 2: .*export named 'nix'/m]
  ] as const)
    it(`names the line of ${what}`, async () => {
      const file = join(folder.path, "broken.config.ts")
      writeFileSync(file, `// a config\n${text}\nexport default {}\n`)
      const run = ratecast(["check", "--config", file])
      assert.strictEqual(await run.exit, 1)
      assert.match(run.err, message)
      assert.notInclude(run.err, "    at ")
    })

  it("names the file and the line of a mistake in what the config imports", async () => {
    const file = join(folder.path, "importing.config.ts")
    mkdirSync(join(folder.path, "lib"), { recursive: true })
    writeFileSync(join(folder.path, "lib/rows.ts"), "\n\nexport const rows = 5 5\n")
    writeFileSync(file, 'import { rows } from "./lib/rows.ts"\nexport default rows\n')
    const run = ratecast(["check", "--config", file])
    assert.strictEqual(await run.exit, 1)
    assert.match(run.err, /^ {2}lib\/rows\.ts:3: could not be loaded/m)
  })

  it("and serve stops with the same words", async () => {
    const file = configFile("bad.config.ts", 'key: "id", fixed: ["nn"]')
    const run = ratecast(["serve", "--config", file], { PORT: String(await freePort()) })
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, 'collections.things.fixed[0]: no field "nn" in the row; did you mean "n"?')
  })
})

describe("ratecast serve", () => {
  it("logs JSON where nobody watches, serves, and goes with exit code 0 on SIGTERM", async () => {
    const port = await freePort()
    const run = ratecast(["serve", "--config", configFile("good.config.ts", 'key: "id"')], {
      PORT: String(port)
    })
    await until("things to be live", () => run.out.includes("things is live"), 15_000)
    for (const line of run.out.trim().split("\n")) assert.isObject(JSON.parse(line))
    const stream = await fetch(`http://127.0.0.1:${port}/v1/stream`)
    const text = stream.text()
    await new Promise((done) => setTimeout(done, 50))
    const asked = performance.now()
    run.child.kill("SIGTERM")
    assert.strictEqual(await run.exit, 0)
    assert.isBelow(performance.now() - asked, 1_000)
    assert.include(await text, '"code":"shutdown"')
  })

  it("says that a port is taken, and names one that is not, which the next may well be, too", async () => {
    const servers: Array<http.Server> = []
    const listens = (port: number) =>
      new Promise<boolean>((done) => {
        const server = http.createServer()
        server.once("error", () => done(false))
        server.listen(port, "127.0.0.1", () => done(servers.push(server) > 0))
      })
    try {
      let port = await freePort()
      while (!((await listens(port)) && (await listens(port + 1)))) port = await freePort()
      const run = ratecast(["serve", "--config", configFile("good.config.ts", 'key: "id"')], {
        PORT: String(port)
      })
      assert.strictEqual(await run.exit, 1)
      const said = /^port (\d+) on 127\.0\.0\.1 is taken; choose another with PORT=(\d+)$/.exec(
        run.err.trim()
      )
      assert.isNotNull(said, run.err)
      assert.strictEqual(Number(said![1]), port)
      assert.isAbove(Number(said![2]), port + 1)
      assert.isTrue(await listens(Number(said![2])))
    } finally {
      for (const server of servers) server.close()
    }
  })

  it("says in a terminal where everything is, and every link of it is right", async () => {
    const [port, adminPort] = [await freePort(), await freePort()]
    const run = ratecast(["serve", "--config", configFile("good.config.ts", 'key: "id"')], {
      PORT: String(port),
      HOST: "0.0.0.0",
      ADMIN_PORT: String(adminPort),
      BASE_PATH: "/live",
      LOG_FORMAT: "pretty"
    })
    await until("things to be live", () => run.out.includes("things is live"), 15_000)
    const links = run.out.match(/https?:\/\/[^\s']+/g)!
    assert.deepStrictEqual(links, [
      `http://0.0.0.0:${port}/live/v1/collections`,
      `http://127.0.0.1:${adminPort}/docs`,
      `http://127.0.0.1:${adminPort}/metrics`,
      `http://0.0.0.0:${port}/live/v1/stream?collections=things`
    ])
    for (const link of links) {
      const answer = await fetch(link)
      assert.strictEqual(answer.status, 200, link)
      await answer.body!.cancel()
    }
    run.child.kill("SIGTERM")
    assert.strictEqual(await run.exit, 0)
  })

  for (const [what, env, hint, served] of [
    [
      "whose tokens somebody else makes",
      { JWKS_URL: "http://127.0.0.1:1/keys" },
      "-H 'Authorization: Bearer <a token of your login>' 'http",
      "/livez"
    ],
    [
      "that only a backend reads",
      { API_KEY: "k".repeat(32) },
      "-H 'Authorization: Bearer <API_KEY>' 'http",
      "/livez"
    ],
    ["that checks with a secret", { JWT_SECRET: "s".repeat(32) }, "npx ratecast token --help", "/livez"],
    ["with a page", { ANONYMOUS_READ: "*", PAGE: join(root, "examples/chat/page") }, "curl -N 'http", "/"]
  ] as const)
    it(`says in a terminal how one is tried ${what}, and what answers`, async () => {
      const port = await freePort()
      const run = ratecast(["serve", "--config", configFile("good.config.ts", 'key: "id"')], {
        PORT: String(port),
        LOG_FORMAT: "pretty",
        ANONYMOUS_READ: "",
        ...env
      })
      await until("the banner", () => run.out.includes("collections things"), 15_000)
      assert.include(run.out, hint)
      if (!hint.startsWith("npx")) assert.notInclude(run.out, "ratecast token")
      const url = `http://127.0.0.1:${port}${served}`
      assert.include(run.out, `serving   ${url}\n`)
      assert.isTrue((await fetch(url)).ok)
      run.child.kill("SIGTERM")
      assert.strictEqual(await run.exit, 0)
    })

  it("says what is wrong with a setting", async () => {
    const run = ratecast(["serve", "--config", configFile("good.config.ts", 'key: "id"')], { PORT: "http" })
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, "PORT")
    assert.notInclude(run.err, "    at ")
  })

  it("says what stops it as a line of JSON where logs are JSON", async () => {
    const env = { PORT: "http", LOG_FORMAT: "json" }
    const run = ratecast(["serve", "--config", configFile("good.config.ts", 'key: "id"')], env)
    assert.strictEqual(await run.exit, 1)
    const line = JSON.parse(run.err) as { readonly level: string; readonly message: string }
    assert.strictEqual(line.level, "FATAL")
    assert.include(line.message, "PORT")
  })

  it("stops where nobody could do anything, and says what to set", async () => {
    const file = configFile("good.config.ts", 'key: "id"')
    const run = ratecast(["serve", "--config", file], { PORT: String(await freePort()), ANONYMOUS_READ: "" })
    assert.strictEqual(await run.exit, 1)
    assert.match(run.err, /^nobody may do anything: set ANONYMOUS_READ='\*' for everybody .* JWT_SECRET/)
  })

  it("wants both halves of a TLS pair", async () => {
    const env = {
      PORT: String(await freePort()),
      TLS_KEY_FILE: join(root, "test/fixtures/localhost.key.pem")
    }
    const run = ratecast(["serve", "--config", configFile("good.config.ts", 'key: "id"')], env)
    assert.strictEqual(await run.exit, 1)
    assert.include(run.err, "TLS_CERT_FILE")
  })

  it("has help with examples", async () => {
    const run = ratecast(["serve", "--help"])
    assert.strictEqual(await run.exit, 0)
    assert.include(run.out, "EXAMPLES")
  })
})
