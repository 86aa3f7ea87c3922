/** Loads a `ratecast.config.ts` as Node runs it, and says what is wrong with it in words that name the file. */
import { spawnSync } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { basename, dirname, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

import { Effect, Schema } from "effect"

import { type Catalog, configFile, makeCatalog } from "../Catalog.ts"
import { didYouMean } from "../Nearest.ts"
import { importConfig } from "./Import.ts"
import type { Problem } from "./Problems.ts"

export class ConfigMistake extends Schema.TaggedError<ConfigMistake>()("ConfigMistake", {
  file: Schema.String,
  problems: Schema.Array(Schema.Struct({ at: Schema.String, message: Schema.String }))
}) {
  override get message(): string {
    const lines = this.problems.map(({ at, message }) => `  ${at === "" ? "" : `${at}: `}${message}`)
    return [`${this.file}: ${lines.length === 1 ? "a mistake" : `${lines.length} mistakes`}`, ...lines].join(
      "\n"
    )
  }
}

const loadWithin = "30 seconds"

export const loadCatalog = Effect.fnUntraced(function* (
  file: string
): Effect.fn.Return<Catalog["Service"], ConfigMistake> {
  const path = resolve(file)
  const mistake = (problems: ReadonlyArray<Problem>) => new ConfigMistake({ file, problems })
  if (!existsSync(path)) {
    return yield* mistake([{ at: "", message: `there is no such file${nearby(path)}` }])
  }
  const from = configFile(path)
  const loaded = yield* Effect.tryPromise({
    try: () => importConfig(path),
    catch: (error) =>
      mistake([{ at: placeOf(error, path), message: `could not be loaded: ${String(error)}` }])
  }).pipe(Effect.timeoutOrElse({ duration: loadWithin, orElse: () => Effect.succeed("never" as const) }))
  if (loaded === "never") {
    return yield* mistake([
      { at: "", message: `did not load within ${loadWithin}; does it await something?` }
    ])
  }
  if (loaded.default === undefined) {
    return yield* mistake([
      { at: "", message: "has no default export; export default defineConfig({ collections: { … } })" }
    ])
  }
  const catalog = makeCatalog(loaded.default as never)
  return Array.isArray(catalog)
    ? yield* mistake(catalog as ReadonlyArray<Problem>)
    : { ...(catalog as Catalog["Service"]), file: from }
})

const nearby = (path: string): string => {
  const folder = dirname(path)
  return existsSync(folder)
    ? didYouMean(
        basename(path),
        readdirSync(folder).filter((name) => !name.startsWith("vitest"))
      )
    : ""
}

/** `line 12`, or `rows.ts:12` for a file that the config imports; empty where nobody knows. */
const placeOf = (error: unknown, path: string): string => {
  const isUnparsed = error instanceof SyntaxError
  const stack = error instanceof Error ? (error.stack ?? "") : ""
  // Of frames alone, and of the first line of what is no JavaScript: a message may speak of files, too.
  const frames = stack.split("\n").filter((line, i) => /^\s+at /.test(line) || (i === 0 && isUnparsed))
  const places = frames
    .flatMap((line) => Array.from(line.matchAll(/(file:\/\/\/.*?):(\d+)/g)))
    .map(([, url, line]) => ({ file: fileURLToPath(url!), line: line! }))
    .filter(({ file }) => !file.includes("node_modules"))
  const own = places.find(({ file }) => file === path)
  const place = own ?? (isUnparsed ? (places[0] ?? checked(path)) : places[0])
  if (place === undefined) return ""
  return place.file === path ? `line ${place.line}` : `${relative(dirname(path), place.file)}:${place.line}`
}

/** Of some of what is no JavaScript an import says no line; Node's own check of the one file does. */
const checked = (path: string): { readonly file: string; readonly line: string } | undefined => {
  const { stderr } = spawnSync(process.execPath, ["--check", path], { encoding: "utf8", timeout: 10_000 })
  const line = /^.+:(\d+)\n/.exec(stderr)?.[1]
  return line === undefined ? undefined : { file: path, line }
}
