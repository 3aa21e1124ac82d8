import assert from "node:assert/strict"
import { test } from "node:test"
import { decode, encode, utf8 } from "@lockkeeper/encoding"
import { type DkgStep, dkgAdvance, dkgCoordinate } from "../src/dkg/index.ts"
import { verdictPayloadCodec } from "../src/dkg/payloads.ts"
import {
  type Abort,
  type AbortReason,
  deliver,
  encodeEvidence,
  headerCodec,
  type Message,
  type Outcome,
  verifyEvidence,
} from "../src/index.ts"
import { HonestParticipant, paramsFor } from "./dkg-cluster.ts"
import { flip, identity, type Rewrite, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"

// What a participant does when the coordinator checks nothing, or works with the culprit.

const params = paramsFor(2, [1, 2, 3])
const CULPRIT = 2

/** Runs all honest steps up to `step` and returns participant 1 with what it is delivered next. */
function upTo(last: DkgStep): { one: HonestParticipant; messages: readonly Message[] } {
  const all = params.participants.map((i) => new HonestParticipant(params, i, "run"))
  let sent: Message[] = []
  for (const step of ["open", "reveal", "verdict"] as const) {
    sent = all.map((participant) => {
      const outcome = participant.step(step, deliveredTo(participant.identifier, sent))
      assert.ok(outcome.ok)
      return outcome.value
    })
    if (step === last) break
  }
  return { one: all[0]!, messages: deliveredTo(1, sent) }
}

function deliveredTo(recipient: number, sent: readonly Message[]): readonly Message[] {
  return sent
    .filter(({ header }) => decode(headerCodec, header.bytes).sender !== recipient)
    .map((message) => deliver(message, recipient))
}

function withCulprits(messages: readonly Message[], change: (message: Message) => Rewrite) {
  const [first, ...rest] = messages
  return [deliver(rewrite(first!, identity(CULPRIT), change(first!)), 1), ...rest]
}

function refused(outcome: Outcome<unknown>, reason: AbortReason, culprits: number[]): Abort {
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, reason)
  assert.deepEqual(outcome.abort.culprits, culprits)
  assert.equal(outcome.abort.evidence.length, culprits.length)
  for (const evidence of outcome.abort.evidence) {
    const verdict = verifyEvidence(encodeEvidence(evidence), rosterOf(params.participants))
    assert.deepEqual(verdict, { valid: true, culprit: CULPRIT, reason })
  }
  return outcome.abort
}

const junk = () => ({ broadcast: utf8("junk") })
const wrongEcho = () => ({ header: { previousDigest: seeded("x", 32) } })
/** With the part for 3 that was not delivered to 1. */
const keepingParts =
  (change: () => Rewrite) =>
  ({ sealed }: Message): Rewrite => ({
    ...change(),
    sealed: new Map([...sealed, [3, utf8("unseen")]]),
  })

test("a participant refuses a faulty opening itself, and the run goes on with a right one", () => {
  const { one, messages } = upTo("open")
  refused(one.step("reveal", withCulprits(messages, junk)), "malformed-payload", [CULPRIT])
  assert.ok(one.step("reveal", messages).ok)
})

test("a participant refuses a faulty reveal itself, and a foreign echo without blame", () => {
  const { one, messages } = upTo("reveal")
  refused(one.step("verdict", withCulprits(messages, keepingParts(junk))), "malformed-payload", [
    CULPRIT,
  ])
  refused(one.step("verdict", withCulprits(messages, keepingParts(wrongEcho))), "echo-mismatch", [])
  assert.ok(one.step("verdict", messages).ok)
})

test("a participant activates nothing on a wrong, missing, malformed or foreign verdict", () => {
  const { one, messages } = upTo("verdict")
  const wrong = withCulprits(messages, ({ broadcast }) => ({ broadcast: flip(broadcast, -40) }))
  refused(one.activate(wrong), "wrong-confirmation", [CULPRIT])
  refused(one.activate(withCulprits(messages, junk)), "malformed-payload", [CULPRIT])
  refused(one.activate(withCulprits(messages, wrongEcho)), "echo-mismatch", [])
  const missing = refused(one.activate(messages.slice(1)), "missing-messages", [])
  assert.deepEqual(missing.silent, [CULPRIT])
  assert.ok(one.activate(messages).ok)
})

test("a participant activates nothing while anyone complains", () => {
  const { one, messages } = upTo("verdict")
  const complaint = encode(verdictPayloadCodec, { kind: "complain", dealers: [1] })
  const complained = withCulprits(messages, () => ({ broadcast: complaint }))
  refused(one.activate(complained), "complaint-pending", [])
})

test("a participant that complained itself activates nothing, whatever it is shown", () => {
  const { one, messages } = upTo("reveal")
  const [first] = messages
  const shut = withCulprits(messages, () => ({
    sealed: new Map([
      [1, flip(first!.sealed.get(1)!, -1)],
      [3, utf8("unseen")],
    ]),
  }))
  const outcome = one.step("verdict", shut)
  assert.ok(outcome.ok)
  const verdict = decode(verdictPayloadCodec, outcome.value.broadcast)
  assert.deepEqual(verdict, { kind: "complain", dealers: [CULPRIT] })
  const activated = one.activate(upTo("verdict").messages)
  assert.ok(!activated.ok)
})

test("an answer in another participant's name counts for nobody", () => {
  const start = dkgCoordinate(params, rosterOf(params.participants))
  assert.ok(start.kind === "ask")
  const { messages } = upTo("open")
  const own = new HonestParticipant(params, 1, "run").step("open", [])
  assert.ok(own.ok)
  const responses = [
    { from: 1, message: own.value },
    { from: 2, message: messages[1]! },
    { from: 3, message: messages[1]! },
  ]
  const task = dkgAdvance(start.waiting, responses)
  assert.ok(task.kind === "aborted")
  assert.equal(task.abort.reason, "unknown-sender")
  assert.deepEqual(task.abort.silent, [2])
  assert.deepEqual(task.abort.culprits, [])
})

test("an answer that arrives twice counts once", () => {
  const start = dkgCoordinate(params, rosterOf(params.participants))
  assert.ok(start.kind === "ask")
  const responses = params.participants.flatMap((from) => {
    const outcome = new HonestParticipant(params, from, "run").step("open", [])
    assert.ok(outcome.ok)
    return [
      { from, message: outcome.value },
      { from, message: outcome.value },
    ]
  })
  const task = dkgAdvance(start.waiting, responses)
  assert.ok(task.kind === "ask")
  assert.equal(task.step, "reveal")
})
