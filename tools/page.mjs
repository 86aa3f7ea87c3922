/** The page of an example as one folder to serve: its own files, what examples share, and libraries. */
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

import { buildPage } from "./page-build.mjs"

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/**
 * Returns the folder. `libraries.json`, where there is one, says which file of node_modules stands under which name,
 * and which source of ours, as a script for a page; `borrowed.json` names files of other examples' pages that stand beside its own. `backend` is told to the page as
 * `backend.json`: where its backend is.
 */
export const assemblePage = async (name, folder, backend) => {
  const from = join(root, "examples", name)
  rmSync(folder, { recursive: true, force: true })
  cpSync(join(from, "page"), folder, { recursive: true })
  cpSync(join(root, "examples/shared"), join(folder, "shared"), { recursive: true })
  await bundle(join(root, "client/Cast.ts"), join(folder, "shared/ratecast.js"))
  const list = (name, none) =>
    existsSync(join(from, name)) ? JSON.parse(readFileSync(join(from, name), "utf8")) : none
  for (const file of list("borrowed.json", []))
    cpSync(join(root, "examples", file), join(folder, basename(file)))
  const libraries = list("libraries.json", {})
  for (const [file, library] of Object.entries(libraries))
    if (library.endsWith(".ts")) await bundle(join(root, library), join(folder, "libraries", file))
    else cpSync(join(root, "node_modules", library), join(folder, "libraries", file))
  if (backend !== undefined) writeFileSync(join(folder, "backend.json"), JSON.stringify({ url: backend }))
  return folder
}

const bundle = async (input, file) => {
  const { rolldown } = await import("rolldown")
  const script = await rolldown({ input, platform: "browser" })
  await script.write({ file, format: "esm" })
  await script.close()
}

/** The page of the daemon itself, told that it is the demo's, and where its simulator is. Returns the folder. */
export const assembleDemo = async (folder, simulator) => {
  rmSync(folder, { recursive: true, force: true })
  cpSync(await buildPage(), folder, { recursive: true })
  const index = join(folder, "index.html")
  const told = `<html lang="en" data-demo${simulator === undefined ? "" : ` data-simulator="${simulator}"`}`
  writeFileSync(index, readFileSync(index, "utf8").replace('<html lang="en"', told))
  return folder
}
