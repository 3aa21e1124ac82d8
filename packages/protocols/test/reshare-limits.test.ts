import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { LIMITS, reshare } from "../src/index.ts"
import { sumPayloadCodec } from "../src/repair/payloads.ts"
import { confirmOutcome } from "../src/reshare/certificate.ts"
import { verdictPayloadCodec } from "../src/reshare/payloads.ts"
import { identity } from "./messages-fixtures.ts"
import * as repairs from "./repair-cluster.ts"
import * as reshares from "./reshare-cluster.ts"

// Elements of secp256k1 are the longest.
const SIZES: readonly (readonly [number, number])[] = [
  [2, 3],
  [4, 4],
  [9, 9],
]

function largest(minSigners: number, size: number) {
  const holders = Array.from({ length: size }, (_, i) => i + 1)
  const count = reshare.maxKeys(minSigners, minSigners)
  const batch = Array.from({ length: count }, (_, i) =>
    reshares.sharedSecret(`key ${i}`, "secp256k1", minSigners, holders),
  )
  return { holders, batch, dealers: holders.slice(0, minSigners) }
}

for (const [minSigners, size] of SIZES) {
  test(`the largest batch of ${minSigners} of ${size}: messages and every evidence fit`, () => {
    const { holders, batch, dealers } = largest(minSigners, size)
    const attempt = reshares.attemptFor(batch, { dealers, holders, minSigners })
    const liar = holders.at(-1)!
    const confirm = reshares.signs(liar, ({ broadcast }) => {
      assert.equal(decode(verdictPayloadCodec, broadcast).kind, "confirm")
      const root = reshare.keysRoot(attempt.keys)
      const statement = { rosterEpoch: reshares.NEW_ROSTER_EPOCH, size: batch.length, root }
      const confirmation = confirmOutcome(identity(liar), statement)
      return { broadcast: encode(verdictPayloadCodec, { kind: "confirm", root, confirmation }) }
    })
    const wrong = reshares.drive(attempt, batch, { [liar]: { verdict: confirm } })
    reshares.assertAborted(wrong, attempt, { reason: "wrong-confirmation", culprits: [liar] })

    const complain = reshares.signs(liar, () => ({
      broadcast: encode(verdictPayloadCodec, {
        kind: "complain",
        complaints: [{ dealer: 1, index: batch.length - 1 }],
      }),
    }))
    const disputed = reshares.drive(attempt, batch, { [liar]: { verdict: complain } })
    reshares.assertAborted(disputed, attempt, { reason: "false-complaint", culprits: [liar] })
  })
}

for (const [minSigners, size] of [
  [2, 3],
  [8, 9],
] as const) {
  test(`the largest repair by ${minSigners} of ${size}: every evidence fits`, () => {
    const { holders, batch, dealers: helpers } = largest(minSigners, size)
    const member = holders.at(-1)!
    const attempt = repairs.attemptFor(batch, helpers, member)
    const liar: Identifier = 1
    const complain = repairs.signs(liar, () => ({
      broadcast: encode(sumPayloadCodec, {
        kind: "complain",
        complaints: [{ dealer: 2, index: batch.length - 1 }],
      }),
      sealed: new Map(),
    }))
    const result = repairs.drive(attempt, batch, { [liar]: { sum: complain } })
    repairs.assertAborted(result, attempt, { reason: "false-complaint", culprits: [liar] })

    const verdict = repairs.signs(member, () => ({
      broadcast: encode(sumPayloadCodec, {
        kind: "complain",
        complaints: [{ dealer: 2, index: batch.length - 1 }],
      }),
    }))
    const { task } = repairs.drive(attempt, batch, { [member]: { verdict } })
    const blamed = { task, repaired: null, aborts: new Map() }
    repairs.assertAborted(blamed, attempt, { reason: "false-complaint", culprits: [member] })
  })
}

test("no threshold is left without room for one key", () => {
  for (let t = 2; t <= LIMITS.participants / 2; t++) {
    assert.ok(reshare.maxKeys(t, t) >= 1)
  }
  assert.equal(reshare.maxKeys(2, 2), 200)
})
