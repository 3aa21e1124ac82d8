import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName, type Identifier, type Scalar, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import {
  type AbortReason,
  type Evidence,
  echoDigest,
  encodeEvidence,
  headerCodec,
  headerDigest,
  type Message,
  openFirst,
  reshare,
  sealFirst,
  verifyEvidence,
} from "../src/index.ts"
import { vectorsCommitment } from "../src/reshare/checks.ts"
import {
  answerPayloadCodec,
  type Complaint,
  dealPayloadCodec,
  openPayloadCodec,
  sealedSharesCodec,
  verdictPayloadCodec,
  WHOLE_PART,
} from "../src/reshare/payloads.ts"
import { flip, identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import {
  assertAborted,
  assertProven,
  assertShares,
  attemptFor,
  drive,
  everyone,
  type Misdeed,
  mixedBatch,
  signs,
} from "./reshare-cluster.ts"

const DEALER = 2
const ACCUSER = 4

const batch = mixedBatch(2, [1, 2, 3])
const attempt = attemptFor(batch, { dealers: [1, 2], holders: [2, 3, 4, 5], minSigners: 2 })
const { params } = attempt
const sharesCodec = sealedSharesCodec(params)
const used = seeded("encapsulation", 64)

function sealingKeyOf(holder: Identifier, messages: readonly Message[]): Bytes {
  const open = messages.find(({ header }) => decode(headerCodec, header.bytes).sender === holder)
  return decode(openPayloadCodec, open!.broadcast).sealingKey!
}

/** The dealer seals other shares than it owes, with randomness that it can reveal or not. */
function deals(
  change: (payload: Bytes, recipient: Identifier) => Bytes,
  to: readonly Identifier[] = [ACCUSER],
): Misdeed {
  return (message, { messages }) => {
    const slot = decode(headerCodec, message.header.bytes)
    const sealed = new Map(message.sealed)
    for (const recipient of to) {
      const place = { slot, recipient }
      // A dealer knows what it dealt; here it reads that with the recipient's own seed.
      const seed = new Secret(seeded(`${params.attempt}/${recipient}/open`, 128).slice(32, 64))
      const { payload } = openFirst(place, seed, sealed.get(recipient)!)!
      const key = sealingKeyOf(recipient, messages)
      sealed.set(recipient, sealFirst(place, key, used, change(payload, recipient)).part)
    }
    return rewrite(message, identity(DEALER), { sealed })
  }
}

/** The dealer sends the accuser another part altogether. */
const sends = (part: (message: Message) => Bytes): Misdeed =>
  signs(DEALER, (message) => ({ sealed: new Map(message.sealed).set(ACCUSER, part(message)) }))

/** Adds one to the share of the key at `index`. */
function plusOne(payload: Bytes, index: number): Bytes {
  const shares = [...decode(sharesCodec, payload)]
  const group = groupByName(params.groups[index]!)
  shares[index] = group.addScalars(shares[index] as Scalar, group.one)
  return encode(sharesCodec, shares)
}

const answers = (randomness: ReadonlyMap<Identifier, Bytes>): Misdeed =>
  signs(DEALER, () => ({ broadcast: encode(answerPayloadCodec, { randomness }) }))
const truly = answers(new Map([[ACCUSER, used]]))
const complains = (...complaints: readonly Complaint[]): Misdeed =>
  signs(ACCUSER, () => ({
    broadcast: encode(verdictPayloadCodec, { kind: "complain", complaints }),
  }))

type Bad = readonly [string, Misdeed, Misdeed, AbortReason]
const honestly: Misdeed = (message) => message
const BAD_DEALINGS: readonly Bad[] = [
  ...params.groups.map(
    (group, index): Bad => [
      `a wrong share of the ${group} key alone, admitted`,
      deals((payload) => plusOne(payload, index)),
      truly,
      "bad-dealing",
    ],
  ),
  [
    "an unreduced share",
    deals((payload) => new Uint8Array(payload.length).fill(0xff)),
    truly,
    "bad-dealing",
  ],
  ["a share too few", deals((payload) => payload.slice(32)), truly, "bad-dealing"],
  [
    "a share too many",
    deals((payload) => new Uint8Array([...payload, ...payload.slice(32)])),
    truly,
    "bad-dealing",
  ],
  ["a wrong share, answered wrongly", deals((p) => plusOne(p, 1)), honestly, "wrong-answer"],
  [
    "a part that does not open, answered",
    sends(({ sealed }) => flip(sealed.get(ACCUSER)!, -1)),
    honestly,
    "bad-dealing",
  ],
  [
    "a changed encapsulation",
    sends(({ sealed }) => flip(sealed.get(ACCUSER)!, 9)),
    honestly,
    "wrong-answer",
  ],
  ["junk instead of a part", sends(() => utf8("junk")), honestly, "bad-dealing"],
  [
    "an answer that is junk",
    deals((p) => plusOne(p, 0)),
    signs(DEALER, () => ({ broadcast: utf8("junk") })),
    "malformed-payload",
  ],
  [
    "an answer with a sealed part",
    deals((p) => plusOne(p, 0)),
    signs(DEALER, () => ({ sealed: new Map([[ACCUSER, utf8("psst")]]) })),
    "wrong-recipients",
  ],
]
for (const [what, deal, answer, reason] of BAD_DEALINGS) {
  test(`${what} names the dealer`, () => {
    const result = drive(attempt, batch, { [DEALER]: { deal, answer } })
    assertAborted(result, attempt, { reason, culprits: [DEALER] })
  })
}

test("another secret than the dealer's own share fits nobody's new share", () => {
  // Every holder gets one more of the first key: a constant term that is one more.
  const deal = deals((payload) => plusOne(payload, 0), [4, 5])
  const answer = answers(new Map([4, 5].map((i) => [i, used])))
  const result = drive(attempt, batch, { [DEALER]: { deal, answer } })
  assertAborted(result, attempt, { reason: "bad-dealing", culprits: [DEALER] })
})

test("errors that cancel out in the sum harm nobody", () => {
  const one = deals((payload) => plusOne(payload, 0))
  const back: Misdeed = (message, { messages }) => {
    const slot = decode(headerCodec, message.header.bytes)
    const place = { slot, recipient: ACCUSER }
    const seed = new Secret(seeded(`${params.attempt}/${ACCUSER}/open`, 128).slice(32, 64))
    const { payload } = openFirst(place, seed, message.sealed.get(ACCUSER)!)!
    const shares = [...decode(sharesCodec, payload)]
    const group = groupByName(params.groups[0]!)
    shares[0] = group.subtractScalars(shares[0] as Scalar, group.one)
    const key = sealingKeyOf(ACCUSER, messages)
    const { part } = sealFirst(place, key, seeded("1", 64), encode(sharesCodec, shares))
    const sealed = new Map(message.sealed).set(ACCUSER, part)
    return rewrite(message, identity(1), { sealed })
  }
  const { task, batch: after } = drive(attempt, batch, {
    [DEALER]: { deal: one },
    1: { deal: back },
  })
  assert.equal(task.kind, "confirmed")
  assert.deepEqual(task.missing, [])
  for (const shared of after) assertShares(shared)
})

for (const index of [0, 1, 2, WHOLE_PART]) {
  test(`a false complaint about ${index} names the accuser once the dealer has answered`, () => {
    const verdict = complains({ dealer: DEALER, index })
    const result = drive(attempt, batch, { [ACCUSER]: { verdict } })
    const found = assertAborted(result, attempt, { reason: "false-complaint", culprits: [ACCUSER] })
    const next = reshare.nextAttempt(attempt, { abort: found, spent: true })!
    assert.deepEqual(next.leaveOut, [ACCUSER])
    const again = drive(next, batch)
    assert.equal(again.task.kind, "confirmed")
    assert.deepEqual([...again.batch[0]!.shares.keys()], [2, 3, 5])
    assert.equal(again.batch[0]!.sharing.keyEpoch, batch[0]!.sharing.keyEpoch + 2)
  })
}

test("a complaint of a dealer that leaves is answered too", () => {
  const verdict = complains({ dealer: 1, index: 0 }, { dealer: 2, index: 1 })
  const result = drive(attempt, batch, { [ACCUSER]: { verdict } })
  assertAborted(result, attempt, { reason: "false-complaint", culprits: [ACCUSER] })
})

const WRONG_COMPLAINTS: readonly (readonly [string, readonly Complaint[]])[] = [
  ["itself", [{ dealer: ACCUSER, index: 0 }]],
  ["a stranger", [{ dealer: 77, index: 0 }]],
  ["a holder that does not deal", [{ dealer: 5, index: 0 }]],
  ["nobody", []],
  ["a key that is not there", [{ dealer: DEALER, index: 3 }]],
  ["one dealer twice", [1, 1].map((dealer) => ({ dealer, index: 0 }))],
  ["dealers out of order", [2, 1].map((dealer) => ({ dealer, index: 0 }))],
]
for (const [what, complaints] of WRONG_COMPLAINTS) {
  test(`a complaint of ${what} names the accuser and stops nobody else`, () => {
    const { task } = drive(attempt, batch, { [ACCUSER]: { verdict: complains(...complaints) } })
    assert.equal(task.kind, "confirmed")
    assert.deepEqual([task.fault?.reason, task.fault?.culprits], ["wrong-complaint", [ACCUSER]])
    assertProven(task.fault!, rosterOf(everyone(attempt)))
  })
}

test("a dealer that complains of itself is named", () => {
  const verdict = signs(DEALER, () => ({
    broadcast: encode(verdictPayloadCodec, {
      kind: "complain",
      complaints: [{ dealer: DEALER, index: 0 }],
    }),
  }))
  const { task } = drive(attempt, batch, { [DEALER]: { verdict } })
  assert.ok(task.kind === "confirmed")
  assert.deepEqual([task.fault?.reason, task.fault?.culprits], ["wrong-complaint", [DEALER]])
})

test("a complaint without an answer is silence: the coordinator may have dropped it", () => {
  const deal = deals((payload) => plusOne(payload, 0))
  const result = drive(attempt, batch, { [DEALER]: { deal, answer: () => null } })
  const found = assertAborted(result, attempt, { reason: "missing-messages", silent: [DEALER] })
  const next = reshare.nextAttempt(attempt, { abort: found, spent: true })!
  assert.deepEqual(next.params.dealers, [1, 3])
  assert.equal(drive(next, batch).task.kind, "confirmed")
})

test("an answer that passes over the accuser is silence too", () => {
  const deal = deals((payload) => plusOne(payload, 0))
  const answer = answers(new Map([[5, used]]))
  const result = drive(attempt, batch, { [DEALER]: { deal, answer } })
  assertAborted(result, attempt, { reason: "missing-messages", silent: [DEALER] })
})

test("t' complaints disqualify a dealer that does not answer", () => {
  const deal = deals((payload) => plusOne(payload, 2), [4, 5])
  const result = drive(attempt, batch, { [DEALER]: { deal, answer: () => null } })
  assertAborted(result, attempt, { reason: "too-many-complaints", culprits: [DEALER] })
})

test("complaints alone name a dealer only in a run that it opened, and in one form", () => {
  const deal = deals((payload) => plusOne(payload, 2), [4, 5])
  const result = drive(attempt, batch, { [DEALER]: { deal, answer: () => null } })
  const options = { reason: "too-many-complaints", culprits: [DEALER] } as const
  const [evidence] = assertAborted(result, attempt, options).evidence
  assert.ok(evidence?.kind === "reshare-complaints")
  const roster = rosterOf(everyone(attempt))
  const why = (changed: Evidence) => {
    const found = verifyEvidence(encodeEvidence(changed), roster)
    return found.valid ? "valid" : found.why
  }
  assert.equal(why(evidence), "valid")
  const { run, verdicts } = evidence
  const inOrder = "the accusers are not minSigners in ascending order"
  assert.equal(why({ ...evidence, verdicts: [...verdicts].reverse() }), inOrder)
  assert.equal(why({ ...evidence, verdicts: [verdicts[0]!, ...verdicts] }), inOrder)
  assert.equal(why({ ...evidence, verdicts: [verdicts[0]!] }), "fewer accusers than minSigners")
  // Whoever is not enough for the true threshold chooses parameters that it is enough for.
  for (const [minSigners, reason] of [
    [0, "open: wrong-threshold"],
    [1, "open: wrong-threshold"],
    [3, "open: of another run"],
  ] as const) {
    const params = { ...run.params, minSigners }
    assert.equal(why({ ...evidence, run: { ...run, params }, verdicts: [] }), reason)
  }
})

test("a complaint about what is no dealing, or that is none, proves nothing", () => {
  const deal = deals((payload) => plusOne(payload, 1))
  const { task } = drive(attempt, batch, { [DEALER]: { deal, answer: truly } })
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence?.kind === "reshare-complaint")
  const statement = ({ header, broadcast }: Message) => ({ header, broadcast })
  /** Both signed again by whoever signed them. */
  const judgeWith = (dealt: { broadcast?: Bytes }, said: { broadcast?: Bytes } = {}) => {
    const part = new Map([[ACCUSER, evidence.part]])
    const changed = rewrite({ ...evidence.deal, sealed: part }, identity(DEALER), dealt)
    const seen = new Map(evidence.deals).set(DEALER, headerDigest(changed.header))
    const told = { ...evidence.verdict, sealed: new Map() }
    const header = { previousDigest: echoDigest(seen) }
    const verdict = statement(rewrite(told, identity(ACCUSER), { ...said, header }))
    const piece = { ...evidence, deal: statement(changed), deals: seen, verdict }
    return verifyEvidence(encodeEvidence(piece), rosterOf(everyone(attempt)))
  }
  assert.deepEqual(judgeWith({}), { valid: true, culprit: DEALER, reason: "bad-dealing" })
  const broadcast = utf8("junk")
  assert.deepEqual(judgeWith({ broadcast }), { valid: false, why: "the dealing is faulty" })
  assert.deepEqual(judgeWith({}, { broadcast }), { valid: false, why: "no such complaint" })
  const codec = dealPayloadCodec(params)
  const payload = decode(codec, evidence.deal.broadcast)
  // Of small order: no element, though the form is that of one.
  const vectors = payload.vectors.map((vector) => vector.map((one) => one.map(() => 0) as Bytes))
  const ofSmallOrder = { broadcast: encode(codec, { ...payload, vectors }) }
  assert.deepEqual(judgeWith(ofSmallOrder), { valid: false, why: "the dealing is faulty" })
  const whole = drive(attempt, batch, {
    [DEALER]: { deal: deals((part) => part.slice(1)), answer: truly },
  })
  assert.ok(whole.task.kind === "aborted")
  const [about] = whole.task.abort.evidence
  assert.ok(about?.kind === "reshare-complaint" && about.listed === null)
  for (const piece of [
    { ...evidence, listed: null },
    { ...about, listed: evidence.listed },
  ]) {
    const judged = verifyEvidence(encodeEvidence(piece), rosterOf(everyone(attempt)))
    assert.deepEqual(judged, { valid: false, why: "not the key in dispute" })
  }
})

