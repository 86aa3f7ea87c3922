import * as http2 from "node:http2"
import * as https from "node:https"

import * as NodeWS from "@effect/platform-node/NodeWS"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { OpenApi } from "effect/http-api"

import { type Config, defineConfig, polled, source, written } from "../../src/Config.ts"
import { Auth, Limits, roads } from "../../src/Http.ts"
import { Api } from "../../src/Http/Api.ts"
import { Backend, type Daemon, freePort, startDaemon, until } from "../Daemon.ts"
import { hubOf, Script } from "../Kit.ts"

const fixtures = new URL("../fixtures/", import.meta.url).pathname
const tls = { TLS_KEY_FILE: `${fixtures}localhost.key.pem`, TLS_CERT_FILE: `${fixtures}localhost.cert.pem` }

const backend = new Backend()
beforeAll(async () => {
  await backend.start()
  backend.body = [{ id: "a", n: 1 }]
})
afterAll(() => backend.close())

const config = (required = true) =>
  defineConfig({
    collections: {
      things: polled({
        source: source({ url: backend.url, every: "50 millis", idleEvery: "50 millis" }),
        key: "id",
        row: Schema.Struct({ id: Schema.String, n: Schema.Int }),
        required
      }),
      notes: written({ key: "id", row: Schema.Struct({ id: Schema.String }) })
    }
  })

const withDaemon = async (
  env: { readonly [name: string]: string },
  use: (daemon: Daemon) => Promise<void>
) => {
  const daemon = await startDaemon(config(), env)
  try {
    await use(daemon)
  } finally {
    await daemon.close()
  }
}

