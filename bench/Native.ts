/** The C programs of the bench, compiled where there is a compiler, and once per source text. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs"
import { tmpdir, userInfo } from "node:os"
import { join } from "node:path"

const compilers = [process.env["CC"], "cc", "gcc", "clang"].filter((name) => name !== undefined)

/** The path of the program, or why there is none. */
const compile = (name: "floor" | "load"): { readonly path: string } | { readonly missing: string } => {
  const source = join(import.meta.dirname, "native", `${name}.c`)
  const hash = createHash("sha1").update(readFileSync(source)).digest("hex").slice(0, 12)
  const folder = join(tmpdir(), `ratecast-bench-${userInfo().uid}`)
  const path = join(folder, `${name}-${hash}`)
  if (existsSync(path)) return { path }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  for (const compiler of compilers) {
    try {
      execFileSync(compiler, ["-O2", "-o", `${path}.${process.pid}`, source], { stdio: "pipe" })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") continue
      return { missing: `${compiler} does not compile ${name}.c` }
    }
    renameSync(`${path}.${process.pid}`, path)
    return { path }
  }
  return { missing: "no C compiler (apt-get install gcc)" }
}

export const floor = compile("floor")
export const load = compile("load")
