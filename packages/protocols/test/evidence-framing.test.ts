import assert from "node:assert/strict"
import { test } from "node:test"
import { edwards25519, feldmanCommit } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, utf8 } from "@lockkeeper/encoding"
import { type DkgStep, dkgOpen, openRandomnessLength } from "../src/dkg/index.ts"
import { openingDigest, runSession, slotOf } from "../src/dkg/params.ts"
import { answerPayloadCodec, revealPayloadCodec, verdictPayloadCodec } from "../src/dkg/payloads.ts"
import {
  deliver,
  digestsOf,
  type Evidence,
  encodeEvidence,
  headerCodec,
  type Message,
  NO_PREVIOUS,
  type Statement,
  signMessage,
  verifyEvidence,
} from "../src/index.ts"
import { HonestParticipant, paramsFor } from "./dkg-cluster.ts"
import { identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"

// Dealer 2 and participant 3 work together, with everything they may sign, to have honest 1 blamed,
// or 3 alone to have honest 2 blamed.

const params = paramsFor(2, [1, 2, 3])
const roster = rosterOf([1, 2, 3, 4])

function honestRun(): Record<"open" | "reveal" | "verdict", Map<number, Message>> {
  const all = params.participants.map((i) => new HonestParticipant(params, i, "run"))
  const steps = { open: new Map(), reveal: new Map(), verdict: new Map() }
  let sent: Message[] = []
  for (const step of ["open", "reveal", "verdict"] as const) {
    sent = all.map(({ identifier }, i) => {
      const others = sent.filter((m) => decode(headerCodec, m.header.bytes).sender !== identifier)
      const outcome = all[i]!.step(
        step,
        others.map((message) => deliver(message, identifier)),
      )
      assert.ok(outcome.ok)
      steps[step].set(identifier, outcome.value)
      return outcome.value
    })
  }
  return steps
}

const { open, reveal, verdict } = honestRun()
const statement = ({ header, broadcast }: Message): Statement => ({ header, broadcast })
const statements = (messages: ReadonlyMap<number, Message>) =>
  new Map([...messages].map(([sender, message]) => [sender, statement(message)]))
const run = { params, openings: digestsOf(statements(open)) }
const said = (messages: ReadonlyMap<number, Message>, sender: number) =>
  statement(messages.get(sender)!)

function signs(sender: number, step: DkgStep, broadcast: Bytes): Statement {
  const sessionId = step === "open" ? seeded(`nonce ${sender}`, 32) : runSession(run)
  const previousDigest = step === "open" ? openingDigest(params) : NO_PREVIOUS
  const slot = slotOf(params, step, sessionId, sender)
  return statement(signMessage(identity(sender), slot, { previousDigest, broadcast }))
}

function complaintBy(accuser: number, dealer: number): Statement {
  const broadcast = encode(verdictPayloadCodec, { kind: "complain", dealers: [dealer] })
  return statement(rewrite(verdict.get(accuser)!, identity(accuser), { broadcast }))
}

/** The true randomness with which 2 sealed to 1. */
const sealedTo1 = seeded("run/1/2/reveal", 32 + 128).slice(32, 96)
const answerBy = (sender: number, accuser: number, randomness: Bytes) =>
  signs(
    sender,
    "answer",
    encode(answerPayloadCodec, { randomness: new Map([[accuser, randomness]]) }),
  )

const dispute = {
  kind: "dkg-complaint" as const,
  run,
  open: said(open, 1),
  reveal: said(reveal, 2),
  part: reveal.get(2)!.sealed.get(1)!,
  reveals: digestsOf(statements(reveal)),
}

function why(evidence: Evidence): string {
  const found = verifyEvidence(encodeEvidence(evidence), roster)
  assert.ok(!found.valid, `${evidence.kind} is valid`)
  return found.why
}

test("had 1 complained, this dispute would name it: the pieces are the right ones", () => {
  const evidence = { ...dispute, verdict: complaintBy(1, 2), answer: answerBy(2, 1, sealedTo1) }
  const expected = { valid: true, culprit: 1, reason: "false-complaint" }
  assert.deepEqual(verifyEvidence(encodeEvidence(evidence), roster), expected)
})

test("an answer given to someone else's complaint does not name 1", () => {
  const answer = answerBy(2, 1, sealedTo1)
  const byThree = { ...dispute, verdict: complaintBy(3, 2), answer }
  assert.equal(why(byThree), "not the accuser's verdict")
  const confirming = { ...dispute, verdict: said(verdict, 1), answer }
  assert.equal(why(confirming), "no such complaint")
  const ofThree = { ...dispute, verdict: complaintBy(1, 3), answer }
  assert.equal(why(ofThree), "no such complaint")
})

test("a complaint made on another view of the reveals names nobody", () => {
  const reveals = new Map(dispute.reveals).set(3, seeded("another reveal", 32))
  const answer = answerBy(2, 1, sealedTo1)
  const evidence = { ...dispute, reveals, verdict: complaintBy(1, 2), answer }
  assert.equal(why(evidence), "about another reveal")
})

test("an answer that the dealer did not sign does not name it", () => {
  const evidence = { ...dispute, open: said(open, 3), part: reveal.get(2)!.sealed.get(3)! }
  const answer = answerBy(3, 3, seeded("wrong", 64))
  assert.equal(why({ ...evidence, verdict: complaintBy(3, 2), answer }), "not the dealer's answer")
  const passesOver = answerBy(2, 1, sealedTo1)
  const silent = { ...evidence, verdict: complaintBy(3, 2), answer: passesOver }
  assert.equal(why(silent), "the complaint is not answered")
})

test("a part that the dealer did not sign does not name it", () => {
  const evidence = { ...dispute, verdict: complaintBy(1, 2), answer: answerBy(2, 1, sealedTo1) }
  assert.equal(why({ ...evidence, part: utf8("junk") }), "not the part that was signed")
})

test("confirmations do not count as complaints, nor one complaint as several", () => {
  const complaints = { kind: "dkg-complaints" as const, run, open: said(open, 1) }
  const confirms = [said(verdict, 2), said(verdict, 3)]
  assert.equal(why({ ...complaints, verdicts: confirms }), "no such complaint")
  const thrice = [complaintBy(3, 1), complaintBy(3, 1), complaintBy(3, 1)]
  assert.equal(why({ ...complaints, verdicts: thrice }), "fewer accusers than minSigners")
})

test("complaints without an answer have one form: minSigners accusers in ascending order", () => {
  const complaints = { kind: "dkg-complaints" as const, run, open: said(open, 1) }
  const [two, three] = [complaintBy(2, 1), complaintBy(3, 1)]
  const encoded = encodeEvidence({ ...complaints, verdicts: [two, three] })
  const named = { valid: true, culprit: 1, reason: "too-many-complaints" }
  assert.deepEqual(verifyEvidence(encoded, roster), named)
  const without = new Map([...roster].filter(([identifier]) => identifier !== 1))
  const gone = { valid: false, why: "open: unknown-sender" }
  assert.deepEqual(verifyEvidence(encoded, without), gone)
  const reason = "the accusers are not minSigners in ascending order"
  for (const verdicts of [
    [three, two],
    [two, two, three],
    [two, three, three],
  ]) {
    assert.equal(why({ ...complaints, verdicts }), reason)
  }
})

test("nobody is named by complaints in a run that it never opened, whatever threshold that has", () => {
  // Fewer than the roster's minSigners are corrupt, and choose parameters that they are enough for.
  for (const [minSigners, accusers] of [
    [0, []] as const,
    [1, [3]] as const,
    [2, [3, 4]] as const,
  ]) {
    const made = { ...params, minSigners, participants: [1, 2, 3, 4] }
    const opening = (sender: number) => {
      const slot = slotOf(made, "open", seeded(`nonce ${sender}`, 32), sender)
      const { broadcast } = said(open, 3)
      const previousDigest = openingDigest(made)
      return statement(signMessage(identity(sender), slot, { previousDigest, broadcast }))
    }
    const opened = new Map([3, 4].map((sender) => [sender, opening(sender)]))
    const theirs = { params: made, openings: digestsOf(opened) }
    const verdicts = accusers.map((accuser) => {
      const slot = slotOf(made, "verdict", runSession(theirs), accuser)
      const broadcast = encode(verdictPayloadCodec, { kind: "complain", dealers: [1] })
      const message = { previousDigest: NO_PREVIOUS, broadcast }
      return statement(signMessage(identity(accuser), slot, message))
    })
    const complaints = { kind: "dkg-complaints" as const, run: theirs, verdicts }
    const reason = minSigners < 2 ? "open: wrong-threshold" : "open: of another run"
    assert.equal(why({ ...complaints, open: said(open, 1) }), reason)
    const unlisted = new Map(theirs.openings).set(1, digestsOf(statements(open)).get(1)!)
    const run = { params: made, openings: unlisted }
    assert.equal(why({ ...complaints, run, open: said(open, 1) }), reason)
  }
})

test("a stranger's statement is no evidence against anyone in the run", () => {
  const evidence = { kind: "dkg-open" as const, params, open: signs(4, "open", utf8("junk")) }
  assert.equal(why(evidence), "open: not-a-participant")
})

test("a reveal is judged only by the opening of its own session", () => {
  const bytes = seeded("another opening", openRandomnessLength(params, 1))
  const other = dkgOpen(params, 2, { signer: identity(2), verifyKeys: roster }, bytes)
  assert.ok(other.ok)
  const judged = { kind: "dkg-reveal" as const, run, reveal: said(reveal, 2) }
  const swapped = { ...judged, open: statement(other.value.message) }
  assert.equal(why(swapped), "the opening is not of this session")
  const borrowed = { ...judged, open: said(open, 1) }
  assert.equal(why(borrowed), "opening and reveal have different senders")
  const junk = signs(2, "open", utf8("junk"))
  const openings = digestsOf(new Map([...statements(open), [2, junk]]))
  const faulty = { ...judged, run: { params, openings }, open: junk }
  assert.equal(why(faulty), "the opening is faulty")
  assert.equal(why({ ...judged, open: said(open, 2) }), "nothing is wrong with the statement")
})

test("a right confirmation stays right, and is not measured by reveals its signer never saw", () => {
  const confirmation = { kind: "dkg-confirmation" as const, run, verdict: said(verdict, 1) }
  const reveals = statements(reveal)
  assert.equal(why({ ...confirmation, reveals }), "the confirmation is right")
  const codec = revealPayloadCodec(edwards25519)
  const scalars = [1, 2].map((i) => edwards25519.scalarFromUniform(seeded(`other ${i}`, 64)))
  const vector = feldmanCommit(edwards25519, scalars)
  const payload = { ...decode(codec, reveal.get(3)!.broadcast), vector }
  const broadcast = encode(codec, payload)
  const equivocated = statement(rewrite(reveal.get(3)!, identity(3), { broadcast }))
  const swapped = new Map(reveals).set(3, equivocated)
  assert.equal(why({ ...confirmation, reveals: swapped }), "the sender saw other reveals")
  const missing = new Map([...reveals].slice(1))
  assert.equal(why({ ...confirmation, reveals: missing }), "the reveals are not those of the run")
})
