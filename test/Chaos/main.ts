/** `npm run chaos`: a real daemon killed, frozen and starved while real clients read, and every row they hold is checked. */
import { parseArgs } from "node:util"

import { Idlers } from "./Idlers.ts"
import { bulk, queries, readsFamily } from "./Query.ts"
import { isAnswered } from "./Process.ts"
import { seconds, spread } from "./Tally.ts"
import { pass, World } from "./World.ts"

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    seed: { type: "string" },
    kills: { type: "string" },
    clients: { type: "string" },
    forgetful: { type: "boolean", default: false },
    help: { type: "boolean", default: false }
  }
})

if (values.help) {
  console.log(`npm run chaos -- [--quick] [--seed N] [--kills N] [--clients N]

  A real daemon over a temporary folder is killed with -9 at random moments, stopped for 20 s and left without file
  descriptors, its upstream behind a proxy that resets, truncates, throttles and swallows, while clients of every road
  read through real sockets and come back by their cursors. Exit code 1 where a row is lost or wrong, or somebody is
  sent a snapshot who could have been told what changed.

  --quick      3 kills, 100 clients, about 30 s, instead of 20 kills, 500 clients, about 5 min
  --seed N     what the dice decide; when it happens the machine decides, so no two runs are the same
  --kills N, --clients N
  --forgetful  the daemon keeps nothing (RATECAST_DATA=none), which has to fail: shows that this can see

  npm run chaos -- --quick
  npm run chaos -- --kills 100 --clients 200`)
  process.exit(0)
}

const whole = (name: "kills" | "clients" | "seed", otherwise: number): number => {
  const text = values[name]
  if (text === undefined) return otherwise
  if (/^\d{1,9}$/.test(text)) return Number(text)
  console.error(`--${name} is a whole number, not ${text}`)
  process.exit(2)
}
const seed = whole("seed", Math.floor(Math.random() * 1e9))
const kills = whole("kills", values.quick ? 3 : 20)
const clients = whole("clients", values.quick ? 100 : 500)
const frozenFor = values.quick ? 3_000 : 20_000
const starvedFor = values.quick ? 4_000 : 12_000

