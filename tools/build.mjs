/**
 * `npm run build`: makes dist, the package as it is published. Its entries are those of `exports` in package.json, where
 * they are sources; in dist each is JavaScript with its types. The client is bundled, an entry a file; the daemon stays file
 * by file, since it starts its threads by the names of files.
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import { fileURLToPath } from "node:url"

import { rolldown } from "rolldown"

import { buildPage } from "./page-build.mjs"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))

const beside = ["docs", "README.md", "CHANGELOG.md", "LICENSE"]

/** By path within the package (`./client`): the source. */
const entries = Object.fromEntries(
  Object.entries(manifest.exports).filter(([, file]) => /\.tsx?$/.test(file))
)
const isClient = (file) => file.startsWith("./client/")
const nameOf = (file) => basename(file).replace(/\.tsx?$/, "")
const made = (file, ending) => file.replace(/\.tsx?$/, ending)

/** What is wrong with types, by the file that it is in. */
const compile = (project, folder) => {
  const { error, status, stdout } = spawnSync(
    join(root, "node_modules/.bin/tsc"),
    ["--project", join(root, "tools/build", project), "--outDir", folder, "--pretty", "false"],
    { cwd: root, encoding: "utf8", shell: process.platform === "win32" }
  )
  if (error !== undefined) throw error
  const problems = stdout.split("\n").filter((line) => line.includes(": error "))
  if (status !== 0 && problems.length === 0) throw new Error(`tsc ended with ${status}: ${stdout}`)
  return problems
}

const refuse = (problems) => {
  if (problems.length > 0) throw new Error(problems.join("\n"))
}

const importIn = /(\bfrom |\bimport |\bimport\()"(\.[^"]+?)\.tsx?"/g

/** Keeps what the entries' types refer to: the others are nobody's, and some of them have no name to be written by. */
const prune = (folder, problems) => {
  const reached = new Set()
  const visit = (file) => {
    if (reached.has(file)) return
    reached.add(file)
    for (const [, , to] of readFileSync(file, "utf8").matchAll(importIn))
      visit(join(dirname(file), `${to}.d.ts`))
  }
  for (const file of Object.values(entries)) visit(join(folder, made(file, ".d.ts")))
  for (const name of readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".d.ts"))) {
    const file = join(folder, name)
    if (!reached.has(file)) rmSync(file)
    // tsc leaves the endings of sources in types.
    else writeFileSync(file, readFileSync(file, "utf8").replace(importIn, '$1"$2.js"'))
  }
  const sources = new Set([...reached].map((file) => relative(folder, file).replace(/\.d\.ts$/, "")))
  refuse(problems.filter((line) => sources.has(/^(.*?)\.tsx?\(/.exec(line)?.[1])))
}

/** Peers and other packages are whoever bundles it to find. */
const external = (id) => !/^[./]/.test(id)

/** Names its sources as they are called here, wherever it is built. */
const sourcemaps = {
  sourcemap: true,
  sourcemapPathTransform: (source, map) => relative(root, resolve(dirname(map), source))
}

const bundle = async (folder) => {
  const clients = Object.values(entries).filter(isClient)
  const options = { platform: "browser", external, transform: { target: "es2022" } }
  const modules = await rolldown({
    ...options,
    input: Object.fromEntries(clients.map((file) => [nameOf(file), join(root, file)]))
  })
  await modules.write({
    dir: join(folder, "client"),
    format: "esm",
    ...sourcemaps,
    chunkFileNames: "shared/[name]-[hash].js"
  })
  await modules.close()
  const script = await rolldown({ ...options, input: join(root, entries["./client"]) })
  await script.write({
    file: join(folder, "client/ratecast.global.js"),
    format: "iife",
    name: "Ratecast",
    minify: true,
    comments: false,
    ...sourcemaps
  })
  await script.close()
}

const published = () => {
  const { dependencies, description, engines, keywords, license, name, type, version } = manifest
  const { peerDependencies, peerDependenciesMeta } = manifest
  return {
    name,
    version,
    description,
    keywords,
    license,
    type,
    bin: manifest.bin,
    exports: {
      ...Object.fromEntries(
        Object.entries(entries).map(([path, file]) => [
          path,
          { types: made(file, ".d.ts"), default: made(file, ".js") }
        ])
      ),
      "./package.json": "./package.json"
    },
    unpkg: "./client/ratecast.global.js",
    jsdelivr: "./client/ratecast.global.js",
    sideEffects: ["./bin/*", "./src/Main.js", "./src/**/Thread.js", "./client/ratecast.global.js"],
    engines,
    dependencies,
    peerDependencies,
    peerDependenciesMeta
  }
}

/** Makes the package in `folder`, which is emptied. Fails with whatever is wrong with a type. */
export const build = async (folder) => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  refuse(compile("daemon.json", folder))
  prune(folder, [...compile("types.json", folder), ...compile("client.json", folder)])
  await bundle(folder)
  await buildPage({ folder: join(folder, "page"), isForced: true })
  for (const name of beside) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(folder, name), { recursive: true })
  }
  const command = readFileSync(join(root, manifest.bin.ratecast), "utf8")
  mkdirSync(join(folder, "bin"))
  writeFileSync(join(folder, manifest.bin.ratecast), command.replace("../src/Main.ts", "../src/Main.js"), {
    mode: 0o755
  })
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(published(), undefined, 2)}\n`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = resolve(process.argv[2] ?? join(root, "dist"))
  await build(folder)
  console.log(`the package is in ${folder}: npm pack ${folder}`)
}
