/** A collection as large as any: 42,000 pools, of which 800 change at once. */
import { change, type Line, type Pool, snapshot, type Stage } from "./Stage.ts"

const pool = (i: number, usd: number): Pool => ({ id: `p${i}`, usd: `${usd}` })
const size = 42_000
const changed = 800

export const market = (stage: Stage): void => {
  const pools = Object.fromEntries(Array.from({ length: size }, (_, i) => [`p${i}`, pool(i, 0)]))
  stage.greet = (line) => {
    const since = line.query.get("since")
    line.say(since === null ? snapshot(1, pools) : { type: "ping", from: since, cursor: since })
  }
}

/** The next price of every 52nd pool. */
export const trade = (line: Line, revision: number): void => {
  const step = Math.floor(size / changed)
  const set = Array.from({ length: changed }, (_, i) => [`p${i * step}`, { usd: `${revision}` }])
  line.say(change(revision, revision + 1, { set: Object.fromEntries(set) }))
}

/** Not the test's. */
const clock = performance.now.bind(performance)

/** Says how long each of these steps took, ms; nothing is asserted of time. */
export const measured = async (
  what: string,
  from: number,
  to: number,
  run: (revision: number) => Promise<void>
): Promise<void> => {
  const took: Array<number> = []
  for (let revision = from; revision < to; revision++) {
    const before = clock()
    await run(revision)
    took.push(clock() - before)
  }
  const median = took.toSorted((a, b) => a - b)[Math.floor(took.length / 2)]!
  console.log(`${what}: ${median.toFixed(1)} ms for ${changed} changes of ${size} rows`)
}
