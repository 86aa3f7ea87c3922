/** What a reader costs while nothing happens: resident memory of the server, above what the kernel holds. */
import { chosen, crowdOf } from "./FanOut.ts"
import { labelOf } from "./Contestants.ts"
import type { Options } from "./Options.ts"
import { startReaders } from "./Readers.ts"
import { type Line, pause, type Report } from "./Report.ts"

export const memory = async (options: Options, report: Report): Promise<void> => {
  const readers = Math.max(...options.readers)
  const lines: Array<Line> = []
  for (const contestant of chosen(options.against)) {
    const server = labelOf(contestant)
    if (contestant.missing !== undefined) {
      lines.push({ server, remark: `not measured: ${contestant.missing}` })
      continue
    }
    report.progress(`${readers} readers of ${server}`)
    const running = await contestant.start()
    await pause(500)
    const empty = await running.ask?.("collect")
    const before = running.kiB
    const crowd = await startReaders({ ...crowdOf(contestant, running.port), readers })
    await pause(options.quick ? 1_000 : 5_000)
    const idle = running.kiB - before
    const collected = await running.ask?.("collect")
    const kept = running.kiB - before
    const held = (name: string) =>
      empty === undefined || collected === undefined
        ? undefined
        : (Number(collected[name]) - Number(empty[name])) / readers
    lines.push({
      server,
      "KiB, 5 s after": idle / readers,
      "KiB, collected": collected === undefined ? undefined : kept / readers,
      "of it heap": held("heap"),
      "of it buffers": held("external"),
      remark: crowd.connected.lost > 0 ? `${crowd.connected.lost} connections lost` : undefined
    })
    crowd.kill()
    running.kill()
  }
  report.table(`resident KiB of the server by idle reader, ${readers.toLocaleString("en")} readers`, lines)
}
