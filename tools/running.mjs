/** Which examples run, for the tabs of the demo's page: each says so in a file, and the demo reads them all. */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const every = 2_000

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's lives, too.
    return error.code === "EPERM"
  }
}

/** A file may be half written, or of a version that wrote something else: then that one does not run. */
const read = (file) => {
  try {
    const { pid, url } = JSON.parse(readFileSync(file, "utf8"))
    return Number.isInteger(pid) && isAlive(pid) && /^http:\/\/127\.0\.0\.1:\d+\//.test(url) ? url : undefined
  } catch {
    return undefined
  }
}

const pidIn = (file) => {
  try {
    return JSON.parse(readFileSync(file, "utf8")).pid
  } catch {
    return undefined
  }
}

/** By name. */
export const runningIn = (data) => {
  const folder = join(data, "running")
  const found = readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => [file.slice(0, -".json".length), read(join(folder, file))])
  return Object.fromEntries(found.filter(([, url]) => url !== undefined))
}

/** Says for as long as this process runs that an example does; the demo tells its page, whose folder is `page`. */
export const announce = (data, name, url, page) => {
  const folder = join(data, "running")
  mkdirSync(folder, { recursive: true })
  const own = join(folder, `${name}.json`)
  writeFileSync(own, JSON.stringify({ pid: process.pid, url }))
  // The same example may have been started again, elsewhere.
  process.once("exit", () => pidIn(own) === process.pid && rmSync(own, { force: true }))
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
