import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, utf8 } from "@lockkeeper/encoding"
import {
  decodeEvidence,
  encodeEvidence,
  equivocationOf,
  type Header,
  LIMITS,
  type Message,
  NO_PREVIOUS,
  type Slot,
  signMessage,
  verifyEvidence,
} from "../src/index.ts"
import { flip, identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"

const verifyKeys = rosterOf([1, 2])
const slot: Slot = {
  protocol: "opaque",
  step: 1,
  attempt: 1,
  sessionId: seeded("session", 32),
  rosterEpoch: 1,
  sender: 1,
}

function says(what: string): Message {
  return signMessage(identity(1), slot, { previousDigest: NO_PREVIOUS, broadcast: utf8(what) })
}

const yes = says("yes")
const no = says("no")
const proof = encodeEvidence(equivocationOf(yes.header, no.header))

test("two headers of one slot prove equivocation in either order and one encoding", () => {
  const expected = { valid: true, culprit: 1, reason: "equivocation" }
  assert.deepEqual(verifyEvidence(proof, verifyKeys), expected)
  assert.deepEqual(encodeEvidence(equivocationOf(no.header, yes.header)), proof)
  assert.deepEqual(encodeEvidence(decodeEvidence(proof)), proof)
})

test("evidence with its headers in the other order is none", () => {
  const { kind, first, second } = equivocationOf(yes.header, no.header)
  const exchanged = encodeEvidence({ kind, first: second, second: first })
  const why = "the headers are not in the order of their bytes"
  assert.deepEqual(verifyEvidence(exchanged, verifyKeys), { valid: false, why })
})

test("no altered byte of the evidence leaves it standing", () => {
  for (let position = 0; position < proof.length; position++) {
    const verdict = verifyEvidence(flip(proof, position), verifyKeys)
    assert.equal(verdict.valid, false, `byte ${position}`)
  }
})

test("truncated, extended, empty and oversized evidence is refused without throwing", () => {
  for (const bytes of [proof.subarray(1), proof.subarray(0, -1), concat(proof, proof)]) {
    assert.equal(verifyEvidence(bytes, verifyKeys).valid, false)
  }
  assert.equal(verifyEvidence(new Uint8Array(0), verifyKeys).valid, false)
  assert.equal(verifyEvidence(new Uint8Array(LIMITS.evidence + 1), verifyKeys).valid, false)
})

test("under another roster the same evidence proves nothing", () => {
  const swapped = new Map([[1, identity(2).publicKey]])
  const verdict = verifyEvidence(proof, swapped)
  assert.deepEqual(verdict, { valid: false, why: "first header: wrong-signature" })
})

const OTHER_SLOTS: readonly Partial<Header>[] = [
  { protocol: "dkg" },
  { step: 2 },
  { attempt: 2 },
  { sessionId: seeded("another", 32) },
  { rosterEpoch: 2 },
]
for (const header of OTHER_SLOTS) {
  test(`headers that differ in their ${Object.keys(header)[0]} are no equivocation`, () => {
    const other = rewrite(no, identity(1), { header })
    const encoded = encodeEvidence(equivocationOf(yes.header, other.header))
    const why = "the headers belong to different slots"
    assert.deepEqual(verifyEvidence(encoded, verifyKeys), { valid: false, why })
  })
}

test("one header twice, or two senders, are no equivocation", () => {
  const same = encodeEvidence(equivocationOf(yes.header, yes.header))
  assert.equal(verifyEvidence(same, verifyKeys).valid, false)
  const second = rewrite(no, identity(2), { header: { sender: 2 } })
  const two = encodeEvidence(equivocationOf(yes.header, second.header))
  assert.equal(verifyEvidence(two, verifyKeys).valid, false)
})
