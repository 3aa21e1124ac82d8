import assert from "node:assert/strict"
import { test } from "node:test"
import { decode, encode, utf8 } from "@lockkeeper/encoding"
import fc from "fast-check"
import {
  type AbortReason,
  collectAvailable,
  collectRound,
  deliver,
  encodeEvidence,
  type Header,
  type Message,
  messageCodec,
  NO_PREVIOUS,
  type Outcome,
  type Round,
  type Slot,
  signMessage,
  verifyEvidence,
} from "../src/index.ts"
import { flip, identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"

/** A device with an additive share: no server, its own key, a number outside the servers' range. */
const DEVICE = 40_000
const SENDERS = [1, 2, DEVICE]
const previousDigest = seeded("previous", 32)
const place: Omit<Slot, "sender"> = {
  protocol: "frost",
  step: 2,
  attempt: 3,
  sessionId: seeded("session", 32),
  rosterEpoch: 5,
}
const round: Round = {
  ...place,
  senders: SENDERS,
  verifyKeys: rosterOf([...SENDERS, 9]),
  previousDigest,
  reader: 4,
}

function messageOf(sender: number, says = `from ${sender}`): Message {
  const sealed = new Map([
    [4, utf8(`to 4 from ${sender}`)],
    [5, utf8(`to 5 from ${sender}`)],
  ])
  const draft = { previousDigest, broadcast: utf8(says), sealed }
  return signMessage(identity(sender), { ...place, sender }, draft)
}

const delivered = SENDERS.map((sender) => deliver(messageOf(sender), 4))

function withFirst(message: Message): readonly Message[] {
  return [message, ...delivered.slice(1)]
}

function assertBlameless(outcome: Outcome<unknown>, reason: AbortReason): void {
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, reason)
  assert.deepEqual(outcome.abort.culprits, [])
  assert.equal(outcome.abort.pair, null)
  assert.deepEqual(outcome.abort.evidence, [])
}

test("a round yields each sender's broadcast and the reader's own part, in any order", () => {
  for (const messages of [delivered, [...delivered].reverse()]) {
    const collected = collectRound(round, messages)
    assert.ok(collected.ok)
    assert.equal(collected.value.size, 3)
    for (const sender of SENDERS) {
      const received = collected.value.get(sender)
      assert.deepEqual(received?.broadcast, utf8(`from ${sender}`))
      assert.deepEqual([...(received?.sealed.keys() ?? [])], [4])
      assert.equal(received?.header.sender, sender)
    }
  }
})

const WRONG_FIELDS: readonly (readonly [string, Partial<Header>, AbortReason])[] = [
  ["suite", { suite: "lockkeeper-0" }, "wrong-suite"],
  ["protocol", { protocol: "dkg" }, "wrong-protocol"],
  ["step", { step: 1 }, "wrong-step"],
  ["attempt", { attempt: 2 }, "wrong-attempt"],
  ["sessionId", { sessionId: seeded("other session", 32) }, "wrong-session"],
  ["rosterEpoch", { rosterEpoch: 4 }, "wrong-roster-epoch"],
  ["sender that another key signed", { sender: 2 }, "wrong-signature"],
  ["sender outside the roster", { sender: 77 }, "unknown-sender"],
  ["previousDigest", { previousDigest: NO_PREVIOUS }, "echo-mismatch"],
  ["parts without a broadcast", { parts: new Map([[4, seeded("x", 32)]]) }, "malformed-header"],
  ["digest of the broadcast", { parts: new Map([[0, seeded("x", 32)]]) }, "part-mismatch"],
]

for (const [field, header, reason] of WRONG_FIELDS) {
  test(`a signed header with a wrong ${field} is refused and blames nobody`, () => {
    const wrong = rewrite(delivered[0]!, identity(1), { header })
    assertBlameless(collectRound(round, withFirst(wrong)), reason)
  })
}

