import assert from "node:assert/strict"
import { test } from "node:test"
import { edwards25519, feldmanCommit, provePossession } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, decode, encode } from "@lockkeeper/encoding"
import { possessionStatement, vectorCommitment } from "../src/dkg/checks.ts"
import {
  checkParams,
  type DkgOpened,
  type DkgParams,
  type DkgRevealed,
  type DkgStep,
  dkgActivate,
  dkgAdvance,
  dkgCoordinate,
  dkgOpen,
  dkgOpenedCodec,
  dkgParamsCodec,
  dkgReveal,
  dkgVerdict,
  openRandomnessLength,
  revealRandomnessLength,
} from "../src/dkg/index.ts"
import { openPayloadCodec, type RevealPayload, revealPayloadCodec } from "../src/dkg/payloads.ts"
import {
  type AbortReason,
  deliver,
  encodeEvidence,
  equivocationOf,
  headerCodec,
  type Message,
  messageCodec,
  verifyEvidence,
} from "../src/index.ts"
import { assertAborted, driveWith, HonestParticipant, paramsFor, signs } from "./dkg-cluster.ts"
import { flip, identity, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"

const params = paramsFor(2, [1, 2, 3])
const CULPRIT = 3
const VICTIM = 1
const group = edwards25519
const codec = revealPayloadCodec(group)

function revealWith(change: (payload: RevealPayload, sessionId: Bytes) => Partial<RevealPayload>) {
  return signs(CULPRIT, ({ header, broadcast }) => {
    const payload = decode(codec, broadcast)
    const { sessionId } = decode(headerCodec, header.bytes)
    return { broadcast: encode(codec, { ...payload, ...change(payload, sessionId) }) }
  })
}

/** An opening that commits to a vector of the culprit's choice, as if that were its polynomial. */
function commitsTo(vector: readonly RevealPayload["vector"][number][], blinding: Bytes) {
  return signs(CULPRIT, ({ broadcast }) => {
    const payload = decode(openPayloadCodec, broadcast)
    const commitment = vectorCommitment(params, CULPRIT, vector, blinding)
    return { broadcast: encode(openPayloadCodec, { ...payload, commitment }) }
  })
}

/** What an honest participant reveals in the same session as the culprit, seen in a first run. */
function victimReveal(): RevealPayload {
  let seen: RevealPayload | null = null
  driveWith(params, {
    [VICTIM]: {
      reveal: (message) => {
        seen = decode(codec, message.broadcast)
        return message
      },
    },
  })
  assert.ok(seen)
  return seen
}

test("a copied vector and proof of possession do not pass as the copier's", () => {
  const { vector, blinding, possession } = victimReveal()
  const result = driveWith(params, {
    [CULPRIT]: {
      open: commitsTo(vector, blinding),
      reveal: revealWith(() => ({ vector, blinding, possession })),
    },
  })
  assertAborted(result, params, { reason: "wrong-proof-of-possession", culprits: [CULPRIT] })
})

test("a copied commitment cannot be opened: it is bound to its sender", () => {
  const { vector, blinding } = victimReveal()
  const copied = vectorCommitment(params, VICTIM, vector, blinding)
  const result = driveWith(params, {
    [CULPRIT]: {
      open: signs(CULPRIT, ({ broadcast }) => {
        const payload = decode(openPayloadCodec, broadcast)
        return { broadcast: encode(openPayloadCodec, { ...payload, commitment: copied }) }
      }),
      reveal: revealWith(() => ({ vector, blinding })),
    },
  })
  assertAborted(result, params, { reason: "wrong-opening", culprits: [CULPRIT] })
})

const secret = group.scalarFromUniform(seeded("constant term", 64))
const vector = feldmanCommit(group, [secret, group.scalarFromUniform(seeded("slope", 64))])
const blinding = seeded("blinding", 32)
const randomness = seeded("proof", 32)

function revealsProofFor(sessionOf: (sessionId: Bytes) => Bytes, sender: number) {
  return {
    open: commitsTo(vector, blinding),
    reveal: revealWith((_, sessionId) => {
      const statement = possessionStatement(sessionOf(sessionId), sender, vector[0]!)
      const possession = provePossession(group, { ...statement, secret, randomness })
      return { vector, blinding, possession }
    }),
  }
}

test("a proof of possession from another session is worth nothing in this one", () => {
  const replayed = revealsProofFor(() => seeded("an earlier session", 32), CULPRIT)
  const result = driveWith(params, { [CULPRIT]: replayed })
  assertAborted(result, params, { reason: "wrong-proof-of-possession", culprits: [CULPRIT] })
})

test("a proof of possession made for another sender is worth nothing from this one", () => {
  const result = driveWith(params, { [CULPRIT]: revealsProofFor((s) => s, VICTIM) })
  assertAborted(result, params, { reason: "wrong-proof-of-possession", culprits: [CULPRIT] })
})

test("the same proof bound rightly passes, so the two before fail for their binding alone", () => {
  // The run gets as far as the culprit's own verdict, where its shares do not fit its vector.
  const rightly = revealsProofFor((sessionId) => sessionId, CULPRIT)
  assert.throws(() => driveWith(params, { [CULPRIT]: rightly }), /own dealing/)
})

test("a rogue constant term that cancels the others has no proof of possession", () => {
  // C_0 = X - C_(1,0) - C_(2,0) would make the key X, whose logarithm the culprit knows.
  const target = group.multiplyBase(secret)
  const rogue = [group.subtract(target, victimReveal().vector[0]!), vector[1]!]
  const result = driveWith(params, {
    [CULPRIT]: {
      open: commitsTo(rogue, blinding),
      reveal: revealWith((_, sessionId) => {
        const statement = possessionStatement(sessionId, CULPRIT, rogue[0]!)
        const possession = provePossession(group, { ...statement, secret, randomness })
        return { vector: rogue, blinding, possession }
      }),
    },
  })
  assertAborted(result, params, { reason: "wrong-proof-of-possession", culprits: [CULPRIT] })
})

const IDENTIFIERS: readonly (readonly [string, readonly number[]])[] = [
  ["zero", [0, 1, 2]],
  ["a duplicate", [1, 2, 2]],
  ["descending order", [2, 1, 3]],
  ["a negative number", [-1, 1, 2]],
  ["a fraction", [1, 1.5, 2]],
  ["more than 16 bits, as the group order and everything equal to zero modulo it", [1, 2, 65_536]],
  ["not a number", [1, 2, Number.NaN]],
  ["more than may take part", Array.from({ length: 25 }, (_, i) => i + 1)],
]
for (const [what, participants] of IDENTIFIERS) {
  test(`participants with ${what} are refused before anything is signed`, () => {
    const wrong = { ...params, participants }
    const outcome = dkgOpen(wrong, 1, selfOf(1), new Uint8Array(openRandomnessLength(params, 1)))
    assert.ok(!outcome.ok)
    assert.equal(outcome.abort.reason, "wrong-participants")
    const task = dkgCoordinate(wrong, rosterOf([1, 2, 3]))
    assert.ok(task.kind === "aborted" && task.abort.reason === "wrong-participants")
  })
}

test("identifiers zero, duplicate and out of order have no encoding", () => {
  const bytes = encode(dkgParamsCodec, params)
  const at = bytes.length - 8 - 3 * 2
  for (const [position, value] of [
    [at + 1, 0],
    [at + 3, 1],
    [at + 5, 1],
  ] as const) {
    const wrong = new Uint8Array(bytes)
    wrong[position] = value
    assert.throws(() => decode(dkgParamsCodec, wrong), DecodeError)
  }
})

for (const [what, change, reason] of [
  ["a threshold of one", { minSigners: 1 }, "wrong-threshold"],
  ["a threshold above the participants", { minSigners: 4 }, "wrong-threshold"],
  ["a fractional threshold", { minSigners: 2.5 }, "wrong-threshold"],
  ["an unknown key type", { keyType: "rsa" }, "wrong-key-type"],
  ["a short key id", { keyId: new Uint8Array(31) }, "malformed-payload"],
] as const) {
  test(`${what} is refused`, () => {
    const outcome = checkParams({ ...params, ...change } as DkgParams)
    assert.ok(!outcome.ok)
    assert.equal(outcome.abort.reason, reason as AbortReason)
  })
}

test("a stranger cannot open, and one identity key is one participant", () => {
  const bytes = new Uint8Array(openRandomnessLength(params, 1)).fill(1)
  const stranger = dkgOpen(params, 4, selfOf(4), bytes)
  assert.ok(!stranger.ok && stranger.abort.reason === "not-a-participant")
  const verifyKeys = new Map(rosterOf([1, 2, 3])).set(3, identity(2).publicKey)
  const twice = dkgOpen(params, 1, { signer: identity(1), verifyKeys }, bytes)
  assert.ok(!twice.ok && twice.abort.reason === "wrong-participants")
  assert.equal(twice.abort.field, "participants.3")
})

function selfOf(identifier: number) {
  return { signer: identity(identifier), verifyKeys: rosterOf([1, 2, 3]) }
}

function opened(identifier: number, seed: string): { state: DkgOpened; message: Message } {
  const bytes = seeded(`${seed}/${identifier}`, openRandomnessLength(params, identifier))
  const outcome = dkgOpen(params, identifier, selfOf(identifier), bytes)
  assert.ok(outcome.ok)
  return outcome.value
}

function revealed(state: DkgOpened, messages: readonly Message[]) {
  const bytes = seeded(
    `reveal ${state.identifier}`,
    revealRandomnessLength(params, state.identifier),
  )
  return dkgReveal(state, messages, selfOf(state.identifier), bytes)
}

test("split view: members shown different openings end in different sessions, and nobody is blamed", () => {
  const [one, two] = [opened(1, "run"), opened(2, "run")]
  const [shownToOne, shownToTwo] = [opened(3, "run").message, opened(3, "other").message]
  const first = revealed(one.state, [two.message, shownToOne])
  const second = revealed(two.state, [one.message, shownToTwo])
  assert.ok(first.ok && second.ok)
  const third = revealed(opened(3, "run").state, [one.message, two.message])
  assert.ok(third.ok)
  const toOne = [second.value.message, third.value.message].map((m) => deliver(m, 1))
  const outcome = dkgVerdict(first.value.state, toOne, selfOf(1))
  assert.ok(!outcome.ok)
  assert.equal(outcome.abort.reason, "wrong-session")
  assert.deepEqual(outcome.abort.culprits, [])
  // A server that was put back to an older copy opens twice too, and did nothing wrong.
  const evidence = equivocationOf(shownToOne.header, shownToTwo.header)
  const verdict = verifyEvidence(encodeEvidence(evidence), rosterOf([1, 2, 3]))
  assert.deepEqual(verdict, { valid: false, why: "the headers belong to different slots" })
})

test("two openings under one nonce are equivocation, two under two nonces are not", () => {
  const [one, two] = [opened(1, "run"), opened(2, "run")]
  const { message, state } = opened(3, "run")
  const { broadcast } = opened(3, "other").message
  const sameNonce = rewrite(message, identity(3), { broadcast })
  const outcome = revealed(one.state, [two.message, message, sameNonce])
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.abort.reason, outcome.abort.culprits], ["equivocation", [3]])
  const [evidence] = outcome.abort.evidence
  const verdict = verifyEvidence(encodeEvidence(evidence!), rosterOf([1, 2, 3]))
  assert.deepEqual(verdict, { valid: true, culprit: 3, reason: "equivocation" })
  // Nobody honest draws a nonce twice, whatever the two runs are about.
  const header = { previousDigest: seeded("another request", 32) }
  const elsewhere = rewrite(message, identity(3), { header })
  const across = revealed(one.state, [two.message, message, elsewhere])
  assert.ok(!across.ok)
  assert.deepEqual([across.abort.reason, across.abort.culprits], ["equivocation", [3]])
  const again = revealed(one.state, [two.message, message, opened(3, "other").message])
  assert.ok(!again.ok)
  assert.deepEqual([again.abort.reason, again.abort.culprits], ["duplicate-sender", []])
  assert.ok(revealed(state, [one.message, two.message]).ok)
})

