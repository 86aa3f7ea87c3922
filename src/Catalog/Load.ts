/** Loads a `ratecast.config.ts` as Node runs it, and says what is wrong with it in words that name the file. */
import { existsSync, readdirSync } from "node:fs"
import { basename, dirname, resolve } from "node:path"
import { pathToFileURL } from "node:url"

import { Effect, Schema } from "effect"

import { type Catalog, configFile, makeCatalog } from "../Catalog.ts"
import { didYouMean } from "../Nearest.ts"
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
    try: () => import(pathToFileURL(path).href) as Promise<{ readonly default?: unknown }>,
    catch: (error) => mistake([{ at: "", message: `could not be loaded: ${String(error)}` }])
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
