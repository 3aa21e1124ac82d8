import assert from "node:assert/strict"
import { test } from "node:test"
import {
  edwards25519,
  groupByName,
  type Identifier,
  type Scalar,
  Secret,
  xwingKeyPair,
} from "@lockkeeper/crypto"
import { type Bytes, concat, decode, encode, utf8 } from "@lockkeeper/encoding"
import {
  type AbortReason,
  digestsOf,
  type Evidence,
  echoDigest,
  encodeEvidence,
  type Header,
  headerCodec,
  headerDigest,
  type Message,
  openFirst,
  repair,
  type Statement,
  sealFirst,
  verifyEvidence,
} from "../src/index.ts"
import {
  answerPayloadCodec,
  openPayloadCodec,
  splitPayloadCodec,
  sumPayloadCodec,
  verdictPayloadCodec,
} from "../src/repair/payloads.ts"
import { type Complaint, sealedSharesCodec, WHOLE_PART } from "../src/reshare/payloads.ts"
import { flip, identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import {
  assertAborted,
  assertRepaired,
  attemptFor,
  drive,
  driveParticipants,
  type Misdeed,
  participantsOf,
  signs,
} from "./repair-cluster.ts"
import { mixedBatch } from "./reshare-cluster.ts"

/** The last of the helpers, whose summands' images are what the others leave; and one before it. */
const HELPER = 1
const LAST = 4
const MEMBER = 2

const batch = mixedBatch(2, [1, 2, 3, 4])
const attempt = attemptFor(batch, [HELPER, LAST], MEMBER)
const { params } = attempt
const sharesCodec = sealedSharesCodec(params)
const used = seeded("encapsulation", 64)
type By = (sender: Identifier) => Misdeed

const header =
  (change: Partial<Header>): By =>
  (sender) =>
    signs(sender, () => ({ header: change }))
const says =
  (broadcast: Bytes): By =>
  (sender) =>
    signs(sender, () => ({ broadcast }))
const extraPart: By = (sender) =>
  signs(sender, ({ sealed }) => ({ sealed: new Map([...sealed, [77, utf8("x")]]) }))
const noParts: By = (sender) => signs(sender, () => ({ sealed: new Map() }))

const UNPROVABLE: readonly (readonly [string, Partial<Header>, AbortReason])[] = [
  ["suite", { suite: "lockkeeper-0" }, "wrong-suite"],
  ["protocol", { protocol: "reshare" }, "wrong-protocol"],
  ["step", { step: 9 }, "wrong-step"],
  ["attempt", { attempt: 2 }, "wrong-attempt"],
  ["sessionId", { sessionId: seeded("another session", 32) }, "wrong-session"],
  ["rosterEpoch", { rosterEpoch: 8 }, "wrong-roster-epoch"],
  ["sender", { sender: 3 }, "unknown-sender"],
  ["parts", { parts: new Map([[0, seeded("x", 32)]]) }, "part-mismatch"],
]
const SPEAKERS = { open: HELPER, split: HELPER, sum: HELPER, verdict: MEMBER } as const
const STEPS = ["open", "split", "sum", "verdict"] as const
for (const step of STEPS) {
  const sender = SPEAKERS[step]
  for (const [field, change, reason] of UNPROVABLE) {
    if (step === "open" && field === "sessionId") continue
    test(`${step}: a wrong ${field} in the header makes its sender silent, not guilty`, () => {
      const { task } = drive(attempt, batch, { [sender]: { [step]: header(change)(sender) } })
      assert.ok(task.kind === "aborted")
      const { culprits, silent } = task.abort
      assert.deepEqual([task.abort.reason, culprits, silent], [reason, [], [sender]])
    })
  }
  test(`${step}: saying nothing is silence`, () => {
    const { task } = drive(attempt, batch, { [sender]: { [step]: () => null } })
    assert.ok(task.kind === "aborted")
    assert.deepEqual([task.abort.reason, task.abort.silent], ["missing-messages", [sender]])
  })
}
for (const step of STEPS) {
  test(`${step}: a wrong echo makes its sender silent, not guilty`, () => {
    const sender = SPEAKERS[step]
    const misdeed = header({ previousDigest: seeded("x", 32) })(sender)
    const { task } = drive(attempt, batch, { [sender]: { [step]: misdeed } })
    assert.ok(task.kind === "aborted")
    const { reason, culprits, silent } = task.abort
    assert.deepEqual([reason, culprits, silent], ["echo-mismatch", [], [sender]])
  })
}
test("open: another nonce is as good, since its session is its sender's own", () => {
  const open = header({ sessionId: seeded("another nonce", 32) })(HELPER)
  assertRepaired(drive(attempt, batch, { [HELPER]: { open } }), attempt, batch)
})

const inSum =
  (...complaints: Complaint[]): By =>
  (sender) =>
    signs(sender, () => ({
      broadcast: encode(sumPayloadCodec, { kind: "complain", complaints }),
      sealed: new Map(),
    }))
const inVerdict =
  (...complaints: Complaint[]): By =>
  (sender) =>
    signs(sender, () => ({
      broadcast: encode(verdictPayloadCodec, { kind: "complain", complaints }),
    }))

function splitElement(bytes: Bytes): By {
  return (sender) =>
    signs(sender, ({ broadcast }) => {
      const changed = new Uint8Array(broadcast)
      changed.set(bytes, 0)
      return { broadcast: changed }
    })
}

type Provable = readonly [string, Identifier, (typeof STEPS)[number], By, AbortReason]
const PROVABLE: readonly Provable[] = [
  ["an extra recipient", MEMBER, "open", extraPart, "wrong-recipients"],
  ["junk", HELPER, "open", says(utf8("junk")), "malformed-payload"],
  [
    "a key nobody can seal to",
    HELPER,
    "open",
    says(encode(openPayloadCodec, { sealingKey: new Uint8Array(1216).fill(255) })),
    "malformed-payload",
  ],
  ["an extra recipient", HELPER, "split", extraPart, "wrong-recipients"],
  ["a helper left out", HELPER, "split", noParts, "wrong-recipients"],
  ["junk", HELPER, "split", says(utf8("junk")), "malformed-payload"],
  ["the identity", HELPER, "split", splitElement(edwards25519.identity), "malformed-payload"],
  ["a point of small order", LAST, "split", splitElement(new Uint8Array(32)), "malformed-payload"],
  ["an extra recipient", HELPER, "sum", extraPart, "wrong-recipients"],
  ["the member left out", HELPER, "sum", noParts, "wrong-recipients"],
  ["junk", HELPER, "sum", says(utf8("junk")), "malformed-payload"],
  ["a complaint of itself", HELPER, "sum", inSum({ dealer: HELPER, index: 0 }), "wrong-complaint"],
  ["a complaint of the member", HELPER, "sum", inSum({ dealer: 2, index: 0 }), "wrong-complaint"],
  ["a complaint of nobody", HELPER, "sum", inSum(), "wrong-complaint"],
  ["a complaint of no key", HELPER, "sum", inSum({ dealer: LAST, index: 3 }), "wrong-complaint"],
  ["an extra recipient", MEMBER, "verdict", extraPart, "wrong-recipients"],
  ["junk", MEMBER, "verdict", says(utf8("junk")), "malformed-payload"],
  ["a complaint of nobody", MEMBER, "verdict", inVerdict(), "wrong-complaint"],
  [
    "a complaint of itself",
    MEMBER,
    "verdict",
    inVerdict({ dealer: MEMBER, index: 0 }),
    "wrong-complaint",
  ],
]
for (const [what, sender, step, misdeed, reason] of PROVABLE) {
  test(`${step}: ${what} names its signer with evidence`, () => {
    const { task } = drive(attempt, batch, { [sender]: { [step]: misdeed(sender) } })
    assert.ok(task.kind === "aborted")
    assert.deepEqual([task.abort.reason, task.abort.culprits], [reason, [sender]])
    // The member's own record of the run is not what it says of it.
    const result = { task, repaired: null, aborts: new Map() }
    assertAborted(result, attempt, { reason, culprits: [sender] })
  })
}

/** The helper seals other scalars than it owes, with randomness that it can reveal or not. */
function seals(
  sender: Identifier,
  recipient: Identifier,
  change: (payload: Bytes) => Bytes,
): Misdeed {
  return (message) => {
    const slot = decode(headerCodec, message.header.bytes)
    const place = { slot, recipient }
    // A helper knows what it sealed; here it reads that with the recipient's own seed.
    const seed = new Secret(seeded(`repair/1/${recipient}/open`, 64).slice(32))
    const { payload } = openFirst(place, seed, message.sealed.get(recipient)!)!
    const sealingKey = xwingKeyPair(seed.expose()).publicKey
    const { part } = sealFirst(place, sealingKey, used, change(payload))
    return rewrite(message, identity(sender), {
      sealed: new Map(message.sealed).set(recipient, part),
    })
  }
}

function plusOne(payload: Bytes, index: number): Bytes {
  const scalars = [...decode(sharesCodec, payload)]
  const group = groupByName(params.groups[index]!)
  scalars[index] = group.addScalars(scalars[index] as Scalar, group.one)
  return encode(sharesCodec, scalars)
}

const answers = (sender: Identifier, accuser: Identifier): Misdeed =>
  signs(sender, () => ({
    broadcast: encode(answerPayloadCodec, { randomness: new Map([[accuser, used]]) }),
  }))
const honestly: Misdeed = (message) => message

// Summands from either helper to the other, and sums from either to the member.
const DEALINGS = [
  ["split", HELPER, LAST],
  ["split", LAST, HELPER],
  ["sum", HELPER, MEMBER],
  ["sum", LAST, MEMBER],
] as const
for (const [step, sender, recipient] of DEALINGS) {
  const run = (misdeed: Misdeed, answer: Misdeed | null) =>
    drive(attempt, batch, { [sender]: { [step]: misdeed, answer: answer ?? (() => null) } })
  const truly = answers(sender, recipient)
  params.groups.forEach((group, index) => {
    test(`${step}: a wrong scalar of the ${group} key from ${sender} names it`, () => {
      const result = run(
        seals(sender, recipient, (p) => plusOne(p, index)),
        truly,
      )
      assertAborted(result, attempt, { reason: "bad-dealing", culprits: [sender] })
    })
  })
  test(`${step}: a part of ${sender} that is no list of scalars names it`, () => {
    for (const change of [
      (p: Bytes) => new Uint8Array(p.length).fill(255),
      (p: Bytes) => p.slice(1),
      (p: Bytes) => concat(p, new Uint8Array(1)),
    ]) {
      const result = run(seals(sender, recipient, change), truly)
      assertAborted(result, attempt, { reason: "bad-dealing", culprits: [sender] })
    }
  })
  test(`${step}: a part of ${sender} that does not open names it`, () => {
    const spoilt = (position: number) =>
      signs(sender, ({ sealed }) => ({
        sealed: new Map(sealed).set(recipient, flip(sealed.get(recipient)!, position)),
      }))
    assertAborted(run(spoilt(-1), honestly), attempt, { reason: "bad-dealing", culprits: [sender] })
    assertAborted(run(spoilt(9), honestly), attempt, { reason: "wrong-answer", culprits: [sender] })
  })
  test(`${step}: a wrong answer of ${sender} names it`, () => {
    const bad = seals(sender, recipient, (p) => plusOne(p, 1))
    assertAborted(run(bad, honestly), attempt, { reason: "wrong-answer", culprits: [sender] })
    const junk = signs(sender, () => ({ broadcast: utf8("junk") }))
    assertAborted(run(bad, junk), attempt, { reason: "malformed-payload", culprits: [sender] })
    const secret = signs(sender, () => ({ sealed: new Map([[recipient, utf8("psst")]]) }))
    assertAborted(run(bad, secret), attempt, { reason: "wrong-recipients", culprits: [sender] })
  })
  test(`${step}: no answer of ${sender} is silence`, () => {
    const bad = seals(sender, recipient, (p) => plusOne(p, 1))
    assertAborted(run(bad, null), attempt, { reason: "missing-messages", silent: [sender] })
    const past = answers(sender, 77)
    assertAborted(run(bad, past), attempt, { reason: "missing-messages", silent: [sender] })
  })
}

test("two answers of a helper to one complaint are proven equivocation", () => {
  const sum = seals(HELPER, MEMBER, (p) => plusOne(p, 1))
  const said = participantsOf(attempt, batch, { [HELPER]: { sum } })
  const result = driveParticipants(attempt, said, (from, step, message) =>
    from === HELPER && step === "answer"
      ? rewrite(message, identity(HELPER), { broadcast: utf8("another") })
      : null,
  )
  assertAborted(result, attempt, { reason: "equivocation", culprits: [HELPER] })
})

test("evidence about a sum holds the splits that were summed, however its helper is named", () => {
  const bad = seals(HELPER, MEMBER, (p) => plusOne(p, 1))
  const junk = signs(HELPER, () => ({ broadcast: utf8("junk") }))
  for (const answer of [answers(HELPER, MEMBER), honestly, junk]) {
    const { task } = drive(attempt, batch, { [HELPER]: { sum: bad, answer } })
    assert.ok(task.kind === "aborted")
    const [evidence] = task.abort.evidence
    assert.ok(evidence?.kind === "repair-complaint" && evidence.splits.size === 2)
    for (const [helper, split] of evidence.splits) {
      const changed = { ...split, broadcast: flip(split.broadcast, 0) }
      const altered = { ...evidence, splits: new Map(evidence.splits).set(helper, changed) }
      const verdict = verifyEvidence(encodeEvidence(altered), rosterOf([1, 2, 3, 4]))
      assert.deepEqual(verdict, { valid: false, why: "not the splits that were summed" })
    }
  }
})

test("whoever signs a sum after other splits than the helpers' own proves nothing by them", () => {
  const sum = seals(HELPER, MEMBER, (p) => plusOne(p, 1))
  const { task } = drive(attempt, batch, { [HELPER]: { sum, answer: answers(HELPER, MEMBER) } })
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence?.kind === "repair-complaint" && evidence.listed !== null)
  const roster = rosterOf([1, 2, 3, 4])
  const judge = (piece: Evidence) => verifyEvidence(encodeEvidence(piece), roster)
  /** The sum and the complaint about it, both signed as if these had been the splits. */
  const after = (splits: typeof evidence.splits) => {
    const part = new Map([[MEMBER, evidence.part]])
    const echo = { previousDigest: echoDigest(digestsOf(splits)) }
    const said = rewrite({ ...evidence.said, sealed: part }, identity(HELPER), { header: echo })
    const seen = new Map(evidence.seen).set(HELPER, headerDigest(said.header))
    const told = { ...evidence.complaint, sealed: new Map() }
    const complaint = rewrite(told, identity(MEMBER), {
      header: { previousDigest: echoDigest(seen) },
    })
    return judge({
      ...evidence,
      said: statement(said),
      seen,
      complaint: statement(complaint),
      splits,
    })
  }
  const { splits, listed } = evidence
  assert.deepEqual(after(splits), { valid: true, culprit: HELPER, reason: "bad-dealing" })
  const of = (helper: Identifier) => splits.get(helper) as Statement
  const junk = rewrite({ ...of(LAST), sealed: new Map() }, identity(LAST), {
    broadcast: utf8("junk"),
  })
  const why = "not the splits that were summed"
  assert.deepEqual(after(new Map([[LAST, of(LAST)]])), { valid: false, why })
  assert.deepEqual(after(new Map(splits).set(MEMBER, of(LAST))), { valid: false, why })
  assert.deepEqual(after(new Map(splits).set(HELPER, of(LAST))), { valid: false, why })
  assert.deepEqual(after(new Map(splits).set(LAST, statement(junk))), { valid: false, why })
  const other = "not the key in dispute"
  for (const place of [
    { ...listed, path: listed.path.slice(1) },
    { ...listed, path: [...listed.path, used.slice(32)] },
    { ...listed, path: listed.path.map((node) => flip(node, 0)) },
    { ...listed, sharing: batch[0]!.sharing },
  ]) {
    assert.deepEqual(judge({ ...evidence, listed: place }), { valid: false, why: other })
  }
})