test("an opening for another request is refused without blame, whatever else it says", () => {
  const one = opened(1, "run")
  const three = opened(3, "run")
  const other = { ...params, keyId: seeded("another key", 32) }
  const bytes = seeded("run/2", openRandomnessLength(other, 2))
  const elsewhere = dkgOpen(other, 2, selfOf(2), bytes)
  assert.ok(elsewhere.ok)
  const outcome = revealed(one.state, [elsewhere.value.message, three.message])
  assert.ok(!outcome.ok)
  assert.deepEqual([outcome.abort.reason, outcome.abort.culprits], ["echo-mismatch", []])
  // And it is no evidence in this run, though it is faulty in any.
  const junk = rewrite(elsewhere.value.message, identity(2), { broadcast: seeded("junk", 9) })
  const open = { header: junk.header, broadcast: junk.broadcast }
  const here = encodeEvidence({ kind: "dkg-open", params, open })
  const worthless = { valid: false, why: "open: of another run" }
  assert.deepEqual(verifyEvidence(here, rosterOf([1, 2, 3])), worthless)
  const there = encodeEvidence({ kind: "dkg-open", params: other, open })
  const named = { valid: true, culprit: 2, reason: "malformed-payload" }
  assert.deepEqual(verifyEvidence(there, rosterOf([1, 2, 3])), named)
})

