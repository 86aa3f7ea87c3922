/** What may be wrong with the journal's file, in the words of the port. */
import { accessSync, constants, existsSync } from "node:fs"
import { dirname } from "node:path"

import type { JournalTrouble } from "../Journal.ts"

/** What went wrong with the file. */
export class DatabaseMistake extends Error {
  readonly trouble: JournalTrouble
  constructor(trouble: JournalTrouble, detail: string) {
    super(detail)
    this.trouble = trouble
  }
}

/** By primary result code of SQLite (https://sqlite.org/rescode.html). */
const troubles: { readonly [code: number]: JournalTrouble } = {
  5: "locked",
  6: "locked",
  8: "read_only",
  11: "corrupt",
  13: "full",
  26: "foreign"
}

export const mistakeOf = (error: unknown): DatabaseMistake => {
  if (error instanceof DatabaseMistake) return error
  if (error instanceof SyntaxError) return new DatabaseMistake("corrupt", error.message)
  const { code, errcode, message } = error as { code?: string; errcode?: number; message?: string }
  const trouble = code === "ENOSPC" ? "full" : code === "EACCES" || code === "EROFS" ? "read_only" : undefined
  return new DatabaseMistake(trouble ?? troubles[(errcode ?? 0) & 0xff] ?? "failed", String(message ?? error))
}

/** SQLite says only that it cannot, or that there was an I/O error, and not of which of the files. */
export const openMistakeOf = (file: string, error: unknown): DatabaseMistake => {
  const mistake = mistakeOf(error)
  if (mistake.trouble !== "failed" && mistake.trouble !== "read_only") return mistake
  for (const each of [dirname(file), file, `${file}-wal`]) {
    try {
      if (existsSync(each)) accessSync(each, constants.W_OK | constants.R_OK)
    } catch (denied) {
      return mistakeOf(denied)
    }
  }
  return mistake
}
