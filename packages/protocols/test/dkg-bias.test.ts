import assert from "node:assert/strict"
import { test } from "node:test"
import { type Element, edwards25519, feldmanCommit, sha256 } from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import type { DkgParams } from "../src/dkg/index.ts"
import { openPayloadCodec, revealPayloadCodec } from "../src/dkg/payloads.ts"
import type { Message } from "../src/index.ts"
import {
  assertAborted,
  drive,
  driveWith,
  HonestParticipant,
  paramsFor,
  signs,
} from "./dkg-cluster.ts"
import { seeded } from "./messages-fixtures.ts"

// 200 runs in CI; DKG_BIAS_RUNS=2000 for the full statistics.
const RUNS = Number(process.env["DKG_BIAS_RUNS"] ?? 200)
const group = edwards25519
const revealCodec = revealPayloadCodec(group)
const ATTACKER = 2

function bit(element: Element): number {
  return sha256(element)[0]! & 1
}

/** Grinds until the key that its guess of the other's contribution would give has bit zero. */
class LastMover extends HonestParticipant {
  static open(params: DkgParams, run: number, seen: Message): LastMover {
    // All it can see when it opens: the other's hash. It treats it as if it told something.
    const { commitment } = decode(openPayloadCodec, seen.broadcast)
    const guess = group.multiplyBase(group.scalarFromUniform(seeded(`${commitment}`, 64)))
    for (let i = 0; ; i++) {
      const seed = `mover/${run}/${i}`
      const own = seeded(`${seed}/1/${ATTACKER}/open`, 96 + 64).subarray(96)
      const [constant] = feldmanCommit(group, [group.scalarFromUniform(own)])
      if (bit(group.add(guess, constant!)) === 0) return new LastMover(params, ATTACKER, seed)
    }
  }
}

test(`a last mover that sees every opening first steers nothing over ${RUNS} runs`, () => {
  let zeros = 0
  for (let run = 0; run < RUNS; run++) {
    const params = { ...paramsFor(2, [1, ATTACKER]), keyId: seeded(`key ${run}`, 32) }
    const honest = new HonestParticipant(params, 1, `honest/${run}`)
    const first = honest.step("open", [])
    assert.ok(first.ok)
    const mover = LastMover.open(params, run, first.value)
    const { task } = drive(params, (identifier) => (identifier === 1 ? honest : mover))
    assert.equal(task.kind, "activate")
    if (bit(task.certificate.public.verifyingKey) === 0) zeros++
  }
  // Five standard deviations of a fair coin; steering would give all of them.
  const deviation = Math.abs(zeros - RUNS / 2)
  assert.ok(deviation <= 5 * Math.sqrt(RUNS / 4), `${zeros} zeros in ${RUNS} runs`)
  console.log(`last mover: bit zero in ${zeros} of ${RUNS} runs`)
})

test("a last mover that changes its vector after it saw the others' is named each time", () => {
  let named = 0
  for (let run = 0; run < 20; run++) {
    const params = { ...paramsFor(2, [1, ATTACKER]), keyId: seeded(`late ${run}`, 32) }
    const reveal = signs(ATTACKER, ({ broadcast }) => {
      const payload = decode(revealCodec, broadcast)
      const scalars = [0, 1].map((k) => group.scalarFromUniform(seeded(`late ${run} ${k}`, 64)))
      const vector = feldmanCommit(group, scalars)
      return { broadcast: encode(revealCodec, { ...payload, vector }) }
    })
    const result = driveWith(params, { [ATTACKER]: { reveal } })
    assertAborted(result, params, { reason: "wrong-opening", culprits: [ATTACKER] })
    named++
  }
  assert.equal(named, 20)
})

test("without the commit phase the same mover would always have its way", () => {
  // The control: adding vectors that are published in turn lets the last one choose the bit.
  let zeros = 0
  for (let run = 0; run < 50; run++) {
    const other = group.multiplyBase(group.scalarFromUniform(seeded(`other ${run}`, 64)))
    let sum = other
    for (let i = 0; i === 0 || bit(sum) !== 0; i++) {
      const own = group.multiplyBase(group.scalarFromUniform(seeded(`own ${run} ${i}`, 64)))
      sum = group.add(other, own)
    }
    if (bit(sum) === 0) zeros++
  }
  assert.equal(zeros, 50)
})