test("split view: two reveals for one session never both confirm, and name their signer", () => {
  const all = [1, 2, 3].map((i) => opened(i, "run"))
  const reveals = all.map(({ state }) => {
    const others = all.filter((other) => other.state.identifier !== state.identifier)
    const outcome = revealed(
      state,
      others.map(({ message }) => message),
    )
    assert.ok(outcome.ok)
    return outcome.value
  })
  const [one, two, three] = reveals as [Revealing, Revealing, Revealing]
  const otherPart = new Map(three.message.sealed).set(1, seeded("other part", 1200))
  const shownToTwo = rewrite(three.message, identity(3), { sealed: otherPart })
  const first = dkgVerdict(
    one.state,
    [two, three].map((r) => deliver(r.message, 1)),
    selfOf(1),
  )
  const toTwo = [one.message, shownToTwo].map((m) => deliver(m, 2))
  const second = dkgVerdict(two.state, toTwo, selfOf(2))
  assert.ok(first.ok && second.ok)
  const activated = dkgActivate(first.value.state, [second.value.message], selfOf(1))
  assert.ok(!activated.ok)
  assert.equal(activated.abort.reason, "echo-mismatch")
  assert.deepEqual(activated.abort.culprits, [])

  let task = dkgCoordinate(params, rosterOf([1, 2, 3]))
  assert.ok(task.kind === "ask")
  const answers = all.map(({ message }, i) => ({ from: i + 1, message }))
  task = dkgAdvance(task.waiting, answers)
  assert.ok(task.kind === "ask")
  const both = [one.message, two.message, three.message, shownToTwo]
  const from = [1, 2, 3, 3]
  task = dkgAdvance(
    task.waiting,
    both.map((message, i) => ({ from: from[i]!, message })),
  )
  assertAborted({ task, keys: new Map(), certificates: [], aborts: new Map() }, params, {
    reason: "equivocation",
    culprits: [3],
  })
})

