import assert from "node:assert/strict"
import { test } from "node:test"
import { type Element, type Group, groupByName, type Identifier } from "@lockkeeper/crypto"
import { decode, encode, utf8 } from "@lockkeeper/encoding"
import {
  decodeEvidence,
  digestsOf,
  type Evidence,
  echoDigest,
  encodeEvidence,
  headerDigest,
  type Message,
  reshare,
  rosterEpochOf,
  type Statement,
  verifyEvidence,
} from "../src/index.ts"
import { confirmOutcome } from "../src/reshare/certificate.ts"
import { headOf } from "../src/reshare/keys.ts"
import {
  answerPayloadCodec,
  dealPayloadCodec,
  verdictPayloadCodec,
  WHOLE_PART,
} from "../src/reshare/payloads.ts"
import { flip, identity, type Rewrite, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import * as reshares from "./reshare-cluster.ts"
import { Spliced, statement } from "./spliced-evidence.ts"

const batch = reshares.mixedBatch(2, [1, 2, 3, 4])
const attempt = reshares.attemptFor(batch, {
  dealers: [1, 2],
  holders: [2, 3, 4, 5],
  minSigners: 2,
})
const roster = rosterOf([1, 2, 3, 4, 5])

const spliced = new Spliced(roster)

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
  for (const [what, change] of variants) spliced.isWorthless({ ...evidence, ...change }, what)
  spliced.because({
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
  spliced.isWorthless({ ...whole, listed: evidence.listed }, "a key for a whole part")

  const unsigned = reshares.signs(4, ({ broadcast }) => ({ broadcast: flip(broadcast, -1) }))
  const { task } = reshares.drive(attempt, batch, { 4: { verdict: unsigned } })
  assert.ok(task.kind === "confirmed")
  const [wrong] = task.fault!.evidence
  assert.ok(wrong?.kind === "reshare-confirmation")
  spliced.isWorthless({ ...wrong, heads: attempt.keys.map(headOf) }, "keys for a wrong signature")
  const deals = new Map([1, 2].map((i) => [i, of(`deal ${i}`)]))
  spliced.isWorthless({ ...wrong, deals }, "dealings for a wrong signature")
  spliced.because({
    "a key for a whole part": "not the key in dispute",
    "keys for a wrong signature": "more than the verdict",
    "dealings for a wrong signature": "more than the verdict",
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
  spliced.isWorthless({ ...evidence, verdicts: [first] }, "one")
  spliced.isWorthless({ ...evidence, verdicts: [first, first] }, "one twice")
  spliced.isWorthless({ ...evidence, verdicts: [first, of("verdict 3")] }, "a confirmation")
  spliced.isWorthless({ ...evidence, verdicts: [first, of("deal 1")] }, "a dealing")
  spliced.isWorthless({ ...evidence, open: of("open 1") }, "another dealer")
  spliced.isWorthless({ ...evidence, verdicts: [second, first] }, "out of order")
  spliced.isWorthless({ ...evidence, verdicts: [third, ...evidence.verdicts] }, "one more")
  assert.ok(verifyEvidence(encodeEvidence(evidence), roster).valid)
  spliced.because({
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
  for (const [what, evidence] of nothing) spliced.isWorthless(evidence, what)
  spliced.because({
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
  const signedAgain = (by: Identifier, original: Statement, change: Rewrite) =>
    statement(rewrite({ ...original, sealed: new Map() }, identity(by), change))
  const deal = (by: Identifier) => deals.get(by) as Statement
  const sealed = new Map([[4, utf8("another part")]])
  const since = signedAgain(2, deal(2), { sealed })
  const junk = signedAgain(2, deal(2), { broadcast: utf8("junk") })
  /** Its sender says that these were what it saw. */
  const after = (seen: typeof deals) => {
    const header = { previousDigest: echoDigest(digestsOf(seen)) }
    return { deals: seen, verdict: signedAgain(4, evidence.verdict, { header }) }
  }
  const codec = dealPayloadCodec(attempt.params)
  const dealt = (by: Identifier, element: (group: Group) => Element) => {
    const vectors = attempt.params.groups.map((name) => [element(groupByName(name))])
    const { blinding } = decode(codec, deal(by).broadcast)
    return signedAgain(by, deal(by), { broadcast: encode(codec, { blinding, vectors }) })
  }
  const cancelling = new Map([
    [1, dealt(1, (group) => group.generator)],
    [2, dealt(2, (group) => group.negate(group.generator))],
  ])
  for (const [what, change] of [
    ["a right confirmation", { verdict: of("verdict 4") }],
    ["fewer keys", { heads: heads.slice(1) }],
    ["keys in another order", { heads: [...heads].reverse() }],
    ["another key", { heads: [{ ...heads[0]!, toKeyEpoch: 9 }, ...heads.slice(1)] }],
    ["no dealings", { deals: new Map() }],
    ["one dealing", { deals: new Map([...deals].slice(1)) }],
    ["dealings under each other's names", { deals: swapped }],
    ["a dealing of another try", { deals: elsewhere }],
    ["a complaint", { verdict: disputed().verdict }],
    ["no verdict", { verdict: signedAgain(4, evidence.verdict, { broadcast: utf8("junk") }) }],
    ["a dealing that was signed since", { deals: new Map(deals).set(2, since) }],
    ["a dealing that is none", after(new Map(deals).set(2, junk))],
    ["dealings that cancel out", after(cancelling)],
  ] as const) {
    spliced.isWorthless({ ...evidence, ...change }, what)
  }
  spliced.because({
    "a right confirmation": "the confirmation is right",
    "fewer keys": "not the keys of the run",
    "keys in another order": "not the keys of the run",
    "another key": "not the keys of the run",
    "no dealings": "the dealings are not those of the run",
    "one dealing": "the dealings are not those of the run",
    "dealings under each other's names": "the dealings are not those of the run",
    "a dealing of another try": "the dealings are not those of the run",
    "a complaint": "no confirmation",
    "no verdict": "no confirmation",
    "a dealing that was signed since": "the sender saw other dealings",
    "a dealing that is none": "the dealings are not those of the run",
    "dealings that cancel out": "identity-key",
  })
})
