import assert from "node:assert/strict"
import { test } from "node:test"
import { edwards25519 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import { dkgAnswer, dkgJudgedCodec, nextAttempt } from "../src/dkg/index.ts"
import { answerPayloadCodec, openPayloadCodec, verdictPayloadCodec } from "../src/dkg/payloads.ts"
import { type AbortReason, headerCodec, type Message, sealFirst } from "../src/index.ts"
import {
  assertAborted,
  driveHonest,
  driveWith,
  HonestParticipant,
  type Misdeed,
  paramsFor,
  signs,
} from "./dkg-cluster.ts"
import { flip, identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"

const params = paramsFor(2, [1, 2, 3])
const DEALER = 2
const ACCUSER = 3

/** A reveal in which the part for ACCUSER seals other bytes, or is made otherwise. */
function deals(makePart: (message: Message, deliveries: readonly Message[]) => Bytes): Misdeed {
  return (message, deliveries) => {
    const sealed = new Map(message.sealed).set(ACCUSER, makePart(message, deliveries))
    return rewrite(message, identity(DEALER), { sealed })
  }
}

/** Seals `payload` properly, with randomness that the dealer can reveal or not. */
function sealing(payload: Bytes, randomness: Bytes) {
  return deals((message, deliveries) => {
    const slot = decode(headerCodec, message.header.bytes)
    const open = deliveries.find(
      ({ header }) => decode(headerCodec, header.bytes).sender === ACCUSER,
    )
    const { sealingKey } = decode(openPayloadCodec, open!.broadcast)
    return sealFirst({ slot, recipient: ACCUSER }, sealingKey, randomness, payload).part
  })
}

const answers = (randomness: ReadonlyMap<number, Bytes>): Misdeed =>
  signs(DEALER, () => ({ broadcast: encode(answerPayloadCodec, { randomness }) }))
const wrongShare = edwards25519.scalarFromInteger(5)
const used = seeded("used randomness", 64)
const truthfully = answers(new Map([[ACCUSER, used]]))

const BAD_DEALINGS: readonly (readonly [string, Misdeed, Misdeed, AbortReason])[] = [
  ["a wrong share, admitted", sealing(wrongShare, used), truthfully, "bad-dealing"],
  ["an unreduced share", sealing(new Uint8Array(32).fill(0xff), used), truthfully, "bad-dealing"],
  ["a share of the wrong length", sealing(utf8("short"), used), truthfully, "bad-dealing"],
  ["a wrong share, answered wrongly", sealing(wrongShare, used), (m) => m, "wrong-answer"],
  [
    "a part that does not open, answered",
    deals(({ sealed }) => flip(sealed.get(ACCUSER)!, -1)),
    (m) => m,
    "bad-dealing",
  ],
  [
    "a changed encapsulation",
    deals(({ sealed }) => flip(sealed.get(ACCUSER)!, 9)),
    (m) => m,
    "wrong-answer",
  ],
  ["junk instead of a part", deals(() => utf8("junk")), (m) => m, "bad-dealing"],
  [
    "a right answer for nobody's part",
    sealing(wrongShare, used),
    answers(new Map([[ACCUSER, seeded("x", 64)]])),
    "wrong-answer",
  ],
  [
    "an answer that is junk",
    sealing(wrongShare, used),
    signs(DEALER, () => ({ broadcast: utf8("junk") })),
    "malformed-payload",
  ],
  [
    "an answer with a sealed part",
    sealing(wrongShare, used),
    signs(DEALER, () => ({ sealed: new Map([[ACCUSER, utf8("psst")]]) })),
    "wrong-recipients",
  ],
]
for (const [what, reveal, answer, reason] of BAD_DEALINGS) {
  test(`${what} names the dealer`, () => {
    const result = driveWith(params, { [DEALER]: { reveal, answer } })
    assertAborted(result, params, { reason, culprits: [DEALER] })
  })
}

const complains = (accuser: number, ...dealers: number[]): Misdeed =>
  signs(accuser, () => ({ broadcast: encode(verdictPayloadCodec, { kind: "complain", dealers }) }))

test("a false complaint names the accuser once the honest dealer has answered", () => {
  const result = driveWith(params, { [ACCUSER]: { verdict: complains(ACCUSER, DEALER) } })
  assertAborted(result, params, { reason: "false-complaint", culprits: [ACCUSER] })
})

test("false complaints of everyone name only the accuser, once", () => {
  const result = driveWith(params, { [ACCUSER]: { verdict: complains(ACCUSER, 1, 2) } })
  assertAborted(result, params, { reason: "false-complaint", culprits: [ACCUSER] })
})

for (const [what, dealers] of [
  ["itself", [ACCUSER]],
  ["a stranger", [77]],
  ["nobody", []],
  ["the same dealer twice", [1, 1]],
  ["dealers out of order", [2, 1]],
] as const) {
  test(`a complaint of ${what} names the accuser`, () => {
    const result = driveWith(params, { [ACCUSER]: { verdict: complains(ACCUSER, ...dealers) } })
    assertAborted(result, params, { reason: "wrong-complaint", culprits: [ACCUSER] })
  })
}

test("a complaint without an answer is silence: the coordinator may have dropped it", () => {
  const result = driveWith(params, {
    [DEALER]: { reveal: sealing(wrongShare, used), answer: () => null },
  })
  assertAborted(result, params, { reason: "missing-messages", silent: [DEALER] })
})

test("an answer that passes over the accuser is silence too", () => {
  const answer = answers(new Map([[1, used]]))
  const result = driveWith(params, { [DEALER]: { reveal: sealing(wrongShare, used), answer } })
  assertAborted(result, params, { reason: "missing-messages", silent: [DEALER] })
})

test("minSigners complaints disqualify a dealer that does not answer", () => {
  const reveal = signs(DEALER, ({ sealed }) => ({
    sealed: new Map([...sealed].map(([to, part]) => [to, flip(part, -1)])),
  }))
  const result = driveWith(params, { [DEALER]: { reveal, answer: () => null } })
  assertAborted(result, params, { reason: "too-many-complaints", culprits: [DEALER] })
  const four = paramsFor(3, [1, 2, 3, 4])
  const lone = driveWith(four, {
    1: { verdict: complains(1, 4) },
    2: { verdict: complains(2, 4) },
    4: { answer: () => null },
  })
  assertAborted(lone, four, { reason: "missing-messages", silent: [4] })
})

test("two disputes in one run name both culprits", () => {
  const four = paramsFor(2, [1, 2, 3, 4])
  const result = driveWith(four, {
    [DEALER]: { reveal: deals(() => utf8("junk")) },
    4: { verdict: complains(4, 1) },
  })
  assertAborted(result, four, { reason: "bad-dealing", culprits: [DEALER, 4] })
})

test("silence at the verdict does not save a bad dealer", () => {
  const misdeeds = { reveal: deals(() => utf8("junk")), verdict: () => null }
  const result = driveWith(params, { [DEALER]: misdeeds })
  assertAborted(result, params, { reason: "bad-dealing", culprits: [DEALER] })
})

test("after an abort the run goes through without its culprit", () => {
  const four = paramsFor(2, [1, 2, 3, 4])
  const result = driveWith(four, { [DEALER]: { reveal: deals(() => utf8("junk")) } })
  const found = assertAborted(result, four, { reason: "bad-dealing", culprits: [DEALER] })
  const again = nextAttempt(four, found)
  assert.deepEqual(again, { ...four, participants: [1, 3, 4], attempt: 2 })
  const second = driveHonest(again!, "run")
  assert.equal(second.task.kind, "activate")
  assert.deepEqual([...second.keys.keys()], [1, 3, 4])
  const none = nextAttempt(paramsFor(3, [1, 2, 3]), found)
  assert.equal(none, null)
})

test("a participant answers only complaints against itself, and only signed ones", () => {
  const dealer = new (class extends HonestParticipant {
    get judged() {
      return decode(dkgJudgedCodec, this.stored)
    }
  })(params, 1, "run")
  const others = [2, 3].map((i) => new HonestParticipant(params, i, "run"))
  const all = [dealer, ...others]
  let last: Message[] = []
  for (const step of ["open", "reveal", "verdict"] as const) {
    last = all.map((one) => {
      const incoming = last
        .filter(({ header }) => decode(headerCodec, header.bytes).sender !== one.identifier)
        .map((m) => ({ ...m, sealed: only(m.sealed, one.identifier) }))
      const outcome = one.step(step, incoming)
      assert.ok(outcome.ok)
      return outcome.value
    })
  }
  const self = { signer: identity(1), verifyKeys: rosterOf([1, 2, 3]) }
  const accusation = complains(3, 2)(last[2]!, []) as Message
  const refuse = (messages: readonly Message[], reason: AbortReason) => {
    const outcome = dkgAnswer(dealer.judged, messages, self)
    assert.ok(!outcome.ok)
    assert.equal(outcome.abort.reason, reason)
    assert.deepEqual(outcome.abort.culprits, [])
  }
  refuse([accusation], "not-accused")
  refuse([], "not-accused")
  refuse([last[1]!], "not-accused")
  const forged = { ...(complains(3, 1)(last[2]!, []) as Message) }
  refuse([{ ...forged, header: accusation.header }], "part-mismatch")
  const unsigned = { ...forged.header, signature: accusation.header.signature }
  refuse([{ ...forged, header: unsigned }], "wrong-signature")
  assert.ok(dkgAnswer(dealer.judged, [forged], self).ok)
})

function only(sealed: ReadonlyMap<number, Bytes>, recipient: number): ReadonlyMap<number, Bytes> {
  return new Map([...sealed].filter(([to]) => to === recipient))
}