/** A run in which the culprit gives the coordinator two messages at one step. */
function driveTwice(step: DkgStep, both: (message: Message) => readonly Message[]) {
  const participants = new Map(
    params.participants.map((i) => [i, new HonestParticipant(params, i, "run")]),
  )
  let task = dkgCoordinate(params, rosterOf(params.participants))
  while (task.kind === "ask") {
    const responses = []
    for (const [from, messages] of task.deliveries) {
      const answer = participants.get(from)!.step(task.step, messages)
      assert.ok(answer.ok)
      const twice = from === CULPRIT && task.step === step
      const sent = twice ? both(answer.value) : [answer.value]
      responses.push(...sent.map((message) => ({ from, message })))
    }
    task = dkgAdvance(task.waiting, responses)
  }
  return { task, keys: new Map(), certificates: [], aborts: new Map() }
}

test("two messages for one place name their author though one echoes what nobody sent", () => {
  const header = { previousDigest: seeded("nothing that was sent", 32) }
  for (const step of ["reveal", "verdict"] as const) {
    for (const reversed of [false, true]) {
      const result = driveTwice(step, (message) => {
        const both = [message, rewrite(message, identity(CULPRIT), { header })]
        return reversed ? both.reverse() : both
      })
      assertAborted(result, params, { reason: "equivocation", culprits: [CULPRIT] })
    }
  }
})

