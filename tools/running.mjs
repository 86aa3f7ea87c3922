/** Which examples run, for the tabs of the demo's page: each says so in a file, and the demo reads them all. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const every = 2_000

export const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's lives, too.
    return error.code === "EPERM"
  }
}

/**
 * The paths in `folder` that are called `NAME-PID` and the like, of processes that have died without removing them, are
 * removed; then that of this process, which goes with it. The same may be started twice: each has its own.
 */
export const ownIn = (folder, name, ending = "") => {
  mkdirSync(folder, { recursive: true })
  for (const file of readdirSync(folder)) {
    if (!file.startsWith(`${name}-`) || !file.endsWith(ending)) continue
    const pid = file.slice(name.length + 1, file.length - ending.length)
    if (/^\d+$/.test(pid) && !isAlive(Number(pid)))
      rmSync(join(folder, file), { recursive: true, force: true })
  }
  const own = join(folder, `${name}-${process.pid}${ending}`)
  process.once("exit", () => rmSync(own, { recursive: true, force: true }))
  return own
}

/** A file may be half written, or of a version that wrote something else: then that one does not run. */
const read = (file) => {
  try {
    const { at, name, pid, url } = JSON.parse(readFileSync(file, "utf8"))
    return Number.isInteger(pid) && isAlive(pid) && /^http:\/\/127\.0\.0\.1:\d+\//.test(url)
      ? [{ at, name, url }]
      : []
  } catch {
    return []
  }
}

/** By name; of one that runs twice the last that was started. */
export const runningIn = (data) => {
  const folder = join(data, "running")
  const found = readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .flatMap((file) => read(join(folder, file)))
    .toSorted((a, b) => a.at - b.at)
  return Object.fromEntries(found.map(({ name, url }) => [name, url]))
}

/** Says for as long as this process runs that an example does; the demo tells its page, whose folder is `page`. */
export const announce = (data, name, url, page) => {
  const own = ownIn(join(data, "running"), name, ".json")
  writeFileSync(own, JSON.stringify({ name, pid: process.pid, url, at: Date.now() }))
  if (name !== "dex") return
  let before
  const tell = () => {
    const text = JSON.stringify(runningIn(data))
    if (text === before) return
    before = text
    // Whole or not at all.
    writeFileSync(join(page, ".examples.json"), text)
    renameSync(join(page, ".examples.json"), join(page, "examples.json"))
  }
  tell()
  setInterval(tell, every).unref()
}
