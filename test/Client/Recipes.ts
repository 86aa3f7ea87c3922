/** The code of a page of docs/client, as written: each block that begins with the name of a file is that file. */
import { readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"

import { rolldown } from "rolldown"
import { compile } from "svelte/compiler"
import { compileScript, parse } from "vue/compiler-sfc"

export const root = join(import.meta.dirname, "../..")

const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  readonly exports: { readonly [entry: string]: string }
}
/** By the names that people import: files of this folder. */
export const entries: { readonly [name: string]: string } = Object.fromEntries(
  Object.entries(exports)
    .filter(([entry]) => entry.startsWith("./client"))
    .map(([entry, file]) => [entry.replace(".", "ratecast"), file])
)

export type Files = ReadonlyMap<string, string>

/** `page`: of docs/client, or what is a path from there. */
export const filesOf = (page: string): Files => {
  const text = readFileSync(join(root, "docs/client", page), "utf8")
  const blocks = text.matchAll(/^```(\w+)\n(?:\/\/|#|<!--) (\S+\.\w+)(?: -->)?\n([\s\S]*?)^```/gm)
  return new Map([...blocks].map(([, , name, code]) => [name!, code!]))
}

/** What all pages read: the config of docs/client.md. */
export const config = filesOf("../client.md").get("ratecast.config.ts")!

/** All stand where the tests' own files do, and find the same libraries. */
const place = (name: string) => join(import.meta.dirname, "recipe", name)

/** As the tools of its framework compile it. */
const loaded = (name: string, code: string) => {
  if (name.endsWith(".svelte"))
    return { code: compile(code, { filename: name }).js.code, moduleType: "js" as const }
  if (!name.endsWith(".vue")) return code
  const { descriptor } = parse(code, { filename: name })
  return {
    code: compileScript(descriptor, { id: name, inlineTemplate: true }).content,
    moduleType: "ts" as const
  }
}

/** One script of them. `entry` is one of the files. */
export const bundled = async (
  files: Files,
  entry: string,
  platform: "browser" | "node",
  format: "esm" | "iife" = "esm"
): Promise<string> => {
  const bundle = await rolldown({
    input: place(entry),
    platform,
    transform: {
      define: {
        "process.env.NODE_ENV": JSON.stringify("development"),
        __VUE_OPTIONS_API__: "false",
        __VUE_PROD_DEVTOOLS__: "false",
        __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false"
      },
      decorator: { legacy: true }
    },
    onLog: (level, log, handle) => {
      // Of a library's "use client".
      if (log.code !== "MODULE_LEVEL_DIRECTIVE") handle(level, log)
    },
    plugins: [
      {
        name: "recipe",
        resolveId: (source) => {
          if (source in entries) return join(root, entries[source]!)
          return files.has(basename(source)) && /^(\.|\/)/.test(source) ? place(basename(source)) : undefined
        },
        load: (id) => (id.startsWith(place("")) ? loaded(basename(id), files.get(basename(id))!) : undefined)
      }
    ]
  })
  const { output } = await bundle.generate({ format })
  await bundle.close()
  return output[0].code
}

let count = 0
/** What the files of a page export, in this process. */
export const imported = async <A>(files: Files, entry: string, folder: string): Promise<A> => {
  const path = join(folder, `${entry}-${count++}.mjs`)
  writeFileSync(path, await bundled(files, entry, "node"))
  return import(path) as Promise<A>
}
