/** `ratecast token`, and the settings that say who may, as a person meets them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"
import { SignJWT } from "jose"

import { Backend, freePort, until } from "../Daemon.ts"
import { Folder, ratecast, root } from "../Process.ts"

const secret = "canary-secret-of-more-than-thirty-two-bytes"
const folder = mkdtempSync(join(tmpdir(), "ratecast-token-"))
const configs = new Folder()
const backend = new Backend()
afterAll(async () => {
  rmSync(folder, { recursive: true })
  configs.remove()
  await backend.close()
})

const run = async (args: ReadonlyArray<string>, env: { readonly [name: string]: string } = {}) => {
  const started = ratecast(["token", ...args], env)
  return { code: await started.exit, out: started.out, err: started.err.trim() }
}
const sign = (claims: object) =>
  new SignJWT(claims as never).setProtectedHeader({ alg: "HS256" }).sign(Buffer.from(secret))

describe("ratecast token", () => {
  for (const [args, warns] of [
    [[], true],
    [["--sub", "7"], true],
    // Whoever has no subject is nobody's.
    [["--read", "support:{sub}"], true],
    [["--sub", "7", "--read", "support:{sub}"], false],
    [["--refresh", "prices"], false]
  ] as const)
    it(`${warns ? "warns" : "does not warn"} of a token that allows nothing: ${args.join(" ") || "no arguments"}`, async () => {
      const { code, err, out } = await run(args, { JWT_SECRET: secret })
      assert.strictEqual(code, 0)
      assert.match(out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/, "what a script takes is the token alone")
      if (warns) assert.match(err, /allows nothing.*npx ratecast token .*--read/)
      else assert.strictEqual(err, "")
    })

  it("makes a token that the daemon of the same settings takes, with the secret in a file", async () => {
    const file = join(folder, "secret")
    writeFileSync(file, `${secret}\n`)
    const env = { JWT_SECRET_FILE: file, JWT_AUDIENCE: "ratecast", JWT_ISSUER: "https://id" }
    const { code, out } = await run(
      ["--sub", "7", "--read", "things,support:{sub}", "--write", "chat", "--for", "15min"],
      env
    )
    assert.strictEqual(code, 0)
    const token = out.trim()
    await backend.start()
    backend.body = [{ id: "a", n: 1 }]
    const port = await freePort()
    const daemon = ratecast(["serve", "--config", configs.config("t.config.ts", backend.url, 'key: "id"')], {
      ...env,
      ANONYMOUS_READ: "",
      PORT: String(port)
    })
    await until("things to be live", () => daemon.out.includes("things is live"), 15_000)
    const ask = async (headers: { readonly [name: string]: string }) =>
      (await fetch(`http://127.0.0.1:${port}/v1/snapshot`, { headers })).status
    assert.strictEqual(await ask({ authorization: `Bearer ${token}` }), 200)
    assert.strictEqual(await ask({}), 401)
    daemon.child.kill("SIGTERM")
    assert.strictEqual(await daemon.exit, 0)
    const explained = await run(["explain", token], env)
    assert.strictEqual(explained.code, 0)
    assert.match(explained.out, /^subject +"7"$/m)
    assert.match(explained.out, /^reads +"things" "support:7"$/m)
    assert.match(explained.out, /^expires .* min from now$/m)
    assert.match(explained.out, /^counts +yes/m)
  })

  it("says what is wrong with one, and never the secret", async () => {
    const now = Math.floor(Date.now() / 1000)
    const cases: ReadonlyArray<
      readonly [token: string, env: { readonly [name: string]: string }, wrong: RegExp]
    > = [
      [await sign({ exp: now - 185 }), { JWT_SECRET: secret }, /does not count: the token expired 3 min ago/],
      [await sign({ exp: now - 185 }), {}, /does not count: the token expired 3 min ago/],
      [
        await sign({ exp: now + 60, aud: "x" }),
        { JWT_SECRET: secret, JWT_AUDIENCE: "ratecast" },
        /does not count: the token is for another audience/
      ],
      [
        await sign({ exp: now + 60 }),
        { JWT_SECRET: "s".repeat(32) },
        /not signed by a key that is known here/
      ],
      ["x.y", { JWT_SECRET: secret }, /this is not a token/]
    ]
    for (const [token, env, wrong] of cases) {
      const { code, err, out } = await run(["explain", token], env)
      assert.strictEqual(code, 1)
      assert.match(err, wrong)
      assert.notInclude(out + err, secret)
    }
    const unchecked = await run(["explain", await sign({ exp: now + 60 })])
    assert.strictEqual(unchecked.code, 0)
    assert.match(unchecked.out, /^counts +nobody knows/m)
  })

  it(
    "says what a token that counts allows nothing by, and what its patterns are not",
    { timeout: 60_000 },
    async () => {
      const exp = Math.floor(Date.now() / 1000) + 60
      const cases: ReadonlyArray<readonly [claims: object, said: ReadonlyArray<RegExp>]> = [
        [{}, [/allows nothing: it has no claim "ratecast"/]],
        [
          { ratecast: { raed: ["*"] } },
          [/member "raed" without effect; did you mean "read"\?/, /allows nothing/]
        ],
        [{ ratecast: { read: ["support:{sub}"] } }, [/allows nothing/]],
        [
          { sub: "7", ratecast: { read: ["inbox:{uid}"] } },
          [/"inbox:\{uid\}" covers only .*: \{sub\} is the subject, \* any member/]
        ],
        [{ sub: "7", ratecast: { read: ["support:{sub}"], write: [] } }, []]
      ]
      for (const [claims, said] of cases) {
        const { code, err } = await run(["explain", await sign({ exp, ...claims })], { JWT_SECRET: secret })
        assert.strictEqual(code, 0)
        assert.lengthOf(
          err.split("\n").filter((line) => line !== ""),
          said.length
        )
        for (const [at, words] of said.entries()) assert.match(err.split("\n")[at]!, words)
      }
      const deeds = ["--read", "--write", "--refresh"].flatMap((deed) => [deed, "inbox:{uid}"])
      const { err } = await run([...deeds, "--sub", "7"], { JWT_SECRET: secret })
      const lines = err.split("\n")
      assert.lengthOf(lines, 3)
      for (const line of lines)
        assert.match(line, /^"inbox:\{uid\}" covers only .*: \{sub\} is the subject, \* any member$/)
    }
  )

  it("shows nothing that a terminal would take for a command", async () => {
    const { out } = await run(["explain", await sign({ sub: "\u001b[2J\u009b2J\u202e", exp: 1e10 })])
    assert.include(out, String.raw`"\u001b[2J\u009b2J\u202e"`)
  })

  it("needs a secret, and a time that is one; help has examples", async () => {
    assert.include((await run(["--read", "*"])).err, "JWT_SECRET is not set")
    assert.include((await run([], { JWT_SECRET: "short" })).err, "at least 32 bytes")
    assert.include((await run(["--for", "1y"], { JWT_SECRET: secret })).err, "a time such as 30s")
    const { out } = await run(["--help"])
    assert.include(out, "--read 'support:{sub}'")
    assert.include(out, "Default: 1h")
  })
})

const tls = (key: string, cert: string) => ({
  TLS_KEY_FILE: join(root, `test/fixtures/localhost.${key}.pem`),
  TLS_CERT_FILE: join(root, `test/fixtures/localhost.${cert}.pem`)
})

describe("settings that cannot be meant are said to be", () => {
  const cases: ReadonlyArray<readonly [env: { readonly [name: string]: string }, wrong: RegExp]> = [
    [{ JWT_SECRET: "short" }, /JWT_SECRET: expected at least 32 bytes/],
    [{ JWT_SECRET: secret, JWKS_URL: "https://id/keys" }, /JWT_SECRET and JWKS_URL are set/],
    [{ JWT_SECRET: secret, JWT_SECRET_FILE: "/x" }, /JWT_SECRET and JWT_SECRET_FILE are both set/],
    [{ API_KEY_FILE: "/nowhere" }, /API_KEY_FILE: the file \/nowhere cannot be read/],
    [{ API_KEY: "short" }, /API_KEY: expected at least 16/],
    [{ JWT_PUBLIC_KEY: "hello" }, /JWT_PUBLIC_KEY: this is no public key/],
    [{ ANONYMOUS_READ: "support:{sub}" }, /ANONYMOUS_READ: \{sub\} is the subject of a token/],
    [{ TRUSTED_PROXIES: "10.0.0.0/33" }, /TRUSTED_PROXIES: 10\.0\.0\.0\/33 is no address/],
    [{ MAX_CONNECTIONS: "0" }, /MAX_CONNECTIONS: expected a whole number from 1 to 10000000/],
    [{ MAX_CONNECTIONS: "ten" }, /MAX_CONNECTIONS: expected a whole number from 1 to 10000000/],
    [{ PORT: "abc" }, /^PORT: expected a whole number from 1 to 65535/],
    [{ ADMIN_PORT: "65536" }, /^ADMIN_PORT: expected a whole number from 1 to 65535/],
    [tls("cert", "key"), /^TLS_KEY_FILE has the certificate and TLS_CERT_FILE the key; swap them/],
    [tls("key", "key"), /^TLS_CERT_FILE: .*localhost\.key\.pem has no certificate in PEM/],
    [tls("cert", "cert"), /^TLS_KEY_FILE: .*localhost\.cert\.pem has no private key in PEM/]
  ]
  for (const [env, wrong] of cases)
    it(`${Object.keys(env).join(" and ")}: ${Object.values(env).at(-1)!.slice(-20)}`, async () => {
      const file = configs.config("s.config.ts", "http://127.0.0.1:1", 'key: "id"')
      const daemon = ratecast(["serve", "--config", file], { PORT: String(await freePort()), ...env })
      assert.strictEqual(await daemon.exit, 1)
      assert.match(daemon.err, wrong)
      assert.notInclude(daemon.err, "    at ")
      assert.notInclude(daemon.err, secret)
    })
})