const began = performance.now()
const say = (text: string) =>
  console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${text}`)

// What Node has open by itself, the journal, the upstream's connections: some 60.
const world = await World.make({
  seed,
  queries,
  moreQueries: [bulk],
  pools: 300,
  files: clients + 150,
  ...(values.forgetful ? { data: "none" } : {})
})
const { crowd, daemon, dice, oracle, proxy, tally, truth, upstream } = world
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))
oracle.onViolation = (what) => {
  say(`WRONG  ${what}`)
  if (oracle.violations.length > 20) finish()
}

const everybodyIsBack = () => world.wait("everybody is back", () => crowd.present === crowd.size)

/** A moment to die at: in its start, in the herd that comes back, as a poll is being committed, or any. */
const moment = async (): Promise<string> => {
  const kind = dice.pick(["start", "herd", "commit", "commit", "any", "any"])
  if (kind === "start") await pass(dice.int(600))
  else {
    await world.wait("an answer after a start", () => daemon.life.answeredAt !== undefined)
    if (kind === "herd") await pass(dice.int(400))
    else {
      // All but those whose poll is answered late.
      await world.wait("nearly everybody is back", () => crowd.present >= crowd.size * 0.95)
      await pass(dice.int(3_000))
    }
    if (kind === "commit") {
      const answered = new Promise<void>((done) => (upstream.onAnswered = done))
      await Promise.race([answered, pass(3_000)])
      await pass(dice.int(20))
    }
  }
  return { start: "as it starts", herd: "as all come back", commit: "at a poll", any: "at any time" }[kind]!
}

const killOften = async () => {
  for (let n = 1; n <= kills; n++) {
    const when = await moment()
    const back = crowd.present
    await daemon.kill()
    tally.add("kills")
    say(`kill ${n} of ${kills}, ${when}: ${back} of ${crowd.size} were there`)
    await pass(dice.chance(0.5) ? 0 : dice.int(1_500))
    daemon.start()
  }
  await everybodyIsBack()
}

const freeze = async () => {
  say(`stopped for ${frozenFor / 1000} s`)
  daemon.signal("SIGSTOP")
  await pass(frozenFor)
  daemon.signal("SIGCONT")
  const since = performance.now()
  const patient = crowd.visitors.filter(({ lastAt }) => lastAt < since)
  // The rest read what changes so rarely that they may wait for a ping.
  const enough = Math.ceil(patient.length * 0.9)
  const heard = () => patient.filter(({ lastAt }) => lastAt > since).length
  await world.wait("nine of ten hear from it again", () => heard() >= enough)
  say(`nine of ten have heard from it again ${seconds(performance.now() - since)} after it went on`)
}

const starve = async () => {
  const idlers = new Idlers(Number(new URL(daemon.url).port), 300)
  const end = performance.now() + starvedFor
  const most = { files: 0 }
  while (performance.now() < end) {
    most.files = Math.max(most.files, daemon.files ?? 0)
    tally.add((await isAnswered(`${daemon.url}/livez`)) ? "starved answered" : "starved refused")
    await pass(100)
  }
  idlers.close()
  const since = performance.now()
  await world.wait("it answers again", () => isAnswered(`${daemon.url}/livez`))
  say(
    `no file descriptors for ${starvedFor / 1000} s (${most.files} in use): asked anew it answered ` +
      `${tally.of("starved answered")} times and did not ${tally.of("starved refused")} times; ` +
      `well again after ${seconds(performance.now() - since)}`
  )
  if (tally.of("starved refused") === 0)
    oracle.violated("it was never short of file descriptors: nothing was shown")
}

/** Some take nothing for less time than the daemon grants, others for more; sockets hold but a few seconds of it. */
const hold = async () => {
  proxy.clear()
  crowd.calm()
  truth.isFlooding = true
  const invited = Array.from({ length: 8 }, (_, i) =>
    crowd.invite({
      query: bulk,
      road: i % 2 === 0 ? "stream" : "gzip stream",
      interval: 0,
      startsNow: false,
      patience: Infinity
    })
  )
  await world.wait("they are there", () => invited.every(({ cursor }) => cursor !== undefined))
  await pass(1_000)
  const before = await daemon.held()
  const connections = invited.map((visitor) => visitor.connections)
  for (const visitor of invited) visitor.pause()
  const [short, long] = [invited.slice(0, 4), invited.slice(4)]
  await pass(30_000)
  const after = await daemon.held()
  for (const visitor of short) visitor.goOn()
  await pass(60_000)
  for (const visitor of long) visitor.goOn()
  truth.isFlooding = false
  await world.wait("all who stopped hold what the upstream says", () =>
    invited.every((visitor) => oracle.isCurrent(visitor))
  )
  const ended = invited.filter((visitor, i) => visitor.connections > connections[i]!)
  for (const visitor of short)
    if (ended.includes(visitor)) oracle.violated(`${visitor.name} took nothing for 30 s and was sent away`)
  for (const visitor of long)
    if (!ended.includes(visitor)) oracle.violated(`${visitor.name} took nothing for 90 s and was kept`)
  tally.add("stalled kept", invited.length - ended.length)
  tally.add("stalled sent away", ended.length)
  say(
    `took nothing for 30 s: ${short.length} readers, for 90 s: ${long.length}; ${ended.length} were sent away; ` +
      `${((after - before) / 1024).toFixed(1)} MiB more held after 30 s of ${invited.length} such readers`
  )
}

const finish = (): never => {
  const { length } = oracle.violations
  console.log(`
  clients               ${crowd.size}: plain and gzip streams, sockets, long polls; ${queries.length} queries
  kills                 ${tally.of("kills")}
  resumed by            ${tally.under("return ")}
  snapshots             ${tally.under("snapshot ")}
  messages              ${tally.under("message ")}
  by road               ${tally.under("road ")}
  connections ended     ${tally.of("dropped")} dropped · ${tally.of("left")} left for good · ${tally.of("lost patience")} out of patience · goodbyes: ${tally.under("goodbye ")}
  stopped reading       ${tally.of("paused")} for up to 8.5 s · for 30 s ${tally.of("stalled kept")} kept · for 90 s ${tally.of("stalled sent away")} sent away
  whole families        ${crowd.visitors.filter(({ query }) => readsFamily(query)).length} read all members of one, ${tally.of("whole family").toLocaleString("en")} messages
  from now on           ${tally.of("now joined")} joined the rows of a snapshot
  start to first answer ${spread(daemon.starts)}
  start to a client's next message         ${tally.spread("since start")}
  first answer to a client's next message  ${tally.spread("since answer")}
  upstream              ${upstream.answers} answers, ${truth.steps} versions, spoilt: ${[...proxy.harm].map(([name, count]) => `${name} ${count}`).join(" · ")}
  checked               ${oracle.checks.toLocaleString("en")} times, at ${oracle.places.toLocaleString("en")} places of a query's history
  compared row by row   ${tally.of("compared row by row")} clients with the daemon and the upstream, at the end
  told to stop          gone after ${tally.spread("stop")}
  complaints in its log ${daemon.complaints.size === 0 ? "none" : ""}${[...daemon.complaints].map(([said, count]) => `\n    ${count} × ${said.slice(0, 150)}`).join("")}
`)
  if (length === 0) say(`no row lost, none wrong, nobody reset; seed ${seed}`)
  else {
    console.error(`${length} promises broken, the first: ${oracle.violations[0]}`)
    console.error(
      `\nagain, though never at the same moments: npm run chaos -- --seed ${seed}${values.quick ? " --quick" : ""}`
    )
  }
  process.exit(length === 0 ? 0 : 1)
}

say(`seed ${seed}: ${kills} kills, ${clients} clients, daemon at ${daemon.url}`)
daemon.start()
crowd.come(clients)
await everybodyIsBack()
say(`all ${clients} are there`)
proxy.storm()
crowd.stir({ drops: 0.002, leaves: 0.0003, pauses: 0.001 })
await killOften()
await freeze()
await starve()
if (!values.quick) await hold()
await world.settle()
say("settled")
await world.close()
finish()
