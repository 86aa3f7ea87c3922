/** `npm run fuzz -- --for 1h` looks further; what fails here is replayed by the command it prints. */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"

import { askedInUrl } from "../../src/Http/Asked.ts"
import { Addresses } from "../../src/Http/Limits/Addresses.ts"
import { parseCursor } from "../../src/Hub/Cursor.ts"
import { Writing } from "../../src/RateEngine/Writing.ts"
import { startDaemon } from "../Daemon.ts"
import { configOf } from "./Config.ts"
import { fuzz, shown, type Target } from "./Fuzz.ts"
import { env, Ground, type Running } from "./Ground.ts"
import { httpTarget, liveTargets, writesTarget } from "./Live.ts"
import { cursorTarget, messageTarget, queryTarget, rowTarget } from "./Pure.ts"

const pure = [queryTarget(), messageTarget, cursorTarget(), rowTarget]
const fresh = Math.floor(Math.random() * 2 ** 31)

const start = async (upstream: string): Promise<Running> => {
  const daemon = await startDaemon(configOf(upstream), env)
  return {
    port: daemon.port,
    complaints: () => daemon.logs.filter((line) => /^(Error|Fatal) /i.test(line)),
    close: daemon.close
  }
}

const isClean = async (targets: ReadonlyArray<Target>, seed: number, forMs: number): Promise<void> => {
  const { found, tried } = await fuzz({ targets, seed, forMs })
  if (found !== undefined)
    throw new Error(
      `${shown(found.least)}\nreplay it: npm run fuzz -- --only ${found.target} --seed ${found.seed} --at ${found.at}`,
      { cause: found.error }
    )
  for (const [name, count] of tried) assert.isAbove(count, 20, name)
}

const inputs = async () => {
  const tried: Array<string> = []
  const noting: Target = { ...queryTarget(), check: ([text = ""]) => void tried.push(text) }
  await fuzz({ targets: [noting], seed: 7, forMs: 50 })
  return tried.slice(0, 100)
}

const finds = async (target: Target): Promise<void> => {
  const { found } = await fuzz({ targets: [target], seed: 1, forMs: 20_000 })
  assert.isDefined(found)
  // It is the same once more, by its number alone.
  const again = await fuzz({ targets: [target], seed: 1, forMs: 0, at: found!.at })
  assert.isDefined(again.found)
}

describe("no promise is broken by random", () => {
  let ground: Ground
  beforeAll(async () => {
    ground = await Ground.open(start)
  })
  afterAll(() => ground.close())

  for (const seed of [1, fresh]) {
    it(`queries, messages, cursors and rows, from ${seed}`, { timeout: 60_000 }, () =>
      isClean(pure, seed, 4_000)
    )
    it(`requests, sockets, writes and answers of an upstream, from ${seed}`, { timeout: 90_000 }, () =>
      isClean(liveTargets(ground), seed, 8_000)
    )
  }

  it("and the same seed is the same input", async () => {
    assert.deepStrictEqual(await inputs(), await inputs())
  })
})

/** Puts another method in place of one, until it is undone. */
const alter = (prototype: object, name: string, make: (original: Function) => Function) => {
  const methods = prototype as { [name: string]: Function }
  const original = methods[name]!
  methods[name] = make(original)
  return () => {
    methods[name] = original
  }
}

describe("the fuzzer notices", () => {
  it("a cursor that has two spellings", () =>
    finds(cursorTarget((text) => parseCursor(text.replace(/-0+(?=\d)/, "-")))))

  it("a query that throws something else than a problem, and finds the least of it", async () => {
    const target = queryTarget((search, header) => {
      const asked = askedInUrl(search, header)
      if (asked.where.some((each) => each.includes("%"))) throw new RangeError("planted")
      return asked
    })
    await finds(target)
    const { found } = await fuzz({ targets: [target], seed: 1, forMs: 20_000 })
    assert.isAtMost(found!.least.join("").length, 12)
  })

  it("a query that is understood in another way the second time", () =>
    finds(
      queryTarget((search, header) => {
        const asked = askedInUrl(search, header)
        return { ...asked, keys: asked.keys?.map((key) => key.concat(" ")) }
      })
    ))

  const live: ReadonlyArray<
    readonly [
      what: string,
      plant: () => () => void,
      target: (ground: Ground) => Target,
      read?: ReadonlyArray<string>
    ]
  > = [
    [
      "a request that is answered by 500",
      () =>
        alter(
          Addresses.prototype,
          "of",
          (of) =>
            function (this: Addresses, request: { readonly headers: { readonly [name: string]: string } }) {
              if (request.headers["x-forwarded-for"]?.includes("[::1]") === true)
                throw new TypeError("planted")
              return of.call(this, request) as unknown
            }
        ),
      httpTarget
    ],
    ["rows of somebody else", () => () => {}, httpTarget, ["*"]],
    [
      "a row that is not kept as it was written",
      () =>
        alter(
          Writing.prototype,
          "decoded",
          (decoded) =>
            function (this: Writing, key: unknown, before: unknown, row: unknown) {
              const { note, ...rest } = (row ?? {}) as { readonly note?: unknown }
              return decoded.call(this, key, before, Array.isArray(note) ? rest : row) as unknown
            }
        ),
      writesTarget
    ]
  ]
  for (const [what, plant, target, read] of live)
    it(what, { timeout: 60_000 }, async () => {
      const ground = await Ground.open(start, read)
      const undo = plant()
      try {
        await finds(target(ground))
      } finally {
        undo()
        await ground.close()
      }
    })
})
