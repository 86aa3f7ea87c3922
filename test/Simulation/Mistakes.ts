/** Mistakes that somebody might make in State, tables, cohorts, frames and the journal: each breaks a promise. */
import type { Reader } from "../../src/Hub.ts"
import { Presence } from "../../src/Hub/Presence.ts"
import { Register } from "../../src/Hub/Register.ts"
import { Frame } from "../../src/Hub/Frame.ts"
import { State } from "../../src/Hub/State.ts"
import { Table } from "../../src/Hub/Table.ts"
import { Tips } from "../../src/Hub/Tips.ts"
import { WallClock } from "../WallClock.ts"
import { FaultyDisk } from "./FaultyDisk.ts"

/** Puts another method in place of one, until it is undone. */
const alter = (prototype: object, name: string, make: (original: Function) => Function) => {
  const methods = prototype as { [name: string]: Function }
  const original = methods[name]!
  methods[name] = make(original)
  return () => {
    methods[name] = original
  }
}

interface Inside {
  readonly dead: Map<string, unknown>
  floor: number
  revision: number
}

/** Planted; what `plant` returns takes it out again. */
export const mistakes: ReadonlyArray<readonly [mistake: string, plant: () => () => void]> = [
  [
    "a death leaves no tombstone",
    () =>
      alter(
        Table.prototype,
        "kill",
        (kill) =>
          function (this: Inside, ...args: ReadonlyArray<unknown>) {
            kill.apply(this, args)
            this.dead.clear()
          }
      )
  ],
  [
    "a forgotten tombstone leaves no floor",
    () =>
      alter(
        Table.prototype,
        "forget",
        (forget) =>
          function (this: Inside) {
            const { floor } = this
            forget.call(this)
            this.floor = floor
          }
      )
  ],
  [
    "a commit is told before the journal has it",
    () =>
      alter(
        FaultyDisk.prototype,
        "layer",
        (layer) =>
          function (this: FaultyDisk) {
            return layer.call(this, { early: true })
          }
      )
  ],
  [
    "the chain does not tell one history from another",
    () =>
      alter(
        Tips.prototype,
        "extend",
        (extend) =>
          function (this: object) {
            extend.call(this, 17)
          }
      )
  ],
  [
    "a checkpoint forgets the tombstones",
    () =>
      alter(
        Table.prototype,
        "kept",
        (kept) =>
          function* (this: Table) {
            for (const each of kept.call(this)) if (each.gone === 0) yield each
          }
      )
  ],
  [
    "a member that was paged out comes back without its floor",
    () =>
      alter(
        State.prototype,
        "pageIn",
        (pageIn) =>
          function (this: State, name: string, table: () => Table) {
            pageIn.call(this, name, () => Object.assign(table(), { floor: 0 }))
          }
      )
  ],
  [
    "a member that is paged out is taken for one without rows",
    () =>
      alter(
        State.prototype,
        "pageOut",
        () =>
          function (this: State, name: string) {
            this.tables.delete(name)
          }
      )
  ],
  [
    "a newcomer to a family sees only the members that are in memory",
    () =>
      alter(
        Presence.prototype,
        "ofQuery",
        () =>
          function (this: { readonly state: State }, _query: unknown, _seen: number, use: unknown) {
            this.state.away.clear()
            return use
          }
      )
  ],
  [
    "a slow reader is offered the next frame all the same",
    () => alter(Register.prototype, "takeOut", () => function () {})
  ],
  [
    "any cursor of this epoch is taken",
    () =>
      alter(
        State.prototype,
        "resume",
        (resume) =>
          function (this: State, query: unknown, text: string) {
            const answer = resume.call(this, query, text)
            return answer._tag === "Reset" && answer.reason !== "epoch" && answer.reason !== "forgotten"
              ? { _tag: "Resumed", revision: Number(text.split("-")[1]) }
              : answer
          }
      )
  ],
  [
    "what waits goes by the wall clock",
    () =>
      alter(
        WallClock.prototype,
        "monotonicTimeNanosUnsafe",
        () =>
          function (this: WallClock) {
            return this.currentTimeNanosUnsafe()
          }
      )
  ],
  [
    "a reader that takes a frame slowly is ended like one that takes nothing",
    () => alter(Register.prototype, "progressed", () => function () {})
  ],
  [
    "a reader that takes nothing is never ended",
    () =>
      alter(
        Register.prototype,
        "armStall",
        () =>
          function (this: Register, reader: Reader) {
            reader.stall = this.deadlines.set(Infinity, () => {})
          }
      )
  ],
  [
    "some of a frame is taken for all of it",
    () =>
      alter(
        Register.prototype,
        "progressed",
        () =>
          function (this: Register, reader: Reader) {
            this.drained(reader)
          }
      )
  ],
  [
    "an event has no id",
    () =>
      alter(
        Frame.prototype,
        "events",
        (events) =>
          function (this: Frame) {
            return (events.call(this) as ReadonlyArray<Buffer>).map((each) =>
              each instanceof Buffer
                ? Buffer.from(String(each).replace(/^(event: .*\n)id: .*\n/, "$1"))
                : each
            )
          }
      )
  ]
]
