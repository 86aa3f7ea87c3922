/** The code of a page of docs/client, as written: each block that begins with the name of a file is that file. */
import { readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"

import { rolldown } from "rolldown"

export const root = join(import.meta.dirname, "../..")

/** By the names that people import. */
export const entries: { readonly [name: string]: string } = {
  "ratecast/client": "client/Cast.ts",
  "ratecast/client/react": "client/React.ts",
  "ratecast/client/redux": "client/Redux.ts",
  "ratecast/client/tanstack-query": "client/TanstackQuery.ts",
  "ratecast/client/angular": "client/Angular.ts"
}

export type Files = ReadonlyMap<string, string>

export const filesOf = (page: string): Files => {
  const text = readFileSync(join(root, "docs/client", page), "utf8")
  const blocks = text.matchAll(/^```(\w+)\n(?:\/\/|#) (\S+\.\w+)\n([\s\S]*?)^```/gm)
  return new Map([...blocks].map(([, , name, code]) => [name!, code!]))
}

/** All stand where the tests' own files do, and find the same libraries. */
const place = (name: string) => join(import.meta.dirname, "recipe", name)

/** One script of them. `entry` is one of the files. */
export const bundled = async (
  files: Files,
  entry: string,
  platform: "browser" | "node",
  transform: (code: string, name: string) => string | undefined = () => undefined
): Promise<string> => {
  const bundle = await rolldown({
    input: place(entry),
    platform,
    transform: {
      define: { "process.env.NODE_ENV": JSON.stringify("development") },
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
        load: (id) => (id.startsWith(place("")) ? files.get(basename(id)) : undefined),
        transform: (code, id) => transform(code, id)
      }
    ]
  })
  const { output } = await bundle.generate({ format: "esm" })
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
