/** What State costs, in this process: the figures to compare with one another, not with another machine. */
import type { Commit, Delta, Row } from "../src/Collection.ts"
import { changesSince } from "../src/Hub/Changes.ts"
import { commitText } from "../src/Hub/CommitText.ts"
import { makeQuery } from "../src/Hub/Query.ts"
import { State } from "../src/Hub/State.ts"
import { diffRows } from "../src/RateEngine/Diff.ts"
import type { Options } from "./Options.ts"
import type { Report } from "./Report.ts"

const size = 42_000
const fields = ["id", ...Array.from({ length: 11 }, (_, i) => `f${i}`)]
const collection = { name: "rows", kind: "polled" as const, key: "id", fields, fixed: new Set<string>() }

const rowOf = (i: number, version: number): Row =>
  Object.fromEntries(
    fields.map((name, n) => [
      name,
      name === "id" ? `EQ${i}` : n < 4 ? `${i * 7919 + version}000000` : `value ${i} ${n}`
    ])
  )

/** ms of CPU, so that it says the same while the machine does other things. */
const time = <A>(run: () => A): readonly [A, number] => {
  const before = process.cpuUsage()
  const result = run()
  const { system, user } = process.cpuUsage(before)
  return [result, (system + user) / 1000]
}

const middle = (all: ReadonlyArray<number>) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]!

export const stateFigures = (): ReadonlyArray<{ readonly name: string; readonly ms: number }> => {
  const body = JSON.stringify(Array.from({ length: size }, (_, i) => rowOf(i, 0)))
  const parse = middle(Array.from({ length: 7 }, () => time(() => JSON.parse(body) as unknown)[1]))
  const state = new State({ epoch: "bench", describe: () => collection })
  const query = makeQuery([["rows", { collection, keys: undefined, fields: undefined, where: [] }]])
  const whole = new Map((JSON.parse(body) as Array<Row>).map((row) => [row["id"] as string, row]))
  const commit = (delta: Delta) => {
    const made: Commit = { at: 1, deltas: new Map([["rows", delta]]), asOf: new Map() }
    state.apply(made, commitText(made))
  }
  const [, first] = time(() => commit(diffRows(fields, new Map(), whole)))
  const poll = (version: number) =>
    new Map(
      (JSON.parse(body) as Array<Row>).map((row, i) => [
        row["id"] as string,
        i % 50 === 0 ? rowOf(i, version) : row
      ])
    )
  let version = 0
  const diffs: Array<number> = []
  const commits: Array<number> = []
  const changes: Array<number> = []
  for (let n = 0; n < 9; n++) {
    const next = poll(++version)
    const [delta, diff] = time(() => diffRows(fields, state.rows("rows"), next))
    const before = state.revision
    diffs.push(diff)
    commits.push(time(() => commit(delta))[1])
    changes.push(time(() => changesSince(state, query, { sent: before, seen: before }))[1])
  }
  const behind = (n: number) =>
    time(() => changesSince(state, query, { sent: state.revision - n, seen: state.revision - n }))[1]
  return [
    { name: `JSON.parse of the body (${(body.length / 1e6).toFixed(1)} MB)`, ms: parse },
    { name: "first commit: diff, text, chain, apply", ms: first },
    { name: "a poll with 2 % changed: diff of every row, field by field", ms: middle(diffs) },
    { name: "its commit of 840 rows: text, chain, apply", ms: middle(commits) },
    { name: "changesSince, one commit behind", ms: middle(changes) },
    { name: "changesSince, five commits behind", ms: behind(5) },
    {
      name: "changesSince for one key",
      ms: time(() =>
        changesSince(
          state,
          makeQuery([["rows", { collection, keys: new Set(["EQ50"]), fields: undefined, where: [] }]]),
          { sent: 1, seen: 1 }
        )
      )[1]
    }
  ]
}

export const state = async (_options: Options, report: Report): Promise<void> => {
  const figures = stateFigures()
  const parse = figures[0]!.ms
  report.table(
    "State, 42,000 rows of 12 fields, one core",
    figures.map(({ ms, name }) => ({ what: name, ms, "× JSON.parse": ms / parse }))
  )
}