test("commitments that are no elements name their dealer although it committed to them", () => {
  const blinding = seeded("blinding", 32)
  const broadcastOf = (message: Message) => {
    const { vectors } = decode(dealPayloadCodec(params), message.broadcast)
    // Of small order, so on the curve and in no group of prime order.
    return { blinding, vectors: [[new Uint8Array(32)], ...vectors.slice(1)] }
  }
  let payload: ReturnType<typeof broadcastOf> | null = null
  // What it will deal is fixed by its seed: a first run shows it.
  drive(attempt, batch, {
    [DEALER]: {
      deal: (message) => {
        payload = broadcastOf(message)
        return message
      },
    },
  })
  const { vectors } = payload!
  const open = signs(DEALER, ({ broadcast }) => {
    const commitment = vectorsCommitment(params, DEALER, vectors, blinding)
    const opened = decode(openPayloadCodec, broadcast)
    return { broadcast: encode(openPayloadCodec, { ...opened, commitment }) }
  })
  const deal = signs(DEALER, () => ({
    broadcast: encode(dealPayloadCodec(params), { blinding, vectors }),
  }))
  const result = drive(attempt, batch, { [DEALER]: { open, deal } })
  // The holders' refusals are no silence that would leave them out of the next try.
  assertAborted(result, attempt, { reason: "malformed-payload", culprits: [DEALER] })
  for (const holder of [3, 4, 5]) {
    assert.equal(result.aborts.get(holder)?.reason, "malformed-payload")
    assertProven(result.aborts.get(holder)!, rosterOf(everyone(attempt)))
  }
})

test("a holder that complained has nothing to activate, and a stranger to the run nothing to say", () => {
  const deal = deals((payload) => plusOne(payload, 0))
  const { task, members } = drive(attempt, batch, { [DEALER]: { deal, answer: truly } })
  assert.equal(task.kind, "aborted")
  const none = { rosterEpoch: 8, size: 3, root: used.slice(32), confirmations: new Map() }
  const outcome = members.get(ACCUSER)!.activate(none)
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, "complaint-pending")
  assert.equal(members.get(ACCUSER)!.judged.pending, null)
  for (const [identifier, step, reason] of [
    [1, "verdict", "not-a-participant"],
    [5, "answer", "not-accused"],
  ] as const) {
    const said = members.get(identifier)!.step(step, { messages: [], opens: [] })
    assert.ok(!said.ok)
    assert.equal(said.abort.reason, reason)
  }
})
