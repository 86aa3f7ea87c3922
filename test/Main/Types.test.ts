/** `ratecast types`, as a frontend in another repository has it: beside the config file, it says the same. */
import { afterAll, assert, describe, it } from "@effect/vitest"

import { Project, root } from "../Project.ts"

const config = `import { Schema } from "effect"
import { Decimal, defineConfig, derived, polled, source, written } from "ratecast"

const Size = Schema.Literals(["small", "large"]).annotate({ identifier: "Size", description: "of a parcel" })
interface Tree { readonly name: string; readonly under: ReadonlyArray<Tree> }
const Tree = Schema.Struct({
  name: Schema.String,
  under: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
}).annotate({ identifier: "Tree" })

const prices = polled({
  source: source({ url: "https://api.example.com/prices" }),
  key: "id",
  row: Schema.Struct({
    id: Schema.String,
    usd: Decimal.pipe(Schema.annotateKey({ description: "of one, without\\nfees */" })),
    count: Schema.Int.annotate({ description: "in stock" }),
    size: Size,
    name: Schema.NullOr(Schema.String),
    "is-new": Schema.optionalKey(Schema.Boolean),
    by: Schema.optional(Schema.String),
    at: Schema.Tuple([Schema.Finite, Schema.optionalKey(Schema.Finite)]),
    tags: Schema.Array(Schema.Struct({ of: Schema.Union([Size, Schema.Literal(7)]) })),
    each: Schema.Record(Schema.String, Decimal),
    some: Schema.NonEmptyArray(Schema.String),
    code: Schema.TemplateLiteral(["c-", Schema.Int]),
    tree: Tree,
    more: Schema.Json
  }).annotate({ description: "What it costs" })
})
const Message = Schema.Struct({ id: Schema.String, text: Schema.String }).annotate({ identifier: "Message" })
export default defineConfig({
  collections: {
    prices,
    cheap: derived({ from: { prices }, key: "id", row: Message, rows: () => [] }),
    "price-list": polled({ source: source({ url: "https://api.example.com/list" }), key: "id", row: Message }),
    "support:{uid}": written({
      key: "id",
      row: Schema.Struct({ id: Schema.String, from: Schema.String }).annotate({ identifier: "Message" })
    })
  }
})
`

/** Either is good wherever the other is. */
const same = `import { connect, type RowsOf } from "ratecast/client"
import type config from "../ratecast.config.ts"
import type { Api } from "./api.ts"

type Told = RowsOf<Api>
type Meant = RowsOf<typeof config>
const nameThere: keyof Meant = undefined as unknown as keyof Told
const nameHere: keyof Told = undefined as unknown as keyof Meant
const there: Meant = undefined as unknown as Told
const here: Told = undefined as unknown as Meant
export { here, nameHere, nameThere, there }

const cast = connect<Api>("/", { collections: ["prices", "support:7"] })
const other = connect<typeof config>("/", { collections: ["prices", "support:7"] })
export const usd: string | undefined = cast.prices.get("a")?.usd ?? other.prices.get("a")?.usd
const [mine, its] = [cast.collection("support:7"), other.collection("support:7")]
export const from: string | undefined = mine.get("a")?.from ?? its.get("a")?.from
// @ts-expect-error -- there is no such collection
connect<Api>("/", { collections: ["prizes"] })
// @ts-expect-error -- decimals are text
export const number: number | undefined = cast.prices.get("a")?.usd
`

const project = new Project()
afterAll(() => project.remove())
project.write("ratecast.config.ts", config)
project.write("frontend/same.ts", same)
const types = (args: ReadonlyArray<string> = []) =>
  project.run("node", [`${root}/bin/ratecast.mjs`, "types", ...args])

describe("ratecast types", () => {
  it("says of every row what the config file says, to a type checker", { timeout: 60_000 }, () => {
    const { status, text } = types()
    assert.strictEqual(status, 0, text)
    project.write("frontend/api.ts", text)
    const checked = project.typeCheck()
    assert.strictEqual(checked.status, 0, checked.text)
    for (const [what, by] of [
      ["readonly usd: Decimal", "readonly usd: number"],
      ['readonly "is-new"?: boolean', 'readonly "is-new": boolean'],
      ["[member: `support:${string}`]", "support"],
      ["readonly from: string", "readonly to: string"]
    ] as const) {
      assert.include(text, what)
      project.write("frontend/api.ts", text.replace(what, by))
      assert.notStrictEqual(project.typeCheck().status, 0, by)
    }
  })

  it("has as doc comments what the schemas say of themselves", () => {
    const { text } = types()
    for (const comment of [
      "  /** What it costs */\n  readonly prices: {\n",
      "    /**\n     * of one, without\n     * fees *\\/\n     */\n    readonly usd: Decimal\n",
      "    /** in stock */\n    readonly count: number\n",
      '/** of a parcel */\nexport type Size = "small" | "large"\n',
      "/** a decimal number as text */\nexport type Decimal = string\n"
    ])
      assert.include(text, comment)
  })

  it("says what is wrong with a config, and nothing else", () => {
    project.write("broken.config.ts", "export default { collections: {} }\n")
    const { status, text } = types(["--config", "broken.config.ts"])
    assert.strictEqual(status, 1)
    assert.include(text, "broken.config.ts: a mistake\n  collections: no collections")
    assert.notInclude(text, "export interface")
  })

  it("shows by --help how it is used", () => {
    assert.include(types(["--help"]).text, "npx ratecast types > api.d.ts")
  })
})
