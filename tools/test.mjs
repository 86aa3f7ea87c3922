/** `npm test`: types, lint, format, tests; ends with one line that counts them all. */
import { spawnSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const run = (command, args) => {
  const started = performance.now()
  const { status } = spawnSync(command, args, { stdio: "inherit" })
  console.log(
    `${status === 0 ? "ok" : "FAILED"}  ${[command, ...args].join(" ")}  ${((performance.now() - started) / 1000).toFixed(1)} s\n`
  )
  return status === 0
}

const folder = mkdtempSync(join(tmpdir(), "ratecast-"))
const report = join(folder, "report.json")
const steps = [
  run("tsc", ["--noEmit"]),
  run("tsc", ["--noEmit", "--project", "page"]),
  run("oxlint", ["--deny-warnings"]),
  run("oxfmt", ["--check", "."])
]
const ran = run("vitest", [
  "run",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
  ...process.argv.slice(2)
])
const tests = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : undefined
rmSync(folder, { recursive: true })

const failedTests = tests?.numFailedTests ?? 0
const passed = steps.filter(Boolean).length + (tests?.numPassedTests ?? 0)
// A run that failed without a failed test (a file that does not load, an unhandled error) failed all the same.
const failed = steps.filter((step) => !step).length + (ran || failedTests > 0 ? failedTests : 1)
for (const { assertionResults } of tests?.testResults ?? []) {
  for (const { fullName, status } of assertionResults)
    if (status === "skipped" || status === "pending") console.log(`skipped: ${fullName}`)
}
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
