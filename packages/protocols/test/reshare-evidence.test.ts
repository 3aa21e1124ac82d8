import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { encode, utf8 } from "@lockkeeper/encoding"
import {
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  headerDigest,
  type Message,
  type repair,
  reshare,
  rosterEpochOf,
  type Statement,
  verifyEvidence,
} from "../src/index.ts"
import {
  answerPayloadCodec,
  verdictPayloadCodec as repairVerdictCodec,
  type SumPayload,
  sumPayloadCodec,
  type VerdictPayload,
} from "../src/repair/payloads.ts"
import { confirmOutcome } from "../src/reshare/certificate.ts"
import { headOf } from "../src/reshare/keys.ts"
import { verdictPayloadCodec, WHOLE_PART } from "../src/reshare/payloads.ts"
import { flip, identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import * as repairs from "./repair-cluster.ts"
import * as reshares from "./reshare-cluster.ts"

// Evidence that was put together wrongly, by whoever passes it on, names nobody: neither the honest
// nor, with other statements than its own, the guilty.

const batch = reshares.mixedBatch(2, [1, 2, 3, 4])
const attempt = reshares.attemptFor(batch, {
  dealers: [1, 2],
  holders: [2, 3, 4, 5],
  minSigners: 2,
})
const roster = rosterOf([1, 2, 3, 4, 5])

function assertWorthless(evidence: Evidence, what: string): void {
  const verdict = verifyEvidence(encodeEvidence(evidence), roster)
  assert.ok(!verdict.valid, what)
  whys.push([what, verdict.why])
}

/** Why each piece since the last time was worth nothing. */
const whys: [string, string][] = []

function assertWhys(expected: Readonly<Record<string, string>>): void {
  assert.deepEqual(Object.fromEntries(whys.splice(0)), expected)
}

const statement = ({ header, broadcast }: Message): Statement => ({ header, broadcast })

/** Everything said in an honest run of the attempt, by step and sender. */
function said(some: reshare.ReshareAttempt): Map<string, Message> {
  const messages = new Map<string, Message>()
  const record = (i: Identifier) =>
    Object.fromEntries(
      (["open", "deal", "verdict"] as const).map((step) => [
        step,
        (message: Message) => {
          messages.set(`${step} ${i}`, message)
          return message
        },
      ]),
    )
  const misdeeds = Object.fromEntries([1, 2, 3, 4, 5].map((i) => [i, record(i)]))
  assert.equal(reshares.drive(some, batch, misdeeds).task.kind, "confirmed")
  return messages
}

const honest = said(attempt)
const of = (what: string) => statement(honest.get(what)!)
const other = said({ ...attempt, params: { ...attempt.params, attempt: 2 } })

function onlyEvidence(result: reshares.RunResult): Evidence {
  assert.ok(result.task.kind === "aborted")
  const [evidence] = result.task.abort.evidence
  assert.equal(rosterEpochOf(evidence!), reshares.NEW_ROSTER_EPOCH)
  assert.deepEqual(decodeEvidence(encodeEvidence(evidence!)), evidence)
  return evidence!
}

function disputed() {
  const verdict = reshares.signs(4, () => ({
    broadcast: encode(verdictPayloadCodec, {
      kind: "complain",
      complaints: [{ dealer: 2, index: 1 }],
    }),
  }))
  const evidence = onlyEvidence(reshares.drive(attempt, batch, { 4: { verdict } }))
  assert.ok(evidence.kind === "reshare-complaint")
  return evidence
}

test("a complaint with any part from elsewhere is worth nothing", () => {
  const evidence = disputed()
  const { run, listed } = evidence
  const changed = (params: Partial<reshare.ReshareParams>) => ({
    run: { ...run, params: { ...run.params, ...params } },
  })
  const digests = new Map(evidence.deals)
  digests.set(2, seeded("x", 32))
  const without = new Map([...run.openings].slice(1))
  const junk = utf8("junk")
  const signedBy = (signer: Identifier, original: Statement, broadcast = original.broadcast) => {
    const message = { ...original, sealed: new Map() }
    return statement(rewrite(message, identity(signer), { header: { sender: signer }, broadcast }))
  }
  const toAnother = encode(answerPayloadCodec, { randomness: new Map([[5, seeded("x", 64)]]) })
  const original = { ...evidence.deal, sealed: new Map() }
  const again = rewrite(original, identity(2), { sealed: new Map([[4, junk]]) })
  const second = { deal: statement(again), part: junk }
  const secondDigest = headerDigest(again.header)
  const variants: readonly (readonly [string, Partial<typeof evidence>])[] = [
    ["another attempt", changed({ attempt: 2 })],
    ["another roster", changed({ rosterEpoch: 9 })],
    ["another batch", changed({ keys: seeded("x", 32) })],
    ["fewer openings", { run: { ...run, openings: without } }],
    ["another's opening", { open: of("open 5") }],
    ["an opening of another try", { open: statement(other.get("open 4")!) }],
    ["a dealing as opening", { open: of("deal 1") }],
    ["another dealer's dealing", { deal: of("deal 1") }],
    ["a dealing of another try", { deal: statement(other.get("deal 2")!) }],
    [
      "a changed dealing",
      { deal: { ...evidence.deal, broadcast: flip(evidence.deal.broadcast, 0) } },
    ],
    // A dealer that signs another dealing afterwards has not mended the one that was complained of.
    ["a second dealing", second],
    ["a second dealing seen", { ...second, deals: new Map(evidence.deals).set(2, secondDigest) }],
    ["another's part", { part: honest.get("deal 2")!.sealed.get(5)! }],
    ["other dealings seen", { deals: digests }],
    ["no dealings seen", { deals: new Map() }],
    ["another's verdict", { verdict: of("verdict 5") }],
    ["a confirmation", { verdict: of("verdict 4") }],
    ["another's complaint", { verdict: signedBy(5, evidence.verdict) }],
    ["no answer", { answer: of("deal 2") }],
    ["another dealer's answer", { answer: signedBy(1, evidence.answer) }],
    ["an answer to another", { answer: signedBy(2, evidence.answer, toAnother) }],
    ["the accuser's answer", { answer: evidence.verdict }],
    ["no key", { listed: null }],
    ["another key", { listed: { key: run && attempt.keys[0]!, path: listed!.path } }],
    ["a path too short", { listed: { ...listed!, path: listed!.path.slice(1) } }],
    ["another path", { listed: { ...listed!, path: listed!.path.map((one) => flip(one, 0)) } }],
    [
      "a key with other shares",
      {
        listed: {
          ...listed!,
          key: { ...listed!.key, sharing: { ...listed!.key.sharing, verifyingShares: new Map() } },
        },
      },
    ],
  ]
  for (const [what, change] of variants) assertWorthless({ ...evidence, ...change }, what)
  assertWhys({
    "another attempt": "open: wrong-attempt",
    "another roster": "open: wrong-roster-epoch",
    "another batch": "open: of another run",
    "fewer openings": "deal: wrong-session",
    "another's opening": "not the part that was signed",
    "an opening of another try": "open: wrong-attempt",
    "a dealing as opening": "open: wrong-step",
    "another dealer's dealing": "not the part that was signed",
    "a dealing of another try": "deal: wrong-attempt",
    "a changed dealing": "deal: part-mismatch",
    "a second dealing": "about another dealing",
    "a second dealing seen": "about another dealing",
    "another's part": "not the part that was signed",
    "other dealings seen": "about another dealing",
    "no dealings seen": "about another dealing",
    "another's verdict": "not the accuser's verdict",
    "a confirmation": "no such complaint",
    "another's complaint": "not the accuser's verdict",
    "no answer": "answer: wrong-step",
    "another dealer's answer": "not the dealer's answer",
    "an answer to another": "the complaint is not answered",
    "the accuser's answer": "answer: wrong-step",
    "no key": "not the key in dispute",
    "another key": "not the key in dispute",
    "a path too short": "not the key in dispute",
    "another path": "not the key in dispute",
    "a key with other shares": "not the key in dispute",
  })
})

test("each piece of evidence has one form: nothing in it that does not count", () => {
  const evidence = disputed()
  const verdict = reshares.signs(4, () => ({
    broadcast: encode(verdictPayloadCodec, {
      kind: "complain",
      complaints: [{ dealer: 2, index: WHOLE_PART }],
    }),
  }))
  const whole = onlyEvidence(reshares.drive(attempt, batch, { 4: { verdict } }))
  assert.ok(whole.kind === "reshare-complaint" && whole.listed === null)
  assertWorthless({ ...whole, listed: evidence.listed }, "a key for a whole part")

  const unsigned = reshares.signs(4, ({ broadcast }) => ({ broadcast: flip(broadcast, -1) }))
  const { task } = reshares.drive(attempt, batch, { 4: { verdict: unsigned } })
  assert.ok(task.kind === "confirmed")
  const [wrong] = task.fault!.evidence
  assert.ok(wrong?.kind === "reshare-confirmation")
  assertWorthless({ ...wrong, heads: attempt.keys.map(headOf) }, "keys for a wrong signature")
  const deals = new Map([1, 2].map((i) => [i, of(`deal ${i}`)]))
  assertWorthless({ ...wrong, deals }, "dealings for a wrong signature")

  const split = repairDispute("split")
  const { splits } = repairDispute("sum")
  assertWorthless({ ...split, splits }, "splits for a summand")
  const about = repairs.signs(2, () => ({
    broadcast: encode(sumPayloadCodec, {
      kind: "complain",
      complaints: [{ dealer: 1, index: WHOLE_PART }],
    }),
  }))
  const result = repairs.drive(run, trio, { 2: { verdict: about } }).task
  assert.ok(result.kind === "aborted")
  const [all] = result.abort.evidence
  assert.ok(all?.kind === "repair-complaint" && all.listed === null && all.splits.size === 0)
  assertWorthless({ ...all, splits }, "splits for a whole part")
  assertWorthless({ ...all, listed: split.listed }, "a key for a whole part")
  assertWhys({
    "a key for a whole part": "not the key in dispute",
    "keys for a wrong signature": "more than the verdict",
    "dealings for a wrong signature": "more than the verdict",
    "splits for a summand": "not the key in dispute",
    "splits for a whole part": "not the key in dispute",
  })
})

test("a complaint that t' holders make is one only of t' of them, and of that dealer", () => {
  const complain = (i: Identifier) =>
    reshares.signs(i, () => ({
      broadcast: encode(verdictPayloadCodec, {
        kind: "complain",
        complaints: [{ dealer: 2, index: 0 }],
      }),
    }))
  const evidence = onlyEvidence(
    reshares.drive(attempt, batch, {
      4: { verdict: complain(4) },
      5: { verdict: complain(5) },
      2: { answer: () => null },
    }),
  )
  assert.ok(evidence.kind === "reshare-complaints")
  const [first, second] = evidence.verdicts as [Statement, Statement]
  const last = { ...second, sealed: new Map() }
  const third = statement(rewrite(last, identity(3), { header: { sender: 3 } }))
  assertWorthless({ ...evidence, verdicts: [first] }, "one")
  assertWorthless({ ...evidence, verdicts: [first, first] }, "one twice")
  assertWorthless({ ...evidence, verdicts: [first, of("verdict 3")] }, "a confirmation")
  assertWorthless({ ...evidence, verdicts: [first, of("deal 1")] }, "a dealing")
  assertWorthless({ ...evidence, open: of("open 1") }, "another dealer")
  assertWorthless({ ...evidence, verdicts: [second, first] }, "out of order")
  assertWorthless({ ...evidence, verdicts: [third, ...evidence.verdicts] }, "one more")
  assert.ok(verifyEvidence(encodeEvidence(evidence), roster).valid)
  assertWhys({
    one: "fewer accusers than minSigners",
    "one twice": "fewer accusers than minSigners",
    "a confirmation": "no such complaint",
    "a dealing": "verdict: wrong-step",
    "another dealer": "no such complaint",
    "out of order": "the accusers are not minSigners in ascending order",
    "one more": "the accusers are not minSigners in ascending order",
  })
})

test("what honest members say is evidence of nothing", () => {
  const openings = new Map(disputed().run.openings)
  const run = { params: attempt.params, openings }
  const { params } = attempt
  const deals = new Map([1, 2].map((i) => [i, of(`deal ${i}`)]))
  const heads: readonly never[] = []
  const nothing: readonly (readonly [string, Evidence])[] = [
    ["open", { kind: "reshare-open", params, open: of("open 4") }],
    [
      "open of a stranger",
      { kind: "reshare-open", params: { ...params, holders: [2, 3, 5] }, open: of("open 4") },
    ],
    ["deal", { kind: "reshare-deal", run, open: of("open 2"), deal: of("deal 2") }],
    [
      "deal to another opening",
      { kind: "reshare-deal", run, open: of("open 1"), deal: of("deal 2") },
    ],
    [
      "deal to an opening of another try",
      { kind: "reshare-deal", run, open: statement(other.get("open 2")!), deal: of("deal 2") },
    ],
    ["verdict", { kind: "reshare-verdict", run, verdict: of("verdict 4") }],
    [
      "verdict of another try",
      { kind: "reshare-verdict", run, verdict: statement(other.get("verdict 4")!) },
    ],
    ["open as verdict", { kind: "reshare-verdict", run, verdict: of("open 4") }],
    ["confirmation", { kind: "reshare-confirmation", run, heads, deals, verdict: of("verdict 4") }],
    ["no confirmation", { kind: "reshare-confirmation", run, heads, deals, verdict: of("deal 1") }],
  ]
  for (const [what, evidence] of nothing) assertWorthless(evidence, what)
  assertWhys({
    open: "nothing is wrong with the statement",
    "open of a stranger": "open: of another run",
    deal: "nothing is wrong with the statement",
    "deal to another opening": "opening and dealing have different senders",
    "deal to an opening of another try": "open: wrong-attempt",
    verdict: "nothing is wrong with the statement",
    "verdict of another try": "verdict: wrong-attempt",
    "open as verdict": "verdict: wrong-step",
    confirmation: "not the keys of the run",
    "no confirmation": "verdict: wrong-step",
  })
})

test("a wrong confirmation is measured with the dealings and keys of its own run", () => {
  const root = reshare.keysRoot(attempt.keys)
  const verdict = reshares.signs(4, () => {
    const outcome = { rosterEpoch: reshares.NEW_ROSTER_EPOCH, size: batch.length, root }
    const confirmation = confirmOutcome(identity(4), outcome)
    return { broadcast: encode(verdictPayloadCodec, { kind: "confirm", root, confirmation }) }
  })
  const { task } = reshares.drive(attempt, batch, { 4: { verdict } })
  assert.ok(task.kind === "confirmed")
  const [evidence] = task.fault!.evidence
  assert.ok(evidence?.kind === "reshare-confirmation")
  const { heads, deals } = evidence
  const swapped = new Map([1, 2].map((i) => [i, deals.get(3 - i)!]))
  const elsewhere = new Map(deals).set(2, statement(other.get("deal 2")!))
  for (const [what, change] of [
    ["a right confirmation", { verdict: of("verdict 4") }],
    ["fewer keys", { heads: heads.slice(1) }],
    ["keys in another order", { heads: [...heads].reverse() }],
    ["another key", { heads: [{ ...heads[0]!, toKeyEpoch: 9 }, ...heads.slice(1)] }],
    ["no dealings", { deals: new Map() }],
    ["one dealing", { deals: new Map([...deals].slice(1)) }],
    ["dealings under each other's names", { deals: swapped }],
    ["a dealing of another try", { deals: elsewhere }],
  ] as const) {
    assertWorthless({ ...evidence, ...change }, what)
  }
  assertWhys({
    "a right confirmation": "the confirmation is right",
    "fewer keys": "not the keys of the run",
    "keys in another order": "not the keys of the run",
    "another key": "not the keys of the run",
    "no dealings": "the dealings are not those of the run",
    "one dealing": "the dealings are not those of the run",
    "dealings under each other's names": "the dealings are not those of the run",
    "a dealing of another try": "the dealings are not those of the run",
  })
})

// Repair: summands of a helper to another, and sums to the member.
const trio = reshares.mixedBatch(3, [1, 2, 3, 4])
const run = repairs.attemptFor(trio, [1, 3, 4], 2)

function repairDispute(about: "split" | "sum") {
  const complaint = repairs.signs(about === "split" ? 4 : 2, () => ({
    broadcast: encode(sumPayloadCodec, {
      kind: "complain",
      complaints: [{ dealer: 1, index: 2 }],
    }),
    sealed: new Map(),
  }))
  const step = about === "split" ? { 4: { sum: complaint } } : { 2: { verdict: complaint } }
  const { task } = repairs.drive(run, trio, step)
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence?.kind === "repair-complaint")
  assert.deepEqual(decodeEvidence(encodeEvidence(evidence)), evidence)
  assert.equal(rosterEpochOf(evidence), reshares.OLD_ROSTER_EPOCH)
  assert.equal(evidence.about, about)
  return evidence
}