const get = async (url: string) => {
  const response = await fetch(url, { redirect: "manual" })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

describe("probes", () => {
  it("is alive at once, and ready with the first rows of every required collection", async () => {
    backend.handler = (_, response) => response.writeHead(500).end()
    await withDaemon({}, async ({ url }) => {
      assert.strictEqual((await get(`${url}/livez`)).status, 200)
      const waiting = await get(`${url}/readyz`)
      assert.strictEqual(waiting.status, 503)
      assert.deepStrictEqual(JSON.parse(waiting.text), {
        journal: "memory",
        status: "loading",
        waitingFor: ["things"]
      })
      backend.handler = undefined
      await until("ready", async () => (await get(`${url}/readyz`)).status === 200)
      // Old rows are better than no service.
      backend.handler = (_, response) => response.writeHead(500).end()
      await until("stale", async () => (await get(`${url}/v1/collections`)).text.includes('"stale"'))
      assert.strictEqual((await get(`${url}/readyz`)).status, 200)
    })
    backend.handler = undefined
  })

  it("a collection that is not required does not hold it up", async () => {
    backend.handler = (_, response) => response.writeHead(500).end()
    const daemon = await startDaemon(config(false))
    assert.strictEqual((await get(`${daemon.url}/readyz`)).status, 200)
    await daemon.close()
    backend.handler = undefined
  })
})

describe("reference", () => {
  it("metrics, the contract and the docs page are on the main listener while that is loopback", () =>
    withDaemon({}, async ({ url }) => {
      await until("a commit", async () => (await get(`${url}/metrics`)).text.includes("hub_commits_total 1"))
      assert.include((await get(`${url}/metrics`)).headers.get("content-type")!, "text/plain")
      assert.include((await get(`${url}/docs`)).text, "Scalar")
      assert.strictEqual(JSON.parse((await get(`${url}/openapi.json`)).text).info.title, "Ratecast")
    }))

  it("and on a listener of their own, with the probes, once everybody can reach the main one", async () => {
    const adminPort = await freePort()
    await withDaemon({ HOST: "0.0.0.0", ADMIN_PORT: String(adminPort) }, async ({ url }) => {
      for (const path of ["/metrics", "/docs", "/openapi.json"]) {
        assert.strictEqual((await get(`${url}${path}`)).status, 404, path)
        assert.strictEqual((await get(`http://127.0.0.1:${adminPort}${path}`)).status, 200, path)
      }
      assert.strictEqual((await get(`http://127.0.0.1:${adminPort}/livez`)).status, 200)
      assert.strictEqual((await get(`http://127.0.0.1:${adminPort}/v1/snapshot`)).status, 404)
    })
  })

  it.effect("the contract has every endpoint that there is, and no other", () =>
    Effect.gen(function* () {
      const there = (yield* roads(new Set())).map(
        ({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`
      )
      const said = Object.entries(OpenApi.fromApi(Api).paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)
      )
      assert.deepStrictEqual(said.toSorted(), there.toSorted())
    }).pipe(
      Effect.provide([Auth.layerOpen, Limits.layerOpen]),
      Effect.provide(hubOf(config() as Config, new Script(() => Effect.fail("nobody asks"))))
    )
  )

  it("every endpoint of the contract is there", () =>
    withDaemon({}, async ({ url }) => {
      for (const [path, methods] of Object.entries(OpenApi.fromApi(Api).paths)) {
        for (const method of Object.keys(methods)) {
          const isOfWritten =
            path.startsWith("/v1/history") || (path.startsWith("/v1/rows") && method !== "get")
          const concrete = path
            .replace("{collection}", isOfWritten ? "notes" : "things")
            .replace("{key}", "a")
          const wait = concrete === "/v1/changes" ? "?wait=0s" : ""
          const controller = new AbortController()
          const response = await fetch(`${url}${concrete}${wait}`, {
            method: method.toUpperCase(),
            signal: controller.signal
          })
          // There is no such connection; that the road to it is there, it says itself.
          const isThere = path.includes("{id}") && /no such connection/.test(await response.clone().text())
          if (!isThere) assert.notInclude([404, 405, 500], response.status, `${method} ${path}`)
          controller.abort()
        }
      }
    }))
})

describe("BASE_PATH", () => {
  it("puts everything under a path, and nothing outside it", () =>
    withDaemon({ BASE_PATH: "/live/" }, async ({ url }) => {
      assert.strictEqual((await get(`${url}/live/v1/snapshot`)).status, 200)
      assert.strictEqual((await get(`${url}/live/livez`)).status, 200)
      assert.strictEqual((await get(`${url}/v1/snapshot`)).status, 404)
      assert.strictEqual((await get(`${url}/livelier/v1/snapshot`)).status, 404)
      assert.strictEqual((await get(`${url}/live`)).headers.get("location"), "/live/")
    }))

  it("puts nothing under a path on the listener of operators, which no proxy stands before", async () => {
    const adminPort = await freePort()
    const env = { BASE_PATH: "/live", HOST: "0.0.0.0", ADMIN_PORT: String(adminPort) }
    await withDaemon(env, async ({ url }) => {
      assert.strictEqual((await get(`${url}/live/v1/snapshot`)).status, 200)
      for (const path of ["/metrics", "/docs", "/openapi.json", "/livez"]) {
        assert.strictEqual((await get(`http://127.0.0.1:${adminPort}${path}`)).status, 200, path)
        assert.strictEqual((await get(`http://127.0.0.1:${adminPort}/live${path}`)).status, 404, path)
      }
    })
  })
})

describe("ORIGINS", () => {
  it("may be written as people copy them, with a slash at the end", () =>
    withDaemon({ ORIGINS: "https://app.example/, http://localhost:3000/" }, async ({ url }) => {
      for (const origin of ["https://app.example", "http://localhost:3000"]) {
        const answer = await fetch(`${url}/v1/snapshot`, { headers: { origin } })
        assert.strictEqual(answer.headers.get("access-control-allow-origin"), origin)
        await answer.text()
      }
    }))
})

describe("TLS", () => {
  it("speaks HTTP/2 and HTTP/1.1, and WebSocket on the latter", () =>
    withDaemon(tls, async ({ port }) => {
      const origin = `https://localhost:${port}`
      const session = http2.connect(origin, { rejectUnauthorized: false })
      const stream = session.request({ ":path": "/v1/stream" })
      let text = ""
      stream.on("data", (data: Buffer) => (text += data))
      await until("a snapshot on HTTP/2", () => text.includes("event: snapshot"))
      assert.match(text, /^retry: \d{4}\n\nevent: snapshot\nid: /)

      const version = await new Promise<string>((resolve, reject) => {
        https
          .get(`${origin}/v1/snapshot`, { rejectUnauthorized: false, agent: false }, (response) => {
            response.resume()
            resolve(response.httpVersion)
          })
          .on("error", reject)
      })
      assert.strictEqual(version, "1.1")

      const socket = new NodeWS.WebSocket(`wss://localhost:${port}/v1/socket?collections=things`, {
        rejectUnauthorized: false
      })
      const first = await new Promise<string>((resolve) =>
        socket.once("message", (data: Buffer) => resolve(String(data)))
      )
      assert.include(first, '"type":"snapshot"')
      socket.close()

      const closed = new Promise<void>((resolve) => stream.once("close", resolve))
      stream.close()
      await closed
      const readers = () =>
        new Promise<string>((resolve, reject) => {
          const answer = session.request({ ":path": "/metrics" })
          let text = ""
          answer.on("data", (data: Buffer) => (text += data))
          answer.on("end", () => resolve(/^hub_readers (\d+)$/m.exec(text)![1]!)).on("error", reject)
        })
      await until("no reader is left", async () => (await readers()) === "0")
      session.close()
    }))

  it("ends streams on HTTP/2 with a goodbye", async () => {
    const daemon = await startDaemon(config(), tls)
    const session = http2.connect(`https://localhost:${daemon.port}`, { rejectUnauthorized: false })
    const stream = session.request({ ":path": "/v1/stream", "accept-encoding": "identity" })
    let text = ""
    stream.on("data", (data: Buffer) => (text += data))
    await until("a snapshot", () => text.includes("event: snapshot"))
    const ended = new Promise<void>((resolve) => stream.once("end", resolve))
    const closed = daemon.close()
    await ended
    assert.match(
      text,
      /event: goodbye\ndata: \{"type":"goodbye","code":"shutdown","retryAfterMs":\d{4}\}\n\n$/
    )
    session.destroy()
    await closed
  })
})