test("a roster member that is no sender of this round is refused", () => {
  assertBlameless(collectRound(round, withFirst(deliver(messageOf(9), 4))), "unknown-sender")
})

test("a part for someone else, a withheld part and a swapped part are each noticed", () => {
  const whole = messageOf(1)
  const [four, five] = [whole.sealed.get(4)!, whole.sealed.get(5)!]
  const withSealed = (sealed: Map<number, Uint8Array<ArrayBuffer>>) =>
    withFirst({ ...whole, sealed })
  assertBlameless(collectRound(round, withSealed(new Map())), "missing-part")
  assertBlameless(collectRound(round, withSealed(new Map([[4, five]]))), "part-mismatch")
  const extra = new Map([
    [4, four],
    [6, four],
  ])
  assertBlameless(collectRound(round, withSealed(extra)), "unexpected-part")
  const all: Round = { ...round, reader: "all-parts", senders: [1] }
  assertBlameless(collectRound(all, [deliver(whole, 4)]), "missing-part")
  assert.ok(collectRound(all, [whole]).ok)
})

test("a relay that flips any byte of a message gets nobody blamed", () => {
  const bytes = encode(messageCodec, delivered[0]!)
  let refused = 0
  for (let position = 0; position < bytes.length; position++) {
    let changed: Message
    try {
      changed = decode(messageCodec, flip(bytes, position))
    } catch {
      refused++
      continue
    }
    const outcome = collectRound(round, withFirst(changed))
    assert.ok(!outcome.ok, `byte ${position} was accepted`)
    assert.deepEqual(outcome.abort.culprits, [], `byte ${position}`)
    assert.deepEqual(outcome.abort.silent, [], `byte ${position}`)
    refused++
  }
  assert.equal(refused, bytes.length)
})

test("the same message twice is a duplicate, and nobody's fault", () => {
  const twice = [...delivered, delivered[0]!]
  assertBlameless(collectRound(round, twice), "duplicate-sender")
})

test("two headers for one slot name their signer, with evidence that stands offline", () => {
  const other = deliver(messageOf(2, "something else"), 4)
  const outcome = collectRound(round, [...delivered, other])
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, "equivocation")
  assert.deepEqual(outcome.abort.culprits, [2])
  const [evidence] = outcome.abort.evidence
  const verdict = verifyEvidence(encodeEvidence(evidence!), round.verifyKeys)
  assert.deepEqual(verdict, { valid: true, culprit: 2, reason: "equivocation" })
})

test("missing senders are silent, not culprits", () => {
  const outcome = collectRound(round, delivered.slice(1))
  assertBlameless(outcome, "missing-messages")
  assert.ok(!outcome.ok)
  assert.deepEqual(outcome.abort.silent, [1])
  const available = collectAvailable(round, delivered.slice(1))
  assert.ok(available.ok)
  assert.deepEqual([...available.value.received.keys()], [2, DEVICE])
})

test("a signature from another purpose does not sign a header", () => {
  const { header } = delivered[0]!
  const unlabelled = {
    ...delivered[0]!,
    header: { ...header, signature: identity(1).sign(header.bytes) },
  }
  assertBlameless(collectRound(round, withFirst(unlabelled)), "wrong-signature")
})

test("messages survive their codec, whatever they carry", () => {
  const parts = fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { maxLength: 6 })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), parts, (broadcast, recipients) => {
      const sealed = new Map(recipients.map((r) => [r, utf8(`to ${r}`)]))
      const draft = { previousDigest, broadcast: new Uint8Array(broadcast), sealed }
      const message = signMessage(identity(1), { ...place, sender: 1 }, draft)
      const bytes = encode(messageCodec, message)
      assert.deepEqual(encode(messageCodec, decode(messageCodec, bytes)), bytes)
      const received = collectRound({ ...round, senders: [1], reader: "all-parts" }, [message])
      assert.ok(received.ok)
    }),
    { numRuns: 50 },
  )
})
