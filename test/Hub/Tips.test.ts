import { assert, describe, it } from "@effect/vitest"

import { proofOf, sameHistory, saltOf } from "../../src/Hub/Tips.ts"
import { seeded } from "./World.ts"

describe("a proof", () => {
  const random = seeded(1)
  const tips = Array.from({ length: 2_000 }, () => Math.floor(random() * 2 ** 48))
  const salt = saltOf("a query")

  it("is twelve hex digits", () => {
    for (const tip of [0, 1, 2 ** 48 - 1, ...tips]) assert.match(proofOf(tip, salt), /^[0-9a-f]{12}$/)
  })

  it("fits one tip only, under one query", () => {
    for (const tip of tips) {
      const others = Array.from({ length: 48 }, (_, bit) => Number(BigInt(tip) ^ (1n << BigInt(bit))))
      assert.strictEqual(new Set([tip, ...others].map((each) => proofOf(each, salt))).size, 49)
    }
  })

  it("does not fit another query, and shows that the history is the same", () => {
    const salts = Array.from({ length: 2_000 }, (_, i) => saltOf(`query ${i}`))
    for (const tip of tips.slice(0, 5)) {
      const proofs = salts.map((each) => proofOf(tip, each))
      assert.strictEqual(new Set(proofs).size, salts.length)
      assert.isTrue(proofs.every((proof) => sameHistory(proof, proofs[0]!)))
    }
  })
})