for (const about of ["split", "sum"] as const) {
  test(`a complaint about a ${about} with any part from elsewhere is worth nothing`, () => {
    const evidence = repairDispute(about)
    const opposite = repairDispute(about === "split" ? "sum" : "split")
    const { listed } = evidence
    const changed = (params: Partial<repair.RepairParams>) => ({
      run: { ...evidence.run, params: { ...evidence.run.params, ...params } },
    })
    const { sharing } = listed!
    const accuser = about === "split" ? 4 : 2
    const complaining = (...dealers: Identifier[]) => ({
      kind: "complain" as const,
      complaints: dealers.map((dealer) => ({ dealer, index: 2 })),
    })
    const saying = (signer: Identifier, payload: SumPayload | VerdictPayload) => {
      const broadcast =
        payload.kind === "confirm"
          ? encode(repairVerdictCodec, payload)
          : encode(sumPayloadCodec, payload)
      const message = { ...evidence.complaint, sealed: new Map() }
      const sealed = new Map(payload.kind === "sum" ? [[2, utf8("sum")]] : [])
      const header = { sender: signer }
      return statement(rewrite(message, identity(signer), { header, broadcast, sealed }))
    }
    const answering = (sender: Identifier) => {
      const randomness = new Map([[sender === 1 ? 3 : accuser, seeded("x", 64)]])
      const message = { ...evidence.answer, sealed: new Map() }
      const broadcast = encode(answerPayloadCodec, { randomness })
      return statement(rewrite(message, identity(sender), { header: { sender }, broadcast }))
    }
    const junk = utf8("junk")
    const original = { ...evidence.said, sealed: new Map() }
    const again = rewrite(original, identity(1), {
      sealed: new Map([[accuser, junk]]),
    })
    const second = { said: statement(again), part: junk }
    const secondDigest = headerDigest(again.header)
    const variants: readonly (readonly [string, Partial<typeof evidence>])[] = [
      ["another attempt", changed({ attempt: 2 })],
      ["another member", changed({ member: 3 })],
      ["another batch", changed({ keys: seeded("x", 32) })],
      ["the other kind", { about: opposite.about }],
      ["another's opening", { open: opposite.open }],
      ["another message", { said: opposite.said }],
      ["another part", { part: opposite.part }],
      ["a second message", second],
      ["a second message seen", { ...second, seen: new Map(evidence.seen).set(1, secondDigest) }],
      ["other messages seen", { seen: new Map([...evidence.seen].slice(1)) }],
      ["nothing seen", { seen: new Map() }],
      ["another complaint", { complaint: opposite.complaint }],
      [
        "no complaint",
        { complaint: saying(accuser, { kind: about === "sum" ? "confirm" : "sum" }) },
      ],
      ["another's complaint", { complaint: saying(3, complaining(1)) }],
      ["another's answer", { answer: answering(3) }],
      ["an answer to another", { answer: answering(1) }],
      ["a complaint of another", { complaint: saying(accuser, complaining(4)) }],
      ["a complaint of nobody", { complaint: saying(accuser, complaining()) }],
      ["no answer", { answer: evidence.said }],
      ["no key", { listed: null }],
      ["another key", { listed: { ...listed!, sharing: trio[0]!.sharing } }],
      ["another path", { listed: { ...listed!, path: [] } }],
      [
        "other shares",
        { listed: { ...listed!, sharing: { ...sharing, verifyingShares: new Map() } } },
      ],
    ]
    for (const [what, change] of variants) assertWorthless({ ...evidence, ...change }, what)
    if (about === "split") {
      assertWhys({
        "another attempt": "open: wrong-attempt",
        "another member": "open: wrong-participants",
        "another batch": "open: of another run",
        "the other kind": "sum: wrong-step",
        "another's opening": "not the part that was signed",
        "another message": "split: wrong-step",
        "another part": "not the part that was signed",
        "a second message": "about another message",
        "a second message seen": "about another message",
        "other messages seen": "about another message",
        "nothing seen": "about another message",
        "another complaint": "sum: wrong-step",
        "no complaint": "no such complaint",
        "another's complaint": "not the accuser's complaint",
        "another's answer": "not the helper's answer",
        "an answer to another": "the complaint is not answered",
        "a complaint of another": "no such complaint",
        "a complaint of nobody": "no such complaint",
        "no answer": "answer: wrong-step",
        "no key": "not the key in dispute",
        "another key": "not the key in dispute",
        "another path": "not the key in dispute",
        "other shares": "not the key in dispute",
      })
      return
    }
    const { splits } = evidence
    const swapped = new Map([
      [1, splits.get(4)!],
      [4, splits.get(1)!],
    ])
    assertWorthless({ ...evidence, splits: new Map() }, "no splits")
    assertWorthless({ ...evidence, splits: new Map([...splits].slice(1)) }, "one split")
    assertWorthless({ ...evidence, splits: swapped }, "splits under each other's names")
    const signedAgain = (...to: Identifier[]) => {
      const sealed = new Map(to.map((i) => [i, junk]))
      const again = rewrite({ ...splits.get(4)!, sealed }, identity(4), {})
      return { ...evidence, splits: new Map(splits).set(4, statement(again)) }
    }
    assertWorthless(signedAgain(1, 3), "a second split")
    assertWorthless(signedAgain(1), "a second split of another form")
    assertWhys({
      "another attempt": "open: wrong-attempt",
      "another member": "open: wrong-participants",
      "another batch": "open: of another run",
      "the other kind": "split: wrong-step",
      "another's opening": "not the part that was signed",
      "another message": "sum: wrong-step",
      "another part": "not the part that was signed",
      "a second message": "about another message",
      "a second message seen": "about another message",
      "other messages seen": "about another message",
      "nothing seen": "about another message",
      "another complaint": "verdict: wrong-step",
      "no complaint": "no such complaint",
      "another's complaint": "verdict: not-a-participant",
      "another's answer": "not the helper's answer",
      "an answer to another": "the complaint is not answered",
      "a complaint of another": "no such complaint",
      "a complaint of nobody": "no such complaint",
      "no answer": "answer: wrong-step",
      "no key": "not the key in dispute",
      "another key": "not the key in dispute",
      "another path": "not the key in dispute",
      "other shares": "not the key in dispute",
      "no splits": "not the key in dispute",
      "one split": "not the splits that were summed",
      "splits under each other's names": "not the splits that were summed",
      "a second split": "not the splits that were summed",
      "a second split of another form": "not the splits that were summed",
    })
  })
}

