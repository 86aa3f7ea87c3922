/** `ratecast/testing` as its users have it: no Effect in sight, and promises only. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"

import { Decimal, defineConfig, derived, hook, polled, refuse, source, written } from "../src/Config.ts"
import { type Cast, ConfigMistakes, NotScripted, QueryRefused, reply, testing } from "../src/Testing.ts"

const prices = polled({
  source: source({ url: "https://api.example.com/prices", every: "10 seconds" }),
  key: "id",
  row: Schema.Struct({ id: Schema.String, usd: Decimal })
})
const doubled = derived({
  from: { prices },
  key: "id",
  row: Schema.Struct({ id: Schema.String, usd: Schema.Finite }),
  rows: ({ prices }) => [...prices].map(([key, { usd }]) => ({ key, row: { id: key, usd: Number(usd) * 2 } }))
})
const order = polled({
  source: source({ url: "https://api.example.com/orders/{id}", every: "1 second" }),
  key: "id",
  row: Schema.Struct({ id: Schema.String, n: Schema.Finite })
})
const config = defineConfig({ collections: { prices, doubled, "order:{id}": order } })

const api = "GET https://api.example.com/prices"
const rows = (usd: string) => [{ id: "a", usd }]

/** Whatever comes of it, the cast is closed. */
const within = async (body: (cast: Cast) => Promise<void>, seed = 1) => {
  const cast = testing(config, { seed })
  cast.upstream(api, rows("1"))
  try {
    await body(cast)
  } finally {
    await cast.close()
  }
}

const rejected = async (promise: Promise<unknown>): Promise<Error> => {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new Error("it was not rejected")
}

const roads = ["stream", "socket", "changes"] as const

/** What clients of every road are told in a bad hour. */
const told = async (seed: number) => {
  const texts: Array<string> = []
  await within(async (cast) => {
    const clients = await Promise.all(roads.map((road) => cast[road]("?collections=prices&interval=2s")))
    cast.upstream(api, ({ nth }) => (nth % 3 === 0 ? reply({ status: 500 }) : rows(String(nth))))
    await cast.advance("5 minutes")
    await cast.restart()
    await cast.advance("1 minute")
    texts.push(...clients.map((client) => JSON.stringify(client.take())))
  }, seed)
  return texts
}

/** Of this process alone: the machine has other tests to run. */
const cpuSeconds = () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6

describe("a config under test", () => {
  for (const road of roads) {
    it(`is read by ${road}: a snapshot, then only what changed`, () =>
      within(async (cast) => {
        const client = await cast[road]("?collections=prices,doubled")
        const [first] = client.take()
        assert.strictEqual(first!.type, "snapshot")
        assert.strictEqual(first!.cursor, client.cursor)
        cast.upstream(api, rows("2"))
        await cast.advance("10 seconds")
        assert.deepStrictEqual(client.news(), [
          { doubled: { set: { a: { usd: 4 } } }, prices: { set: { a: { usd: "2" } } } }
        ])
        assert.deepStrictEqual(client.rows("doubled"), { a: { id: "a", usd: 4 } })
      }))

    it(`resumes by ${road} after a restart, from the same journal and in the same epoch`, () =>
      within(async (cast) => {
        const client = await cast[road]("?collections=prices")
        const epoch = client.cursor!.split("-")[0]
        client.take()
        cast.upstream(api, rows("3"))
        await cast.restart()
        await cast.advance("10 seconds")
        const types = client.take().map(({ type }) => type)
        assert.notInclude(types, "snapshot")
        assert.include(types, "change")
        assert.strictEqual(client.cursor!.split("-")[0], epoch)
        assert.deepStrictEqual(client.rows("prices"), { a: { id: "a", usd: "3" } })
      }))

    it(`is refused by ${road} with the problem of the wire`, () =>
      within(async (cast) => {
        const error = await rejected(cast[road]("?colections=prices"))
        assert.instanceOf(error, QueryRefused)
        assert.deepStrictEqual(error.problem, {
          type: "/problems/invalid_query",
          title: "The query is not understood",
          status: 400,
          detail: 'unknown parameter "colections"; did you mean "collections"?',
          code: "invalid_query"
        })
        assert.include(error.message, `/v1/${road}?colections=prices: 400 invalid_query`)
      }))
  }

  it("gives the same messages to the last digit for the same seed, and others for another", async () => {
    const first = await told(7)
    assert.deepStrictEqual(await told(7), first)
    assert.notDeepEqual(await told(8), first)
  })

  it("has clients that come back from a rotation, and a long poll that does not spin", () =>
    within(async (cast) => {
      const client = await cast.stream("?collections=prices")
      const poll = await cast.changes("?collections=prices&wait=0s")
      client.take()
      await cast.advance("15 minutes")
      const types = client.take().map(({ type }) => type)
      assert.include(types, "goodbye")
      assert.notInclude(types, "snapshot")
      cast.upstream(api, rows("5"))
      await cast.advance("20 seconds")
      for (const each of [client, poll]) assert.strictEqual(each.rows("prices")["a"]!["usd"], "5")
    }))

  it("is told one change to whoever was away", () =>
    within(async (cast) => {
      const [there, away] = [
        await cast.stream("?collections=prices"),
        await cast.stream("?collections=prices")
      ]
      for (const client of [there, away]) client.take()
      await away.disconnect()
      cast.upstream(api, ({ nth }) => rows(String(nth + 1)))
      await cast.advance("1 minute")
      assert.deepStrictEqual(away.take(), [])
      assert.lengthOf(there.news(), 6)
      await away.connect()
      assert.deepStrictEqual(away.news(), [{ prices: { set: { a: { usd: "7" } } } }])
    }))

  it("may become another one: readers of what is gone are told why", () =>
    within(async (cast) => {
      const client = await cast.stream("?collections=doubled")
      await cast.restart(defineConfig({ collections: { prices } }))
      await cast.advance("5 seconds")
      assert.strictEqual(client.problem?.code, "unknown_collection")
    }))

  it("a day of it takes seconds", { timeout: 60_000 }, () =>
    within(async (cast) => {
      const client = await cast.stream("?collections=prices&interval=60s")
      cast.upstream(api, ({ nth }) => rows(String(Math.floor(nth / 100))))
      const began = cpuSeconds()
      await cast.advance("1 day")
      assert.isBelow(cpuSeconds() - began, 20)
      assert.strictEqual(client.rows("prices")["a"]!["usd"], "86")
      assert.strictEqual(cast.now, 1_790_000_000_000 + 86_400_000)
    })
  )
})

