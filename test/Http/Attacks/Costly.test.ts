/** What is short to say and might be long to understand: each of it is understood, or refused, within 5 ms. */
import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"

import { type Catalog, makeCatalog } from "../../../src/Catalog.ts"
import { askedInMessage, askedInUrl } from "../../../src/Http/Asked.ts"
import { agreedOn } from "../../../src/Http/Deflate.ts"
import { anonymous } from "../../../src/Http/Auth/Caller.ts"
import { credentialOf } from "../../../src/Http/Auth/Credential.ts"
import { covers } from "../../../src/Http/Auth/Rights.ts"
import { Addresses } from "../../../src/Http/Limits/Addresses.ts"
import { Problem } from "../../../src/Http/Problem.ts"
import { resolve } from "../../../src/Http/Resolve.ts"
import { strongTagsOf as tagsOf } from "../../../src/Http/Tags.ts"
import { writeInMessage } from "../../../src/Http/WriteAsked.ts"
import { parseCursor } from "../../../src/Hub/Cursor.ts"
import { nearest } from "../../../src/Nearest.ts"
import { configOf } from "../../Fuzz/Config.ts"

const catalog = makeCatalog(configOf("http://upstream.example")) as Catalog["Service"]
const everybody = anonymous({ read: ["*"], write: ["*"], refresh: ["*"] })
/** As much as a URL, a header and a message may hold. */
const [url, header, message] = [8_000, 16_000, 65_000]
const of = (text: string, length: number) => text.repeat(Math.ceil(length / text.length)).slice(0, length)

const query = (text: string) =>
  resolve(catalog, askedInUrl(new URLSearchParams(text), undefined), everybody, 1_000)
const subscribe = (members: object) =>
  resolve(catalog, askedInMessage({ type: "subscribe", ...members }), everybody, 1_000)
const request = (headers: { readonly [name: string]: string }) => ({ headers }) as never
const addresses = new Addresses(["10.0.0.0/8", "::1"])

const corpus: ReadonlyArray<readonly [what: string, run: () => unknown]> = [
  ["a parameter of 8 KB", () => query(`${of("where", url)}=1`)],
  ["an own form of 8 KB that is none", () => query(`${of("pools", url)}.wher=1`)],
  ["an own form of 8 KB", () => query(`collections=pools&${of("pools", url)}.where=type:a`)],
  ["2,000 parameters", () => query(of("_=&", url))],
  ["2,600 unknown keys", () => query(`keys=${of("ab,", url)}c`)],
  ["commas", () => query(`keys=${of(",", url)}`)],
  ["a thousand conditions", () => query(of("where=type:a&", url - 10).replace(/&[^&]*$/, ""))],
  ["a thousand unknown fields", () => query(`fields=${of("typo,", url)}x`)],
  ["1,600 collections", () => query(`collections=${of("pool,", url)}x`)],
  [
    "a hundred families",
    () => query(`collections=${Array.from({ length: 100 }, (_, i) => `order:${i}`).join()}`)
  ],
  ["a duration of digits", () => query(`interval=${of("1", url)}ms`)],
  ["a cursor of digits", () => parseCursor(`k3x-${of("1", url)}-000000000000`)],
  ["a cursor of an epoch", () => parseCursor(`${of("z", url)}-1-000000000000`)],
  ["30,000 keys", () => subscribe({ keys: Array.from({ length: 30_000 }, (_, i) => String(i)) })],
  [
    "10,000 collections that are not",
    () => subscribe({ collections: Array.from({ length: 10_000 }, (_, i) => `c${i}`) })
  ],
  ["a member of 64 KB", () => subscribe({ [of("collections", message)]: 1 })],
  ["a member of 64 KB in a write", () => writeInMessage({ type: "write", [of("collection", message)]: 1 })],
  ["a pattern of stars against a name", () => covers([of("*a", 8_000)], of("a", 8_000))],
  ["a pattern of stars that never matches", () => covers([`${of("*a", 500)}*b`], of("a", 256))],
  [
    "a thousand patterns",
    () =>
      covers(
        Array.from({ length: 1_000 }, (_, i) => `*${i}*x`),
        of("a", 256)
      )
  ],
  [
    "a name against others as long",
    () => nearest(of("ab", url), [of("ba", url), of("aa", url), of("bb", url)])
  ],
  [
    "a subprotocol of commas",
    () => credentialOf(request({ "sec-websocket-protocol": of(",", header) }), new URLSearchParams())
  ],
  [
    "a cookie of semicolons",
    () => credentialOf(request({ cookie: of("ratecast_token=;", header) }), new URLSearchParams())
  ],
  [
    "a bearer of spaces",
    () => credentialOf(request({ authorization: `Bearer${of(" ", header)}x` }), new URLSearchParams())
  ],
  ["tags of quotes", () => tagsOf(of('W/"', header))],
  ["extensions of commas", () => agreedOn(of("permessage-deflate;,", header))],
  ["extensions of quotes", () => agreedOn(of('x="', header))],
  [
    "addresses of commas",
    () =>
      addresses.of({
        headers: { "x-forwarded-for": of("10.0.0.1,", header) },
        remoteAddress: Option.some("10.0.0.1")
      } as never)
  ]
]

/** The least of several, ms: what the machine does besides is not counted. */
const cost = (run: () => unknown): number => {
  let least = Infinity
  for (let i = 0; i < 8; i++) {
    const began = performance.now()
    try {
      run()
    } catch (error) {
      if (!(error instanceof Problem)) throw error
    }
    least = Math.min(least, performance.now() - began)
  }
  return least
}

describe("within 5 ms:", () => {
  for (const [what, run] of corpus) it(what, () => void assert.isBelow(cost(run), 5))

  it("and this notices what takes longer", () => {
    assert.isAbove(
      cost(() => {
        for (let i = 0; i < 5e7; i++) Math.sqrt(i)
      }),
      5
    )
  })
})