test("what honest helpers say is evidence of nothing", () => {
  const { run: id, said: sum, open } = repairDispute("sum")
  const { said: split } = repairDispute("split")
  const { params } = id
  assertWorthless({ kind: "repair-open", params, open }, "open")
  assertWorthless({ kind: "repair-open", params, open: split }, "split as open")
  for (const [step, statement] of [
    ["split", split],
    ["sum", sum],
    ["verdict", sum],
    ["sum", split],
  ] as const) {
    const what = `${statement === sum ? "sum" : "split"} as ${step}`
    assertWorthless({ kind: "repair-said", run: id, step, said: statement }, what)
  }
  const junk = repairs.signs(1, () => ({ broadcast: utf8("junk") }))
  const { task } = repairs.drive(run, trio, { 1: { split: junk } })
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence?.kind === "repair-said")
  assertWorthless({ ...evidence, step: "sum" }, "another step")
  const elsewhere = { ...evidence.run, params: { ...evidence.run.params, helpers: [2, 3, 4] } }
  assertWorthless({ ...evidence, run: elsewhere }, "another run")
  assertWhys({
    open: "nothing is wrong with the statement",
    "split as open": "open: wrong-step",
    "split as split": "nothing is wrong with the statement",
    "sum as sum": "nothing is wrong with the statement",
    "sum as verdict": "verdict: wrong-step",
    "split as sum": "sum: wrong-step",
    "another step": "sum: wrong-step",
    "another run": "split: wrong-participants",
  })
})
