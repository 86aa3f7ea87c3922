/**
 * What others do with the same bodies, in a process of its own: "parse", "patch" (fast-json-patch), "whole" (every row
 * compared as text); each answers with ms of CPU, all threads, for one poll.
 *
 * node bench/servers/Reference.ts ROWS
 */
import { marketBody } from "../Market.ts"
import { commands, say } from "../Probe.ts"

interface Body {
  readonly rows: ReadonlyArray<{ readonly id: string }>
}
const bodies = Array.from({ length: 3 }, (_, version) => marketBody(Number(process.argv[2]), version))
const parse = (body: Buffer): Body => JSON.parse(body.toString()) as Body

const cpuOf = (rounds: number, run: (before: Buffer, after: Buffer) => void): { readonly ms: number } => {
  // Warm first, as a daemon is.
  run(bodies[0]!, bodies[1]!)
  run(bodies[1]!, bodies[2]!)
  const before = process.cpuUsage()
  for (let i = 0; i < rounds; i++) run(bodies[i % 3]!, bodies[(i + 1) % 3]!)
  const { system, user } = process.cpuUsage(before)
  return { ms: (system + user) / 1000 / rounds }
}

commands.set("parse", ([rounds]) => cpuOf(Number(rounds), (_, body) => parse(body)))

commands.set("patch", async ([rounds]) => {
  const { default: library } = (await import("fast-json-patch" as string)) as {
    readonly default: { readonly compare: (before: object, after: object) => ReadonlyArray<object> }
  }
  let held = parse(bodies[0]!)
  return cpuOf(Number(rounds), (_, body) => {
    const next = parse(body)
    JSON.stringify(library.compare(held, next))
    held = next
  })
})

commands.set("whole", ([rounds]) => {
  const held = new Map<string, string>()
  return cpuOf(Number(rounds), (_, body) => {
    const changed: Array<string> = []
    for (const row of parse(body).rows) {
      const text = JSON.stringify(row)
      if (held.get(row.id) === text) continue
      held.set(row.id, text)
      changed.push(text)
    }
    changed.join()
  })
})

say({ port: 0 })