describe("a mistake of the test", () => {
  it("in the config: all of them at once", () => {
    const wrong = { collections: { p: polled({ ...prices.options, key: "ids" as "id", fixd: [] } as never) } }
    try {
      testing(wrong)
      assert.fail("it was taken")
    } catch (error) {
      assert.instanceOf(error, ConfigMistakes)
      assert.lengthOf(error.problems, 2)
      assert.include(error.message, 'did you mean "fixed"?')
      assert.include(error.message, 'did you mean "id"?')
    }
  })

  it("an upstream that is not scripted: which one, and what is", () =>
    within(async (cast) => {
      const error = await rejected(cast.stream("?collections=order:17"))
      assert.instanceOf(error, NotScripted)
      assert.deepStrictEqual(error.requests, ["GET https://api.example.com/orders/17"])
      for (const part of [api, 'cast.upstream("GET https://api.example.com/orders/17", […])'])
        assert.include(error.message, part)
      // Told once, and scripted now.
      cast.upstream("/orders/{id}", ({ nth, params }) => [{ id: params["id"]!, n: nth }])
      const client = await cast.snapshot("?collections=order:17")
      await cast.advance("10 seconds")
      assert.deepStrictEqual(client.rows("order:17"), {})
      assert.strictEqual((await cast.snapshot("?collections=order:17")).rows("order:17")["17"]!["id"], "17")
    }))

  it("a script that throws, returns nothing or a promise is heard of where time passes", () =>
    within(async (cast) => {
      await cast.stream("?collections=prices")
      const hears = async (answer: () => unknown, message: string) => {
        cast.upstream(api, answer as () => object)
        assert.include((await rejected(cast.advance("1 minute"))).message, message)
      }
      await hears(() => {
        throw new Error("my own")
      }, "my own")
      await hears(() => undefined, "returned nothing")
      await hears(() => Promise.resolve([]), "returned a promise")
    }))

  it("a target, a duration, a collection or a cast that is none", () =>
    within(async (cast) => {
      assert.throws(() => cast.upstream("prices", []), 'expected "GET https://api.example.com/prices"')
      assert.throws(() => cast.upstream(api, undefined as never), "no answer")
      assert.throws(() => reply({ after: "soon" as never }), 'expected a duration such as "500 millis"')
      assert.include((await rejected(cast.advance("3 sec" as never))).message, 'advance is "3 sec"')
      const client = await cast.stream("?collections=prices")
      assert.throws(() => client.rows("price"), 'did you mean "prices"?; it holds prices')
      await cast.close()
      await cast.close()
      assert.include((await rejected(cast.advance(1))).message, "this cast is closed")
    }))

  it("a row that was set aside stands in the log", () =>
    within(async (cast) => {
      cast.upstream(api, [
        ...Array.from({ length: 20 }, (_, i) => ({ id: `r${i}`, usd: "1" })),
        { id: "odd" }
      ])
      await cast.stream("?collections=prices")
      assert.isTrue(cast.logs.some((line) => line.includes("WARN") && line.includes("usd")))
    }))
})