test("a coordinator that gets two openings under two nonces names nobody", () => {
  const { task } = driveTwice("open", (message) => [opened(CULPRIT, "other").message, message])
  assert.equal(task.kind, "activate")
})

test("a relay that alters a delivered byte gets nobody blamed and no key made", () => {
  const [one, two, three] = [1, 2, 3].map((i) => opened(i, "run")) as [Opening, Opening, Opening]
  const bytes = encode(messageCodec, two.message)
  let refused = 0
  for (let position = 0; position < bytes.length; position += position < 400 ? 1 : 61) {
    const changed = decodeMessage(flip(bytes, position))
    if (changed) {
      const outcome = revealed(one.state, [changed, three.message])
      assert.ok(!outcome.ok, `byte ${position}`)
      assert.deepEqual(outcome.abort.culprits, [], `byte ${position}`)
      assert.deepEqual(outcome.abort.evidence, [], `byte ${position}`)
    }
    refused++
  }
  assert.ok(refused > 400)
})

test("messages of an earlier try, of oneself and of too few are refused without blame", () => {
  const [one, two, three] = [1, 2, 3].map((i) => opened(i, "run")) as [Opening, Opening, Opening]
  const later = { ...params, attempt: 2 }
  const again = dkgOpen(later, 2, selfOf(2), seeded("again", openRandomnessLength(later, 2)))
  assert.ok(again.ok)
  const refuse = (messages: readonly Message[], reason: AbortReason) => {
    const outcome = revealed(one.state, messages)
    assert.ok(!outcome.ok)
    assert.equal(outcome.abort.reason, reason)
    assert.deepEqual(outcome.abort.culprits, [])
  }
  refuse([again.value.message, three.message], "wrong-attempt")
  refuse([one.message, two.message, three.message], "unknown-sender")
  refuse([three.message], "missing-messages")
  refuse([two.message, two.message, three.message], "duplicate-sender")
  assert.ok(revealed(one.state, [three.message, two.message]).ok)
})

test("states are canonical and hold what the next step needs", () => {
  const { state } = opened(1, "run")
  const bytes = encode(dkgOpenedCodec, state)
  assert.deepEqual(encode(dkgOpenedCodec, decode(dkgOpenedCodec, bytes)), bytes)
  assert.doesNotMatch(JSON.stringify(state.coefficients), /\d/)
})

type Opening = ReturnType<typeof opened>
type Revealing = { readonly state: DkgRevealed; readonly message: Message }

function decodeMessage(bytes: Bytes): Message | null {
  try {
    return decode(messageCodec, bytes)
  } catch (error) {
    assert.ok(error instanceof DecodeError)
    return null
  }
}
