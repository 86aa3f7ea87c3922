/**
 * The page as files that a browser loads, in `dist/page`: its modules and the client in one script, its styles in one sheet.
 * `node tools/page-build.mjs` builds it; `npm start` does where that is missing or older than what it is made of.
 */
import { randomUUID } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const from = join(root, "page")
export const pageFolder = join(root, "dist/page")

/** In this order: later ones may say otherwise. */
const sheets = [
  "node_modules/uplot/dist/uPlot.min.css",
  "page/look.css",
  "page/page.css",
  "page/table.css",
  "page/panels.css",
  "page/frames.css"
]
const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name, parentPath }) => join(parentPath, name))

/** Whether it is there, and not older than any of its sources. */
const isFresh = (folder) => {
  try {
    const built = statSync(join(folder, "index.html")).mtimeMs
    const sources = [
      ...filesIn(from),
      ...filesIn(join(root, "client")),
      fileURLToPath(import.meta.url),
      join(root, "package-lock.json")
    ]
    return sources.every((file) => statSync(file).mtimeMs <= built)
  } catch {
    return false
  }
}

/** Returns its folder. Whole or not at all: somebody else may build it, or read it, in the same moment. */
export const buildPage = async ({ folder = pageFolder, isForced = false } = {}) => {
  if (!isForced && isFresh(folder)) return folder
  const { rolldown } = await import("rolldown")
  const made = `${folder}-${randomUUID()}`
  mkdirSync(made, { recursive: true })
  const bundle = await rolldown({
    input: { page: join(from, "Page.ts"), look: join(from, "Look.ts") },
    platform: "browser"
  })
  await bundle.write({
    dir: made,
    format: "esm",
    minify: true,
    entryFileNames: "[name].js",
    chunkFileNames: "[name].js"
  })
  await bundle.close()
  const styles = sheets.map((sheet) =>
    readFileSync(join(root, sheet), "utf8")
      .replace(/\/\*[^]*?\*\//g, "")
      .replace(/\s*\n\s*/g, "\n")
      .trim()
  )
  writeFileSync(join(made, "page.css"), `${styles.join("\n")}\n`)
  // The last is what tells how old all of it is.
  for (const file of ["icon.svg", "index.html"])
    writeFileSync(join(made, file), readFileSync(join(from, file)))
  if (isForced || !isFresh(folder)) {
    rmSync(folder, { recursive: true, force: true })
    renameSync(made, folder)
  } else rmSync(made, { recursive: true })
  return folder
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const began = performance.now()
  await buildPage({ isForced: true })
  const sizes = readdirSync(pageFolder).map((name) => `${name} ${statSync(join(pageFolder, name)).size} B`)
  console.log(`dist/page: ${sizes.join(", ")}; ${Math.round(performance.now() - began)} ms`)
}
