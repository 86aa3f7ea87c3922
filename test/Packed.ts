/** Ratecast as it is published, and a folder of somebody who has installed it. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"

import { Process } from "./Process.ts"
import { bin, root } from "./Project.ts"

const run = (cwd: string, command: string, args: ReadonlyArray<string>) => {
  const { error, status, stderr, stdout } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    timeout: 180_000
  })
  return { status: error === undefined ? status : error.message, text: stdout + stderr, out: stdout }
}

export class Packed {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), "ratecast-packed-")))
  /** What is published, before it is packed. */
  readonly package = join(this.path, "package")
  readonly tarball: string

  constructor() {
    this.must(root, process.execPath, [join(root, "tools/build.mjs"), this.package])
    const [{ filename }] = JSON.parse(this.must(this.path, "npm", ["pack", "--json", this.package]).out) as [
      { filename: string }
    ]
    this.tarball = join(this.path, filename)
  }

  /** A folder where this is installed. */
  install(): string {
    const folder = realpathSync(mkdtempSync(join(this.path, "app-")))
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }))
    this.add(folder, [this.tarball])
    return folder
  }

  add(folder: string, packages: ReadonlyArray<string>): void {
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
    this.must(folder, "npm", ["install", ...quiet, ...packages])
  }

  run(folder: string, command: string, args: ReadonlyArray<string>) {
    return run(folder, command, args)
  }

  must(folder: string, command: string, args: ReadonlyArray<string>) {
    const done = run(folder, command, args)
    if (done.status !== 0)
      throw new Error(`${[command, ...args].join(" ")} ended with ${done.status}: ${done.text}`)
    return done
  }

  /** As the README says it. */
  bundle(folder: string, entry: string, file: string): void {
    this.must(folder, bin("rolldown"), [entry, "--file", `page/${file}`, "--platform", "browser", "--minify"])
  }

  /** The command of `app`, where this is installed, with the config and the page of `folder`. */
  serve(app: string, folder: string, port: number, env: { readonly [name: string]: string }): Process {
    const command = relative(root, join(app, "node_modules/ratecast/bin/ratecast.mjs"))
    const config = join(folder, "ratecast.config.ts")
    const page = join(folder, "page")
    return new Process(command, ["serve", "--config", config], { PORT: String(port), PAGE: page, ...env })
  }

  /** As the editor of somebody who makes a page says it. */
  typeCheck(folder: string, files: ReadonlyArray<string>) {
    const options =
      "--ignoreConfig --noEmit --strict --skipLibCheck --allowImportingTsExtensions --target esnext --module nodenext --lib esnext,dom --jsx react-jsx"
    return run(folder, bin("tsc"), [...options.split(" "), "--types", "", ...files])
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}
