import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

import { assert, describe, it } from "@effect/vitest"

/** Each noun may import only what stands to its left; what shares a place is vocabulary of equal standing. */
const order = [
  [
    "Answered",
    "BodyPath",
    "Collection",
    "Decimal",
    "Entry",
    "GivenKey",
    "Misfit",
    "Nearest",
    "RowTag",
    "Settings",
    "Steady",
    "Unreadable"
  ],
  ["Config"],
  ["Catalog"],
  ["Upstream"],
  ["RateEngine"],
  ["Hub"],
  ["Http"],
  ["Threads"],
  ["Daemon", "Testing"],
  ["Main"]
]
const src = resolve(import.meta.dirname, "../src")
const nounOf = (file: string) => relative(src, file).split("/")[0]!.replace(/\.ts$/, "")
const rank = (file: string) => order.findIndex((nouns) => nouns.includes(nounOf(file)))

interface Import {
  readonly from: string
  readonly to: string
}

const importsOf = (file: string, text: string): ReadonlyArray<Import> =>
  [...text.matchAll(/(?:from|import) "(\.[^"]+)"/g)].map(([, to]) => ({
    from: file,
    to: resolve(dirname(file), to!)
  }))

const imports = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .flatMap((name) => importsOf(join(src, name), readFileSync(join(src, name), "utf8")))
  .filter(({ to }) => to.startsWith(`${src}/`))

const pointsRight = ({ from, to }: Import) => rank(to) === -1 || rank(to) > rank(from)
const opensDrawer = ({ from, to }: Import) =>
  nounOf(from) !== nounOf(to) && nounOf(from) !== "Main" && relative(src, to).includes("/")
const shown = (found: ReadonlyArray<Import>) =>
  found.map(({ from, to }) => `${relative(src, from)} → ${relative(src, to)}`)

describe("the tree", () => {
  it("imports point one way: vocabulary ← Upstream ← RateEngine ← Hub ← Http ← Main", () => {
    assert.isAbove(imports.length, 100)
    assert.deepStrictEqual(shown(imports.filter(pointsRight)), [])
  })

  it("nobody but Main reaches into another noun's folder", () => {
    assert.deepStrictEqual(shown(imports.filter(opensDrawer)), [])
  })

  it("and this notices an import that does", () => {
    const planted = importsOf(
      join(src, "Hub/State.ts"),
      'import { x } from "../Http.ts"\nimport "../Upstream/Poll.ts"\n'
    )
    assert.deepStrictEqual(shown(planted.filter(pointsRight)), ["Hub/State.ts → Http.ts"])
    assert.deepStrictEqual(shown(planted.filter(opensDrawer)), ["Hub/State.ts → Upstream/Poll.ts"])
  })
})

interface Locked {
  readonly version?: string
  readonly integrity?: string
  readonly hasInstallScript?: boolean
  readonly dev?: boolean
  readonly optional?: boolean
  readonly peer?: boolean
}
const read = (name: string) => JSON.parse(readFileSync(resolve(src, "..", name), "utf8")) as never
const { packages } = read("package-lock.json") as {
  readonly packages: { readonly [place: string]: Locked }
}
const { dependencies, devDependencies, optionalDependencies } = read("package.json") as {
  readonly [kind: string]: { readonly [name: string]: string }
}

describe("what others have written", () => {
  const locked = Object.entries(packages).filter(([place]) => place !== "")

  it("is known to the bit, by exact versions, and runs nothing when it is installed", () => {
    const named = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    assert.isAbove(named.length, 10)
    assert.deepStrictEqual(
      named.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
      []
    )
    assert.isAbove(locked.length, 50)
    const odd = locked.filter(
      ([, { hasInstallScript = false, integrity = "" }]) =>
        hasInstallScript || !integrity.startsWith("sha512-")
    )
    assert.deepStrictEqual(
      odd.map(([place]) => place),
      []
    )
  })

  it("and is loaded by the daemon is fewer than fifteen packages", () => {
    const running = locked.filter(
      ([, { dev, optional, peer }]) => dev !== true && optional !== true && peer !== true
    )
    assert.isAbove(running.length, 3)
    assert.isBelow(running.length, 15)
  })
})