test("a complaint about a split that is none proves nothing: the split itself does", () => {
  const split = seals(HELPER, LAST, (p) => plusOne(p, 1))
  const { task } = drive(attempt, batch, { [HELPER]: { split, answer: answers(HELPER, LAST) } })
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence?.kind === "repair-complaint")
  const judgeWith = (change: { broadcast?: Bytes }) => {
    const part = new Map([[LAST, evidence.part]])
    const said = rewrite({ ...evidence.said, sealed: part }, identity(HELPER), change)
    const seen = new Map(evidence.seen).set(HELPER, headerDigest(said.header))
    const told = { ...evidence.complaint, sealed: new Map() }
    const header = { previousDigest: echoDigest(seen) }
    const complaint = statement(rewrite(told, identity(LAST), { header }))
    const changed = { ...evidence, said: statement(said), seen, complaint }
    return verifyEvidence(encodeEvidence(changed), rosterOf([1, 2, 3, 4]))
  }
  assert.deepEqual(judgeWith({}), { valid: true, culprit: HELPER, reason: "bad-dealing" })
  const faulty = { valid: false, why: "the split is faulty" }
  assert.deepEqual(judgeWith({ broadcast: utf8("junk") }), faulty)
})

function statement({ header, broadcast }: Message): Statement {
  return { header, broadcast }
}

