/** What a process has cost so far, by the operating system's own accounting: user and system time of all its threads. */
import { readFileSync } from "node:fs"

const ticksPerSecond = 100

/** Seconds. Linux only (proc(5), `/proc/<pid>/stat`, fields 14 and 15). */
export const cpuSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}
