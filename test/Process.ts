/** Commands as a person runs them: processes of their own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

export const root = new URL("..", import.meta.url).pathname

/** Everybody may read, and come as often as they like. */
const open = { ANONYMOUS_READ: "*", MAX_CONNECTIONS_PER_ADDRESS: "100000" }

export class Process {
  readonly child: ChildProcess
  out = ""
  err = ""
  /** Its exit code, or the signal that ended it. */
  readonly exit: Promise<number | NodeJS.Signals | null>

  /** Keeps nothing on disk, unless told to. `files`: how many file descriptors it may have. */
  constructor(
    script: string,
    args: ReadonlyArray<string>,
    env: { readonly [name: string]: string } = {},
    files?: number
  ) {
    const limit = files === undefined ? "" : `ulimit -n ${files} && `
    this.child = spawn(
      "sh",
      ["-c", `${limit}exec "$0" "$@"`, process.execPath, join(root, script), ...args],
      {
        env: { ...process.env, RATECAST_DATA: "none", ...open, ...env }
      }
    )
    this.child.stdout!.on("data", (data: Buffer) => (this.out += data))
    this.child.stderr!.on("data", (data: Buffer) => (this.err += data))
    this.exit = new Promise((resolve) => this.child.once("close", (code, signal) => resolve(code ?? signal)))
  }

  /** The processes it has started. */
  get children(): ReadonlyArray<number> {
    return execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map((line) => line.trim().split(/\s+/).map(Number))
      .flatMap(([pid, parent]) => (parent === this.child.pid ? [pid!] : []))
  }

  kill(): void {
    this.child.kill("SIGKILL")
  }
}

export const ratecast = (
  args: ReadonlyArray<string>,
  env: { readonly [name: string]: string } = {},
  files?: number
): Process => new Process("bin/ratecast.mjs", args, env, files)

export const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** A folder inside the project, so that a config there finds `effect`. */
export class Folder {
  readonly path = mkdtempSync(join(root, "test/.tmp-"))

  /** A config of one collection, `things`, polled ten times a second. */
  config(name: string, url: string, options: string): string {
    const file = join(this.path, name)
    writeFileSync(
      file,
      `import { Schema } from "effect"
import { defineConfig, polled, source } from "${root}src/Config.ts"
export default defineConfig({ collections: { things: polled({
  source: source({ url: "${url}", every: "100 millis" }),
  row: Schema.Struct({ id: Schema.String, n: Schema.Int }),
  ${options}
}) } } as never)
`
    )
    return file
  }

  /** A config of one collection that is written. */
  written(name: string, collection = "notes"): string {
    const file = join(this.path, name)
    writeFileSync(
      file,
      `import { Schema } from "effect"
import { defineConfig, written } from "${root}src/Config.ts"
export default defineConfig({ collections: { "${collection}": written({
  key: "id",
  row: Schema.Struct({ id: Schema.String, text: Schema.String })
}) } })
`
    )
    return file
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}
