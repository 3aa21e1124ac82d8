import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName, type Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  type Evidence,
  echoDigest,
  encodeEvidence,
  type Header,
  headerCodec,
  headerDigest,
  type Message,
  repair,
  reshare,
  type Statement,
  sealFirst,
  type sharing,
  verifyEvidence,
} from "../src/index.ts"
import * as repairParams from "../src/repair/params.ts"
import { openPayloadCodec as repairOpenCodec, sumPayloadCodec } from "../src/repair/payloads.ts"
import * as reshareParams from "../src/reshare/params.ts"
import {
  answerPayloadCodec,
  openPayloadCodec,
  sealedSharesCodec,
  verdictPayloadCodec,
} from "../src/reshare/payloads.ts"
import { identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import * as repairs from "./repair-cluster.ts"
import * as reshares from "./reshare-cluster.ts"
import { statement } from "./spliced-evidence.ts"

// Nobody honest opens a run with a key that does not fit it. A run of liars alone is judged all the same,
// by whoever is sent its evidence.

const LIAR = 1
const ACCUSER = 4
const INDEX = 1
const used = seeded("encapsulation", 64)
const batch = reshares.mixedBatch(2, [1, 2, 3, 4])
const roster = rosterOf([1, 2, 3, 4, 5])
const groups = batch.map(({ sharing: { group } }) => group)

function whyNot(evidence: Evidence): string {
  const verdict = verifyEvidence(encodeEvidence(evidence), roster)
  assert.ok(!verdict.valid)
  return verdict.why
}

/** The same statement in another run, signed again. */
function inRun(
  by: Identifier,
  original: Statement,
  { sealed = new Map(), ...header }: Partial<Header> & { sealed?: Message["sealed"] },
  broadcast = original.broadcast,
): Statement {
  const message = { ...original, sealed: new Map() }
  return statement(rewrite(message, identity(by), { header, broadcast, sealed }))
}

/** Shares that are scalars, sealed to the accuser by the liar in the place of this statement. */
function sealedIn(original: Statement, sessionId: Bytes, sealingKey: Bytes): Bytes {
  const slot = { ...decode(headerCodec, original.header.bytes), sessionId }
  const scalars = groups.map((name) => groupByName(name).one as Bytes)
  const payload = encode(sealedSharesCodec({ groups }), scalars)
  return sealFirst({ slot, recipient: ACCUSER }, sealingKey, used, payload).part
}

const answered = (accuser: Identifier) =>
  encode(answerPayloadCodec, { randomness: new Map([[accuser, used]]) })

/** Of another group than the run's parameters say, and without the liar among its holders. */
function unfitSharings(): readonly sharing.Sharing[] {
  const shared = batch[INDEX]!.sharing
  const verifyingShares = new Map([...shared.verifyingShares].filter(([holder]) => holder !== LIAR))
  return [batch[0]!.sharing, { ...shared, verifyingShares }]
}

test("a reshared key that does not fit its run is nobody's fault", () => {
  const attempt = reshares.attemptFor(batch, {
    dealers: [1, 2],
    holders: [2, 3, 4, 5],
    minSigners: 2,
  })
  const verdict = reshares.signs(ACCUSER, () => ({
    broadcast: encode(verdictPayloadCodec, {
      kind: "complain",
      complaints: [{ dealer: LIAR, index: INDEX }],
    }),
  }))
  const { task } = reshares.drive(attempt, batch, { [ACCUSER]: { verdict } })
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence?.kind === "reshare-complaint" && evidence.listed !== null)
  const { listed } = evidence
  const whyWith = (one: sharing.Sharing) => {
    const key = { ...listed.key, sharing: one }
    const keys = attempt.keys.map((before, index) => (index === INDEX ? key : before))
    const params = { ...evidence.run.params, keys: reshare.keysRoot(keys) }
    const { request } = reshareParams.openingStep(params)
    const open = inRun(ACCUSER, evidence.open, { previousDigest: request })
    const openings = new Map(evidence.run.openings).set(ACCUSER, headerDigest(open.header))
    const run = { params, openings }
    const sessionId = reshareParams.runSession(run)
    const { sealingKey } = decode(openPayloadCodec, open.broadcast)
    const part = sealedIn(evidence.deal, sessionId, sealingKey as Bytes)
    const deal = inRun(LIAR, evidence.deal, { sessionId, sealed: new Map([[ACCUSER, part]]) })
    const deals = new Map(evidence.deals).set(LIAR, headerDigest(deal.header))
    const said = { sessionId, previousDigest: echoDigest(deals) }
    const complaint = inRun(ACCUSER, evidence.verdict, said)
    const answer = inRun(LIAR, evidence.answer, { sessionId }, answered(ACCUSER))
    const listing = { ...listed, key }
    return whyNot({
      ...evidence,
      run,
      open,
      deal,
      part,
      deals,
      verdict: complaint,
      answer,
      listed: listing,
    })
  }
  for (const one of unfitSharings()) assert.equal(whyWith(one), "no key of this run")
})

test("a repaired key that does not fit its run is nobody's fault", () => {
  const attempt = repairs.attemptFor(batch, [LIAR, ACCUSER], 2)
  const sum = repairs.signs(ACCUSER, () => ({
    broadcast: encode(sumPayloadCodec, {
      kind: "complain",
      complaints: [{ dealer: LIAR, index: INDEX }],
    }),
    sealed: new Map(),
  }))
  const { task } = repairs.drive(attempt, batch, { [ACCUSER]: { sum } })
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence?.kind === "repair-complaint" && evidence.listed !== null)
  const { listed } = evidence
  const whyWith = (one: sharing.Sharing) => {
    const sharings = attempt.sharings.map((before, index) => (index === INDEX ? one : before))
    const params = { ...evidence.run.params, keys: repair.sharingsRoot(sharings) }
    const { request } = repairParams.openingStep(params)
    const open = inRun(ACCUSER, evidence.open, { previousDigest: request })
    const openings = new Map(evidence.run.openings).set(ACCUSER, headerDigest(open.header))
    const run = { params, openings }
    const sessionId = repairParams.runSession(run)
    const { sealingKey } = decode(repairOpenCodec, open.broadcast)
    const part = sealedIn(evidence.said, sessionId, sealingKey)
    const said = inRun(LIAR, evidence.said, { sessionId, sealed: new Map([[ACCUSER, part]]) })
    const seen = new Map(evidence.seen).set(LIAR, headerDigest(said.header))
    const told = { sessionId, previousDigest: echoDigest(seen) }
    const complaint = inRun(ACCUSER, evidence.complaint, told)
    const answer = inRun(LIAR, evidence.answer, { sessionId }, answered(ACCUSER))
    return whyNot({
      ...evidence,
      run,
      open,
      said,
      part,
      seen,
      complaint,
      answer,
      listed: { ...listed, sharing: one },
    })
  }
  for (const one of unfitSharings()) assert.equal(whyWith(one), "no key of this run")
})
