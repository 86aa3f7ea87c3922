/**
 * Which members of written families are in memory: one that nobody has read or written for a while is kept by the journal
 * as it is, with its revisions, tombstones and floor, and leaves State; it comes back when somebody needs it. That is no
 * commit and changes no cursor. First the journal has it, then it goes: a death between the two finds it in both places.
 */
import { Clock, Duration, Effect, Metric } from "effect"

import type { Catalog } from "../Catalog.ts"
import { familyOf } from "../Collection.ts"
import type { WrittenOptions } from "../Config.ts"
import { steady } from "../Steady.ts"
import { Unreadable } from "../Unreadable.ts"
import type { Demand } from "../Upstream.ts"
import { tableOf, tableText } from "./Checkpoint.ts"
import type { Followers } from "./Followers.ts"
import { type Journal, JournalFailed } from "./Journal.ts"
import type { Memory, State } from "./State.ts"
import type { Table } from "./Table.ts"

const awayNow = Metric.gauge("hub_members_paged_out", {
  description:
    "Members of written families whose rows are in the journal alone, because nobody reads or writes them"
})

const defaultAfter = Duration.minutes(30)
/** A family is looked through four times in the time after which a member goes, but not more rarely than this, ms. */
const rarest = 60_000

export const pager = Effect.fnUntraced(function* (options: {
  readonly state: State
  readonly catalog: Catalog["Service"]
  readonly memory: Memory
  readonly journal: Journal["Service"]
  readonly followers: Followers
  readonly demand: Demand["Service"]
}) {
  const { catalog, demand, followers, journal, memory, state } = options
  const clock = steady(yield* Clock.Clock)
  const context = yield* Effect.context<never>()
  /** By family, ms. */
  const after = new Map<string, number>()
  for (const { family, made, name } of catalog.declared.values())
    if (family && made._tag === "Written") after.set(name, afterOf(made.options))
  const longest = Math.max(0, ...after.values())

  /** It was said of these that they cannot go. */
  const told = new WeakSet<Table>()

  const use = (names: Iterable<string>): void => {
    const now = clock.currentTimeMillisUnsafe()
    for (const name of names) {
      const table = state.tables.get(name)
      if (table !== undefined) table.usedAt = now
    }
  }
  const count = () => awayNow.updateUnsafe(state.away.size, context)
  count()

  const isIdle = (name: string, table: Table | undefined): table is Table => {
    const wait = after.get(familyOf(name)?.family ?? "")
    // One without rows is bounded with all others that have none.
    if (wait === undefined || table === undefined || table.size === 0) return false
    // What is away is live: one that is still to be loaded is not.
    if (table.health.state !== "live") return false
    table.usedAt ??= clock.currentTimeMillisUnsafe()
    const last = Math.max(table.usedAt, demand.readAt(name))
    return last + wait <= clock.currentTimeMillisUnsafe() && !state.holds.has(name)
  }

  const pageOut = Effect.fnUntraced(function* (name: string, table: Table) {
    const { rev } = table
    if (table.keptAt !== rev) yield* journal.keepMember({ name, rev, text: tableText(table) })
    table.keptAt = rev
    // Somebody may have come meanwhile, or the journal may be gone.
    if (state.tables.get(name) !== table || table.rev !== rev || !isIdle(name, table)) return
    if (!journal.outlives()) return
    state.pageOut(name)
    followers.tell({ _tag: "PagedOut", name })
    count()
  })

  const sweep = Effect.gen(function* () {
    demand.forgetReads(clock.currentTimeMillisUnsafe() - longest)
    if (!journal.outlives()) return
    const idle = [...state.tables].filter(([name, table]) => isIdle(name, table))
    const staying: Array<string> = []
    let why = ""
    for (const [name, table] of idle) {
      if (!isIdle(name, table)) continue
      const left = yield* Effect.result(pageOut(name, table))
      if (left._tag === "Success") continue
      // Tried again when it has been idle for as long once more, and said once.
      use([name])
      if (told.has(table)) continue
      told.add(table)
      staying.push(name)
      why = left.failure.message
    }
    if (staying.length === 0) return
    const others = staying.length === 1 ? "" : ` and ${staying.length - 1} others`
    yield* Effect.logWarning(`${staying[0]}${others} cannot be paged out and stay in memory: ${why}`)
  })

  const corrupt = (detail: string) => new JournalFailed({ file: journal.file, trouble: "corrupt", detail })
  const read = Effect.fnUntraced(function* (name: string) {
    const text = yield* journal.member(name)
    const away = state.away.get(name)
    if (away === undefined) return
    if (text === undefined) return yield* corrupt("it is not there")
    const table = yield* Effect.try({
      try: () => tableOf(text, memory),
      catch: (error) => corrupt(String(error))
    })
    if (Math.max(table.rev, table.floor) !== away.rev)
      return yield* corrupt("it is there as it was at another revision")
    state.pageIn(name, () => table)
    use([name])
    followers.tell({ _tag: "PagedIn", name, text })
    count()
  })
  const bring = (name: string): Effect.Effect<void, Unreadable> =>
    read(name).pipe(
      Effect.catch(({ message }) =>
        Effect.andThen(
          Effect.logError(`${name} is paged out and cannot be read: ${message}`),
          Effect.fail(new Unreadable())
        )
      )
    )

  const every = Math.min(rarest, ...[...after.values()].map((ms) => ms / 4))
  const run = after.size === 0 ? Effect.never : sweep.pipe(Effect.delay(every), Effect.forever)
  return { bring, run, use }
})

const afterOf = ({ pageOutAfter = defaultAfter }: WrittenOptions<unknown>): number =>
  Duration.toMillis(Duration.fromInputUnsafe(pageOutAfter))
