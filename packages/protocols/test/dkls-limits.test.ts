import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, encode } from "@lockkeeper/encoding"
import fc from "fast-check"
import { dklsMessageCodec, MAX_SIGNERS, maxBatch } from "../src/dkls/index.ts"
import { type Abort, encodeEvidence, LIMITS, verifyEvidence } from "../src/index.ts"
import { dealtPairs, type Meddling, PresignRunner, verdictsOf } from "./dkls-cluster.ts"
import { multipliesInstead, saysInstead, seals, signsInstead } from "./dkls-tamper.ts"
import { makeCluster, seeded } from "./frost-fixture.ts"

const KEY = { keyType: "ecdsa-secp256k1" } as const

/** Bytes of one step's input or output that the servers' interface has room for. */
const MAX_STEP = 1_000_000

test("with the most signers and the largest batches all messages and all evidence fit", () => {
  for (const signers of [2, MAX_SIGNERS]) {
    const cluster = makeCluster({ ...KEY, minSigners: signers, maxSigners: signers })
    const set = Array.from({ length: signers }, (_, i) => i + 1)
    const runner = new PresignRunner(cluster, set, { count: maxBatch(signers) })
    const signature = seeded("no signature", 64)
    runner.run({ ...saysInstead(runner, 4, 2, { kind: "confirm", signature }), liar: 2 })
    // It holds everything that anyone has published: there is no larger evidence.
    const abort = runner.aborts.get(1)!
    assert.deepEqual([abort.reason, abort.culprits], ["wrong-confirmation", [2]])
    const encoded = encodeEvidence(abort.evidence[0]!)
    assert.ok(encoded.length <= LIMITS.evidence, `${encoded.length} bytes of evidence`)
    assert.ok(verifyEvidence(encoded, cluster.verifyKeys).valid)
    for (const message of runner.said.flat()) {
      assert.ok(encode(dklsMessageCodec, message).length <= MAX_STEP)
      for (const part of message.sealed.values()) assert.ok(part.length <= LIMITS.bulk)
    }
  }
})

test("one signer more than the most is refused", () => {
  const signers = MAX_SIGNERS + 1
  const cluster = makeCluster({ ...KEY, minSigners: signers, maxSigners: signers })
  const set = Array.from({ length: signers }, (_, i) => i + 1)
  const runner = new PresignRunner(cluster, set, { pairs: new Map([[1, new Map()]]) })
  const outcome = runner.step(1, 1, [])
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, "wrong-participants")
})

test("a server whose share is the whole key does not sign alone", () => {
  const cluster = makeCluster({ ...KEY, minSigners: 1, maxSigners: 2 })
  const runner = new PresignRunner(cluster, [1], { pairs: new Map([[1, new Map()]]) })
  const outcome = runner.step(1, 1, [])
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, "too-few-signers")
})

// Servers 1 and 2 with an additive participant, of whom any one lies somewhere, anyhow.
const cluster = makeCluster({ ...KEY, additive: [9] })
const signers = [1, 2, 9]
const pairs = dealtPairs(signers)
const honest = new PresignRunner(cluster, signers, { pairs }).run()

function named({ culprits, pair }: Abort): readonly Identifier[] {
  return [...culprits, ...(pair ?? [])]
}

/** Nobody honest is named, alone or with another honest one, and no presignature comes of it. */
function assertOnly(liar: Identifier, lie: Meddling): void {
  const runner = honest.before(lie.from ?? 1).run({ ...lie, liar })
  runner.aborts.delete(liar)
  runner.accusations.delete(liar)
  let blamed = 0
  for (const abort of runner.aborts.values()) {
    if (abort.culprits.length > 0) assert.deepEqual(abort.culprits, [liar])
    if (abort.pair) assert.ok(abort.pair.includes(liar))
    for (const verdict of verdictsOf(abort, cluster)) assert.ok(verdict.valid)
    blamed += named(abort).length
  }
  for (const accused of runner.accusations.values()) {
    assert.equal(accused, liar)
    blamed++
  }
  assert.ok(blamed > 0, "a lie that nobody answers for")
  assert.ok([...runner.presignatures.keys()].every((id) => id === liar))
}

function altered(bytes: Bytes, place: number, bit: number): Bytes {
  const changed = new Uint8Array(bytes)
  const at = Math.floor(place * bytes.length)
  changed[at] = changed[at]! ^ (1 << bit)
  return changed
}

const lieArbitrary = fc.record({
  liar: fc.constantFrom(...signers),
  place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  bit: fc.integer({ min: 0, max: 7 }),
})
const numRuns = Number(process.env["LOCKKEEPER_LIES"] ?? 12)

test("whichever bit of a published payload its sender alters, it answers for it and nobody else", () => {
  fc.assert(
    fc.property(lieArbitrary, fc.constantFrom<2 | 3>(2, 3), ({ liar, place, bit }, step) => {
      assertOnly(
        liar,
        seals(honest, step, liar, (payload) => altered(payload, place, bit)),
      )
    }),
    { numRuns },
  )
})

test("whichever bit of a multiplication its sender alters, the two of the pair answer for it", () => {
  fc.assert(
    fc.property(lieArbitrary, ({ liar, place, bit }) => {
      const [victim] = signers.filter((id) => id !== liar) as [Identifier]
      const change = (product: Bytes) => altered(product, place, bit)
      assertOnly(liar, multipliesInstead(honest, liar, victim, change))
      assertOnly(
        liar,
        signsInstead(honest, 1, liar, ({ sealed }) => ({
          sealed: new Map([...sealed, [victim, altered(sealed.get(victim)!, place, bit)]]),
        })),
      )
    }),
    { numRuns: Math.ceil(numRuns / 2) },
  )
})