for (const index of [0, 1, 2, WHOLE_PART]) {
  test(`a false complaint about ${index} names the accuser once answered`, () => {
    for (const [accused, accuser] of [
      [HELPER, LAST],
      [LAST, HELPER],
    ] as const) {
      const sum = inSum({ dealer: accused, index })(accuser)
      const result = drive(attempt, batch, { [accuser]: { sum } })
      assertAborted(result, attempt, { reason: "false-complaint", culprits: [accuser] })
    }
    const verdict = inVerdict({ dealer: HELPER, index }, { dealer: LAST, index })(MEMBER)
    const { task } = drive(attempt, batch, { [MEMBER]: { verdict } })
    const result = { task, repaired: null, aborts: new Map() }
    const found = assertAborted(result, attempt, { reason: "false-complaint", culprits: [MEMBER] })
    assert.equal(repair.nextAttempt(attempt, found), null)
  })
}

test("images of other summands than the helper's share name it by its sealed summands", () => {
  // It publishes one image more than it sealed: then what is left for the last helper does not fit.
  const split = signs(HELPER, ({ broadcast }) => {
    const codec = splitPayloadCodec(params)
    const images = decode(codec, broadcast).map((row, index) => {
      const group = groupByName(params.groups[index]!)
      return row.map((raw) => group.add(group.decodeElement(raw), group.generator))
    })
    return { broadcast: encode(codec, images) }
  })
  const result = drive(attempt, batch, { [HELPER]: { split } })
  assertAborted(result, attempt, { reason: "bad-dealing", culprits: [HELPER] })
})

test("after an abort another helper helps", () => {
  const result = drive(attempt, batch, { [LAST]: { split: says(utf8("junk"))(LAST) } })
  const found = assertAborted(result, attempt, { reason: "malformed-payload", culprits: [LAST] })
  const next = repair.nextAttempt(attempt, found)!
  assert.deepEqual([next.params.helpers, next.params.attempt], [[1, 3], 2])
  assertRepaired(drive(next, batch), next, batch)
  const none = repair.nextAttempt(next, { ...found, culprits: [3, 4] })
  assert.equal(none, null)
})