const put = (text: string) => ({ op: "put", collection: "notes", key: "a", row: { text } }) as const

describe("a written collection under test", () => {
  const notes = written({
    key: "id",
    row: Schema.Struct({ id: Schema.String, text: Schema.String }),
    onWrite: ({ row }) => {
      if (row?.text === "rude") return refuse("mind your language")
      return row?.text === "slow" ? Effect.as(Effect.sleep("2 seconds"), row) : row
    }
  })
  const withNotes = async (body: (cast: Cast) => Promise<void>) => {
    const cast = testing(defineConfig({ collections: { notes } }))
    try {
      await body(cast)
    } finally {
      await cast.close()
    }
  }

  it("is written to, and its readers are told", () =>
    withNotes(async (cast) => {
      const client = await cast.stream("?collections=notes")
      client.take()
      const wrote = await cast.write(put("one"))
      assert.deepStrictEqual([wrote.key, wrote.isNew], ["a", true])
      assert.deepStrictEqual(client.news(), [{ notes: { put: { a: { id: "a", text: "one" } } } }])
      await cast.write({ op: "delete", collection: "notes", key: "a" })
      assert.deepStrictEqual(client.rows("notes"), {})
    }))

  it("refuses with a code and in words", () =>
    withNotes(async (cast) => {
      const why = async (text: unknown) => {
        const error = await rejected(cast.write(put(text as string)))
        return error as Error & { readonly code: string; readonly detail: string }
      }
      assert.deepInclude(await why("rude"), { code: "forbidden", detail: "mind your language" })
      assert.deepInclude(await why(7), { code: "invalid_row" })
    }))

  it("asks a backend that the test scripts, and says who writes", async () => {
    const { options } = notes
    const asked = written({ ...options, onWrite: hook({ url: "https://api.example.com/hook" }) })
    const cast = testing(defineConfig({ collections: { notes: asked } }))
    const backend = cast.upstream("POST https://api.example.com/hook", ({ body }) => {
      const { sub } = body as { readonly sub?: string }
      return sub === "7" ? {} : { refuse: "only seven" }
    })
    await cast.write({ ...put("one"), sub: "7", by: "token" })
    assert.include(JSON.stringify(await rejected(cast.write(put("two")))), "only seven")
    assert.deepInclude(backend.requests[0]!.body, { op: "put", key: "a", sub: "7", by: "token" })
    await cast.close()
  })

  it("has a hook that takes its time on the virtual clock", () =>
    withNotes(async (cast) => {
      const client = await cast.stream("?collections=notes")
      const writing = cast.write(put("slow"))
      await cast.advance("1 second")
      assert.deepStrictEqual(client.rows("notes"), {})
      await cast.advance("1 second")
      await writing
      assert.deepStrictEqual(Object.keys(client.rows("notes")), ["a"])
    }))
})

describe("a target of a script", () => {
  const posted = polled({
    source: source({
      url: "https://api.example.com/search",
      method: "POST",
      body: { q: "x" },
      headers: { authorization: "Bearer t" }
    }),
    key: "id",
    row: Schema.Struct({ id: Schema.String })
  })
  const paged = polled({
    source: source({
      url: "https://other.example.com/pages?of=2",
      pages: { by: "page", parameter: "page", first: 1, size: 1 }
    }),
    key: "id",
    row: Schema.Struct({ id: Schema.String })
  })

  it("has a method, a host and a query where it says so, and hears what was asked", async () => {
    const cast = testing(defineConfig({ collections: { posted, paged } }))
    const search = cast.upstream("POST /search", ({ body, headers }) => [
      { id: (body as { q: string }).q },
      { id: headers["authorization"]! }
    ])
    cast.upstream("/pages", [])
    cast.upstream("https://other.example.com/pages?page=1&of=2", [{ id: "first" }])
    cast.upstream("https://else.example.com/pages", [{ id: "nobody" }])
    const client = await cast.snapshot()
    assert.deepStrictEqual(Object.keys(client.rows("posted")), ["x", "Bearer t"])
    assert.deepStrictEqual(Object.keys(client.rows("paged")), ["first"])
    assert.deepStrictEqual(search.requests[0]!.body, { q: "x" })
    await cast.close()
  })
})
