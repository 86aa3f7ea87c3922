/** Code out of docs/client, as it stands there, to be run. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

import { bundled } from "./Site.ts"

const sources = new Map<string, string>()
/** The block that begins with `// <file>`. */
export const block = (page: string, file: string): string => {
  const url = new URL(`../../docs/client/${page}.md`, import.meta.url)
  const text = sources.get(page) ?? readFileSync(url, "utf8")
  sources.set(page, text)
  const found = [...text.matchAll(/^```tsx?\n([^]*?)^```/gm)].find(([, code]) =>
    code!.startsWith(`// ${file}\n`)
  )
  if (found === undefined) throw new Error(`docs/client/${page}.md has no block // ${file}`)
  return found[1]!
}

/** As a page loads it, or a server: `ratecast/client` is the client of this folder. */
export const runnable = async (
  page: string,
  file: string,
  format: "iife" | "esm" = "iife"
): Promise<string> => {
  const folder = mkdtempSync(join(import.meta.dirname, "../.tmp-"))
  const path = join(folder, file)
  writeFileSync(path, block(page, file))
  return bundled(path, format).finally(() => rmSync(folder, { recursive: true }))
}
