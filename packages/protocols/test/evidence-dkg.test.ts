import assert from "node:assert/strict"
import { test } from "node:test"
import { encode, utf8 } from "@lockkeeper/encoding"
import type { DkgStep } from "../src/dkg/index.ts"
import { verdictPayloadCodec } from "../src/dkg/payloads.ts"
import {
  type AbortReason,
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  LIMITS,
  type Statement,
  verifyEvidence,
} from "../src/index.ts"
import { driveWith, type Misdeed, paramsFor, signs } from "./dkg-cluster.ts"
import { flip, identity, rosterOf } from "./messages-fixtures.ts"

const CULPRIT = 2
const junk = signs(CULPRIT, () => ({ broadcast: utf8("junk") }))
const shut: Misdeed = signs(CULPRIT, ({ sealed }) => ({
  sealed: new Map([...sealed].map(([to, part]) => [to, flip(part, -1)])),
}))
const confirmsWrongly = signs(CULPRIT, ({ broadcast }) => ({ broadcast: flip(broadcast, -40) }))
const accuses = (dealer: number) =>
  signs(CULPRIT, () => ({
    broadcast: encode(verdictPayloadCodec, { kind: "complain", dealers: [dealer] }),
  }))

const CASES: readonly (readonly [
  Evidence["kind"],
  AbortReason,
  Partial<Record<DkgStep, Misdeed>>,
])[] = [
  ["dkg-open", "malformed-payload", { open: junk }],
  ["dkg-reveal", "malformed-payload", { reveal: junk }],
  ["dkg-verdict", "malformed-payload", { verdict: junk }],
  ["dkg-complaint", "bad-dealing", { reveal: shut }],
  ["dkg-complaint", "false-complaint", { verdict: accuses(1) }],
  ["dkg-complaints", "too-many-complaints", { reveal: shut, answer: () => null }],
  ["dkg-confirmation", "wrong-confirmation", { verdict: confirmsWrongly }],
]

function evidenceOf(misdeeds: Partial<Record<DkgStep, Misdeed>>) {
  const { task } = driveWith(paramsFor(2, [1, 2, 3]), { [CULPRIT]: misdeeds })
  assert.ok(task.kind === "aborted")
  const [evidence] = task.abort.evidence
  assert.ok(evidence)
  return evidence
}

for (const [kind, reason, misdeeds] of CASES) {
  test(`${kind} (${reason}) stands offline, and no altered byte changes whom it names`, () => {
    const evidence = evidenceOf(misdeeds)
    assert.equal(evidence.kind, kind)
    const bytes = encodeEvidence(evidence)
    const roster = rosterOf([1, 2, 3])
    assert.deepEqual(verifyEvidence(bytes, roster), { valid: true, culprit: CULPRIT, reason })
    assert.deepEqual(encodeEvidence(decodeEvidence(bytes)), bytes)
    const stride = Math.max(1, Math.floor(bytes.length / 150))
    let tried = 0
    for (let position = 0; position < bytes.length; position += stride) {
      const verdict = verifyEvidence(flip(bytes, position), roster)
      assert.equal(verdict.valid, false, `byte ${position} of ${bytes.length}`)
      tried++
    }
    assert.ok(tried >= 100)
    const impostors = new Map([1, 2, 3].map((i) => [i, identity(i + 10).publicKey]))
    assert.equal(verifyEvidence(bytes, impostors).valid, false)
    const impostor = new Map(roster).set(CULPRIT, identity(CULPRIT + 10).publicKey)
    assert.equal(verifyEvidence(bytes, impostor).valid, false, "nothing is the culprit's")
    assert.equal(verifyEvidence(bytes.subarray(0, -1), roster).valid, false)
  })
}

test("evidence that passes an honest statement off as faulty is worth nothing", () => {
  const evidence = evidenceOf({ reveal: shut })
  assert.ok(evidence.kind === "dkg-complaint")
  const { run, open, reveal, verdict } = evidence
  const framings: readonly Evidence[] = [
    { kind: "dkg-open", params: run.params, open },
    { kind: "dkg-reveal", run, open, reveal },
    { kind: "dkg-verdict", run, verdict },
    { kind: "dkg-complaints", run, open, verdicts: [verdict, verdict] },
    { kind: "dkg-complaints", run, open: verdict, verdicts: [verdict, verdict] },
    { kind: "dkg-confirmation", run, reveals: new Map(), verdict },
    { ...evidence, answer: verdict },
    { ...evidence, verdict: reveal },
    { ...evidence, open: reveal },
    { ...evidence, run: { ...run, params: { ...run.params, minSigners: 3 } } },
    { ...evidence, reveals: new Map([...evidence.reveals].slice(1)) },
  ]
  for (const framing of framings) {
    const found = verifyEvidence(encodeEvidence(framing), rosterOf([1, 2, 3]))
    assert.equal(found.valid, false, framing.kind)
  }
})

/** A statement of these sizes; 24 parts make a header of under 1 000 bytes. */
function sized(header: number, broadcast: number): Statement {
  const signature = new Uint8Array(64)
  return {
    header: { bytes: new Uint8Array(header), signature },
    broadcast: new Uint8Array(broadcast),
  }
}

test("the largest evidence of each kind fits its bound, with as many as may take part", () => {
  const n = LIMITS.participants
  const everyone = Array.from({ length: n }, (_, i) => i + 1)
  const params = paramsFor(n, everyone, "bip340")
  const digests = new Map(everyone.map((i) => [i, new Uint8Array(32)]))
  const run = { params, openings: digests }
  // What a checked payload can be; the statement that is at fault can be as large as any message.
  const open = sized(200, 1216 + 64)
  const verdict = sized(200, 200)
  const reveal = sized(1000, 4 + n * 33 + 32 + 64)
  const faulty = sized(LIMITS.header, LIMITS.broadcast)
  const part = new Uint8Array(LIMITS.sealed)
  const largest: readonly Evidence[] = [
    { kind: "dkg-open", params, open: faulty },
    { kind: "dkg-reveal", run, open, reveal: faulty },
    { kind: "dkg-verdict", run, verdict: faulty },
    { kind: "dkg-complaint", run, open, reveal, part, reveals: digests, verdict, answer: faulty },
    { kind: "dkg-complaints", run, open, verdicts: everyone.map(() => verdict) },
    { kind: "dkg-confirmation", run, reveals: new Map(everyone.map((i) => [i, reveal])), verdict },
  ]
  for (const evidence of largest) {
    assert.ok(encodeEvidence(evidence).length <= LIMITS.evidence, evidence.kind)
  }
  assert.equal(largest.length, 6)
})
