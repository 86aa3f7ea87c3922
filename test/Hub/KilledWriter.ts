/**
 * Makes two checkpoints of a journal, with commits between their steps, and kills itself before its n-th statement. A line of
 * `acknowledged` for each commit that is kept; `done` when there was no n-th statement.
 *
 * node KilledWriter.ts <folder> <n>
 */
import { appendFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync, StatementSync } from "node:sqlite"

import { Database } from "../../src/Hub/Journal/Database.ts"
import { begun, commitAt, keep, memberAt } from "./Killed.ts"

const [folder, at] = process.argv.slice(2) as [string, string]
const note = (text: string) => appendFileSync(join(folder, "acknowledged"), `${text}\n`)

let statements = 0
const counted = <A extends Array<never>, B>(run: (...args: A) => B) =>
  function (this: unknown, ...args: A): B {
    if (statements++ === Number(at)) process.kill(process.pid, "SIGKILL")
    return run.apply(this, args)
  }
const { exec } = DatabaseSync.prototype
const { run } = StatementSync.prototype
Object.assign(DatabaseSync.prototype, { exec: counted(exec as never) })
Object.assign(StatementSync.prototype, { run: counted(run as never) })

const database = new Database(join(folder, "ratecast.sqlite"), begun)
let revision = database.load().entries.at(-1)!.revision
const commit = () => {
  database.append([commitAt(++revision)])
  note(String(revision))
  if (revision % 2 === 1) database.keep(memberAt(revision))
}
let step = 0
for (const _ of database.checkpoint()) if (step++ % 40 === 0) commit()
commit()
for (const _ of database.checkpoint()) if (step++ % 40 === 0) commit()
for (let steps = 0; steps < 2; steps++) {
  database.expire({ keeps: [keep], now: 0 })
  commit()
}
database.close()
note("done")
