import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { encode, utf8 } from "@lockkeeper/encoding"
import {
  decodeEvidence,
  encodeEvidence,
  headerDigest,
  type repair,
  rosterEpochOf,
} from "../src/index.ts"
import {
  answerPayloadCodec,
  type SumPayload,
  sumPayloadCodec,
  type VerdictPayload,
  verdictPayloadCodec,
} from "../src/repair/payloads.ts"
import { WHOLE_PART } from "../src/reshare/payloads.ts"
import { identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import * as repairs from "./repair-cluster.ts"
import * as reshares from "./reshare-cluster.ts"
import { Spliced, statement } from "./spliced-evidence.ts"

const spliced = new Spliced(rosterOf([1, 2, 3, 4, 5]))

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

test("each piece of evidence about a repair has one form: nothing in it that does not count", () => {
  const split = repairDispute("split")
  const { splits } = repairDispute("sum")
  spliced.isWorthless({ ...split, splits }, "splits for a summand")
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
  spliced.isWorthless({ ...all, splits }, "splits for a whole part")
  spliced.isWorthless({ ...all, listed: split.listed }, "a key for a whole part")
  spliced.because({
    "splits for a summand": "not the key in dispute",
    "splits for a whole part": "not the key in dispute",
    "a key for a whole part": "not the key in dispute",
  })
})

/** Why spliced complaints about a summand and about a sum are worth nothing alike. */
const ALIKE = {
  "another attempt": "open: wrong-attempt",
  "another member": "open: wrong-participants",
  "another batch": "open: of another run",
  "another's opening": "not the part that was signed",
  "another part": "not the part that was signed",
  "a second message": "about another message",
  "a second message seen": "about another message",
  "other messages seen": "about another message",
  "nothing seen": "about another message",
  "no complaint": "no such complaint",
  "another's answer": "not the helper's answer",
  "an answer to another": "the complaint is not answered",
  "a complaint of another": "no such complaint",
  "a complaint of nobody": "no such complaint",
  "no answer": "answer: wrong-step",
  "no key": "not the key in dispute",
  "another key": "not the key in dispute",
  "another path": "not the key in dispute",
  "other shares": "not the key in dispute",
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
          ? encode(verdictPayloadCodec, payload)
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
    for (const [what, change] of variants) spliced.isWorthless({ ...evidence, ...change }, what)
    if (about === "split") {
      spliced.because({
        ...ALIKE,
        "the other kind": "sum: wrong-step",
        "another message": "split: wrong-step",
        "another complaint": "sum: wrong-step",
        "another's complaint": "not the accuser's complaint",
      })
      return
    }
    const { splits } = evidence
    const swapped = new Map([
      [1, splits.get(4)!],
      [4, splits.get(1)!],
    ])
    spliced.isWorthless({ ...evidence, splits: new Map() }, "no splits")
    spliced.isWorthless({ ...evidence, splits: new Map([...splits].slice(1)) }, "one split")
    spliced.isWorthless({ ...evidence, splits: swapped }, "splits under each other's names")
    const signedAgain = (...to: Identifier[]) => {
      const sealed = new Map(to.map((i) => [i, junk]))
      const again = rewrite({ ...splits.get(4)!, sealed }, identity(4), {})
      return { ...evidence, splits: new Map(splits).set(4, statement(again)) }
    }
    spliced.isWorthless(signedAgain(1, 3), "a second split")
    spliced.isWorthless(signedAgain(1), "a second split of another form")
    spliced.because({
      ...ALIKE,
      "the other kind": "split: wrong-step",
      "another message": "sum: wrong-step",
      "another complaint": "verdict: wrong-step",
      "another's complaint": "verdict: not-a-participant",
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
  spliced.isWorthless({ kind: "repair-open", params, open }, "open")
  spliced.isWorthless({ kind: "repair-open", params, open: split }, "split as open")
  for (const [step, statement] of [
    ["split", split],
    ["sum", sum],
    ["verdict", sum],
    ["sum", split],
  ] as const) {
    const what = `${statement === sum ? "sum" : "split"} as ${step}`
    spliced.isWorthless({ kind: "repair-said", run: id, step, said: statement }, what)
  }
  const junk = repairs.signs(1, () => ({ broadcast: utf8("junk") }))
  const { task } = repairs.drive(run, trio, { 1: { split: junk } })
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence?.kind === "repair-said")
  spliced.isWorthless({ ...evidence, step: "sum" }, "another step")
  const elsewhere = { ...evidence.run, params: { ...evidence.run.params, helpers: [2, 3, 4] } }
  spliced.isWorthless({ ...evidence, run: elsewhere }, "another run")
  spliced.because({
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
