/** A project of somebody who uses Ratecast, in a folder of its own: what the docs say is put there, and checked as theirs is. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"

export const root = resolve(import.meta.dirname, "..")

/** `tsc`, `node`: those of this package. */
export const bin = (name: string) => join(root, "node_modules/.bin", name)

/** The examples of a page. */
export const blocksOf = (page: string, language = "ts"): ReadonlyArray<string> =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, code]) => code!)

export class Project {
  readonly path = realpathSync(mkdtempSync(join(tmpdir(), "ratecast-page-")))

  constructor() {
    mkdirSync(join(this.path, "node_modules"))
    for (const name of ["effect", "@types"])
      symlinkSync(join(root, "node_modules", name), join(this.path, "node_modules", name))
    symlinkSync(root, join(this.path, "node_modules/ratecast"))
    this.write("package.json", JSON.stringify({ type: "module" }))
    this.write(
      "tsconfig.json",
      JSON.stringify({ extends: join(root, "tsconfig.json"), include: ["*/*.ts"], exclude: ["node_modules"] })
    )
  }

  write(file: string, text: string): void {
    mkdirSync(join(this.path, dirname(file)), { recursive: true })
    writeFileSync(join(this.path, file), text)
  }

  run(command: string, args: ReadonlyArray<string>) {
    const { status, stderr, stdout } = spawnSync(bin(command), args, {
      cwd: this.path,
      encoding: "utf8",
      timeout: 60_000,
      // A test runner that finds itself inside another one answers to that one.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, API: undefined }
    })
    return { status, text: stdout + stderr }
  }

  /** As an editor says it. */
  typeCheck() {
    return this.run("tsc", ["--noEmit", "--project", "tsconfig.json"])
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}
