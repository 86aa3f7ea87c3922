import { constants, gunzipSync, inflateRawSync } from "node:zlib"

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"

import { Body, Frame } from "../../src/Hub/Frame.ts"
import { Gzip } from "../../src/Http/Gzip.ts"

const text = JSON.stringify(Array.from({ length: 20_000 }, (_, i) => `row ${i} é 🙂`))

describe("a long body", () => {
  it("is compressed once however many ask at the same time", async () => {
    const body = new Body(Buffer.from(text))
    const frames = [1, 2, 3].map((n) => new Frame("snapshot", `e-${n}-0`, [`{"n":${n},"rows":`, body, "}"]))
    const asked = Array.from({ length: 10 }, (_, i) => frames[i % 3]!.prepare)
    const deflated = await Promise.all(
      asked.map((prepare) => Effect.runPromise(Effect.map(prepare, () => body.deflated)))
    )
    assert.strictEqual(new Set(deflated).size, 1)
    assert.strictEqual(inflateRawSync(deflated[0]!, { finishFlush: constants.Z_SYNC_FLUSH }).toString(), text)
    assert.isTrue(frames.every((frame) => frame.isReady("gzipText")))
    await Effect.runPromise(body.deflate)
    assert.strictEqual(body.deflated, deflated[0])
  })

  it("makes of every message it is part of a gzip stream that a strict decoder reads", async () => {
    const body = new Body(Buffer.from(text))
    for (const n of [1, 2]) {
      const frame = new Frame("snapshot", `e-${n}-0`, [`{"n":${n},"rows":`, body, "}"])
      await Effect.runPromise(frame.prepare)
      const gzip = new Gzip()
      const head = gzip.begin("")
      const encoded = frame.in("gzipText")
      gzip.add(encoded)
      assert.include(encoded.buffers, body.deflated)
      const whole = Buffer.concat([head, ...encoded.buffers, gzip.end()])
      assert.strictEqual(gunzipSync(whole).toString(), `{"n":${n},"rows":${text}}`)
    }
  })
})
