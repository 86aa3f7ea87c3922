/** What a process costs, by the operating system's own accounting. Linux only (proc(5)). */
import { readdirSync, readFileSync } from "node:fs"

const ticksPerSecond = 100

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, "utf8")
  } catch {
    // A thread, or a process, that is gone meanwhile.
    return undefined
  }
}

const threadsOf = (pid: number): ReadonlyArray<string> => {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

const childrenOf = (pid: number): ReadonlyArray<number> =>
  threadsOf(pid).flatMap((thread) =>
    (read(`/proc/${pid}/task/${thread}/children`) ?? "").split(" ").filter(Boolean).map(Number)
  )

/** In ticks of 10 ms, threads that have ended included. */
const ticks = (pid: number): number => {
  const stat = read(`/proc/${pid}/stat`)
  if (stat === undefined) return 0
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** Of all threads that have not ended: seconds on a core (0) or ready and without one (1); NaN where that is not kept. */
const scheduled = (pid: number, field: 0 | 1): number => {
  let sum = 0
  for (const thread of threadsOf(pid))
    sum += Number((read(`/proc/${pid}/task/${thread}/schedstat`) ?? "NaN").split(" ")[field])
  return sum / 1e9
}

/** Seconds that a process was ready to run while somebody else had its core. */
export const waitedSeconds = (pid: number): number => scheduled(pid, 1)

/** User and system time of a process, all its threads and its children, in seconds. */
export const cpuSeconds = (pid: number): number => {
  const whole = ticks(pid)
  const fine = scheduled(pid, 0)
  // A thread that ended took its nanoseconds with it; then the ticks are more.
  const own = fine >= whole - 3 / ticksPerSecond ? fine : whole
  return childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child), own)
}

/** KiB of memory that a process and its children hold (`VmRSS`). What the kernel holds for their sockets is not in it. */
export const residentKiB = (pid: number): number => {
  const [, kiB = "NaN"] = /^VmRSS:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`) ?? "") ?? []
  return childrenOf(pid).reduce((sum, child) => sum + residentKiB(child), Number(kiB))
}
