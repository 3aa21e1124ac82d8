import assert from "node:assert/strict"
import { test } from "node:test"
import { type Element, type Identifier, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { type PresignRun, presignSession, presignSlot } from "../src/dkls/presign/params.ts"
import {
  type ExchangePayload,
  exchangePayloadCodec,
  payloadDigest,
  publishPayloadCodec,
  type SaidPayload,
  saidPayloadCodec,
} from "../src/dkls/presign/payloads.ts"
import { presignStateCodec, presignTrailCodec } from "../src/dkls/presign/state.ts"
import type { DklsEdge } from "../src/evidence/dkls-edge.ts"
import type { ShownPayload } from "../src/evidence/dkls-presign.ts"
import {
  digestsOf,
  type Evidence,
  echoDigest,
  encodeEvidence,
  headerDigest,
  NO_PREVIOUS,
  type Statement,
  signMessage,
  type Verdict,
  verifyEvidence,
} from "../src/index.ts"
import { dealtPairs, PresignRunner } from "./dkls-cluster.ts"
import { makeCluster, participant, seeded } from "./frost-fixture.ts"
import { flip, rewrite } from "./messages-fixtures.ts"

// What is made of the messages of an honest run by someone who can sign for whomever a case needs.
// 1 and 2 are servers, 9 is an additive participant, and 3 is a server that is no signer of the run.

const group = secp256k1
const cluster = makeCluster({ keyType: "ecdsa-secp256k1", additive: [9] })
const signers = [1, 2, 9]
const pairs = dealtPairs(signers)
const honest = new PresignRunner(cluster, signers, { pairs }).run()
const again = Object.assign(new PresignRunner(cluster, signers, { pairs, seed: "again" }), {
  params: honest.params,
}).run()
const STRANGER = 3
const GARBAGE = Uint8Array.of(9)
const point = group.multiplyBase(group.scalarFromInteger(5))
const { certificate } = cluster
const { params } = honest

const { opens, exchanges, exchanged, publishes, published } = trailOf(honest)
const run: PresignRun = { params, openings: digestsOf(opens) }
const exchangesShown = shownOf(exchanges, exchanged)
const publishesShown = shownOf(publishes, published)

/** What 1 has of a whole run. */
function trailOf(runner: PresignRunner) {
  const state = runner.before(5).states.get(1)
  assert.ok(state)
  return decode(presignTrailCodec, decode(presignStateCodec, state).trail)
}

function shownOf(
  said: ReadonlyMap<Identifier, Statement>,
  payloads: ReadonlyMap<Identifier, Bytes>,
): Map<Identifier, ShownPayload> {
  const ids = [...said.keys()]
  return new Map(ids.map((id) => [id, { statement: said.get(id)!, payload: payloads.get(id)! }]))
}

function judged(evidence: Evidence): Verdict {
  return verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys)
}

function assertWorthless(evidence: Evidence, why: string): void {
  assert.deepEqual(judged(evidence), { valid: false, why })
}

interface Said {
  readonly sender?: Identifier
  readonly of?: PresignRun
  readonly previousDigest?: Bytes
}

/** What `sender`, 2 unless told, signs at a step; with parts where it announces a payload. */
function says(step: 2 | 3 | 4, payload: SaidPayload | Bytes, said: Said = {}): Statement {
  const { sender = 2, of = run, previousDigest = NO_PREVIOUS } = said
  const isRaw = payload instanceof Uint8Array
  const broadcast = isRaw ? payload : encode(saidPayloadCodec, payload)
  const announces = !isRaw && payload.kind === "digest"
  const others = announces ? signers.filter((id) => id !== sender) : []
  const sealed = new Map(others.map((id) => [id, seeded("part")]))
  const slot = { ...presignSlot(params, step, presignSession(of)), sender }
  const { identity } = participant(cluster, sender)
  const { header } = signMessage(identity, slot, { previousDigest, broadcast, sealed })
  return { header, broadcast }
}

/** A payload with the statement that announces it. */
function shows(step: 2 | 3, payload: Bytes, said: Said = {}): ShownPayload {
  const { sender = 2, of = run } = said
  const digest = payloadDigest({ sessionId: presignSession(of), sender, payload })
  return { statement: says(step, { kind: "digest", digest }, said), payload }
}

function exchangeOf(sender: Identifier): ExchangePayload {
  return decode(exchangePayloadCodec, exchangesShown.get(sender)!.payload)
}

/** An exchange of 2 with other values in it. */
function exchangeWith(change: Partial<ExchangePayload>, said: Said = {}): ShownPayload {
  return shows(2, encode(exchangePayloadCodec, { ...exchangeOf(2), ...change }), said)
}

const echoOf = (shown: ReadonlyMap<Identifier, ShownPayload>): Bytes =>
  echoDigest(digestsOf(new Map([...shown].map(([id, { statement }]) => [id, statement]))))

test("what a server signs for a run in which it is no signer is no message of the run", () => {
  for (const step of [2, 3, 4] as const) {
    const evidence = { kind: "dkls-said", run, step } as const
    const said = says(step, GARBAGE, { sender: STRANGER })
    assertWorthless({ ...evidence, said }, "said: not-a-signer")
    const verdict = judged({ ...evidence, said: says(step, GARBAGE) })
    assert.deepEqual(verdict, { valid: true, culprit: 2, reason: "malformed-payload" })
    const accusation = says(step, { kind: "accuse", accused: 2 }, { sender: STRANGER })
    const edge = { kind: "accusation", run, step, accusation, against: opens.get(2)! } as const
    assertWorthless({ kind: "dkls-edge", edge }, "accusation: not-a-signer")
  }
})

test("an accusation is an edge only with what the accused signed for the step before", () => {
  const edgeOf = (accused: Identifier, against: Statement, of = run): Evidence => {
    const accusation = says(2, { kind: "accuse", accused }, { of })
    return {
      kind: "dkls-edge",
      edge: { kind: "accusation", run: of, step: 2, accusation, against },
    }
  }
  const own = opens.get(1)!
  const verdict = judged(edgeOf(1, own))
  assert.deepEqual(verdict, { valid: true, pair: [2, 1], reason: "pairwise-fault" })
  assertWorthless(edgeOf(STRANGER, own), "accusation: wrong-complaint")
  const { header, broadcast } = own
  const forged = { header: { ...header, signature: flip(header.signature, 1) }, broadcast }
  assertWorthless(edgeOf(1, forged), "against: wrong-signature")
  assertWorthless(edgeOf(1, opens.get(9)!), "it is not about a message of the accused")
  assertWorthless(edgeOf(1, trailOf(again).opens.get(1)!), "against: not of this run")
  // Whoever makes up a run can list what is no opening.
  const later = exchanges.get(1)!
  const madeUp = { params, openings: new Map([...run.openings, [1, headerDigest(later.header)]]) }
  assertWorthless(edgeOf(1, later, madeUp), "against: not of this run")
})

test("a zero share that differs proves its pair, in one order of its ends", () => {
  const zeros = new Map([...exchangeOf(2).zeros, [1, point]])
  const [first, second] = [exchangesShown.get(1)!, exchangeWith({ zeros })]
  const edgeOf = (a: ShownPayload, b: ShownPayload): Evidence => ({
    kind: "dkls-edge",
    edge: { kind: "zero-sharing", run, first: a, second: b },
  })
  const verdict = { valid: true, pair: [1, 2], reason: "wrong-zero-sharing" }
  assert.deepEqual(judged(edgeOf(first, second)), verdict)
  assertWorthless(edgeOf(second, first), "their ends are not in ascending order")
  assertWorthless(
    edgeOf(exchangesShown.get(1)!, exchangesShown.get(2)!),
    "their zero shares cancel out",
  )
  const broken = shows(2, GARBAGE)
  assertWorthless(edgeOf(first, broken), "second: malformed-payload")
  assertWorthless(edgeOf(broken, first), "first: malformed-payload")
})

test("edges with whoever is no server of the key prove nothing about a server", () => {
  const edges = [1, 9].map((sender): DklsEdge => {
    const accusation = says(2, { kind: "accuse", accused: 2 }, { sender })
    return { kind: "accusation", run, step: 2, accusation, against: opens.get(2)! }
  })
  const evidence = { kind: "dkls-edges", culprit: 2, certificate, edges } as const
  assertWorthless(evidence, "an edge with no server of the key")
})

test("an exchange is measured by the key, the opening and the session that it belongs to", () => {
  const blinding = flip(exchangeOf(2).blinding, 0)
  const open = opens.get(2)!
  const wrong = { kind: "dkls-exchange", run, certificate, open } as const
  const lie = exchangeWith({ blinding })
  const verdict = judged({ ...wrong, exchange: lie })
  assert.deepEqual(verdict, { valid: true, culprit: 2, reason: "wrong-opening" })

  const other = makeCluster({ keyType: "ecdsa-secp256k1", additive: [9], seed: "other" })
  const measure = { ...wrong, certificate: other.certificate, exchange: lie }
  assertWorthless(measure, "params: wrong-key")
  const exchange = { statement: says(2, GARBAGE), payload: GARBAGE }
  assertWorthless({ ...wrong, exchange }, "exchange: malformed-payload")
  const confirms = says(2, { kind: "accuse", accused: 1 })
  const unsigned = "exchange: the payload is not the one that was signed"
  assertWorthless({ ...wrong, exchange: { statement: confirms, payload: GARBAGE } }, unsigned)

  const without = { params, openings: new Map([...run.openings].filter(([id]) => id !== 2)) }
  const unlisted = exchangeWith({ blinding }, { of: without })
  const reason = "the opening is not of this session"
  assertWorthless({ ...wrong, run: without, exchange: unlisted }, reason)

  const said = honest.said[0]![1]!
  const { identity } = participant(cluster, 2)
  const previousDigest = seeded("previous")
  const { header, broadcast } = rewrite(said, identity, { header: { previousDigest } })
  const openings = new Map([...run.openings, [2, headerDigest(header)]])
  const faulty = { params, openings }
  const late = exchangeWith({ blinding }, { of: faulty })
  const evidence = { ...wrong, run: faulty, open: { header, broadcast }, exchange: late }
  assertWorthless(evidence, "the opening is faulty")
})

test("a payload of step 3 is measured by one well-formed exchange of each signer", () => {
  const publish = publishesShown.get(1)!
  const evidence = { kind: "dkls-publish", run, publish } as const
  const [one, two] = [exchangesShown.get(1)!, exchangesShown.get(2)!]
  const measured = (change: readonly (readonly [Identifier, ShownPayload])[], why: string) =>
    assertWorthless({ ...evidence, exchanges: new Map([...exchangesShown, ...change]) }, why)
  measured([], "nothing is wrong with it")
  measured([[2, one]], "exchanges: under another signer")
  measured([[STRANGER, two]], "exchanges: under another signer")
  measured(
    [
      [1, two],
      [2, one],
    ],
    "exchanges: under another signer",
  )
  const few = new Map([...exchangesShown].slice(1))
  assertWorthless({ ...evidence, exchanges: few }, "exchanges: not one of each signer")
  measured([[2, shows(2, GARBAGE)]], "exchanges: malformed-payload")
  measured([[2, exchangeWith({ nonces: [point] })]], "publish: its sender saw other exchanges")

  const opposite = (of: (payload: ExchangePayload) => Element): Element =>
    group.negate(group.add(of(exchangeOf(1)), of(exchangeOf(9))))
  const identity = "exchanges: an identity, which nobody honest goes on from"
  const nonces = [opposite((payload) => payload.nonces[0]!)]
  measured([[2, exchangeWith({ nonces })]], identity)
  const keyShare = opposite((payload) => payload.keyShare)
  measured([[2, exchangeWith({ keyShare })]], identity)
})

test("a confirmation is measured by one faultless payload of each signer that its sender saw", () => {
  const signature = seeded("no signature", 64)
  const evidence = { kind: "dkls-confirm", run, exchanges: exchangesShown } as const
  const confirmed = (
    shown: ReadonlyMap<Identifier, ShownPayload>,
    payload: SaidPayload | Bytes = { kind: "confirm", signature },
    previousDigest = echoOf(shown),
  ): Evidence => {
    const confirm = says(4, payload, { previousDigest })
    return { ...evidence, publishes: shown, confirm }
  }
  const verdict = judged(confirmed(publishesShown))
  assert.deepEqual(verdict, { valid: true, culprit: 2, reason: "wrong-confirmation" })

  const own = decode(publishPayloadCodec, publishesShown.get(2)!.payload)
  const lie = encode(
    publishPayloadCodec,
    own.map((payload) => ({ ...payload, phi: payload.u })),
  )
  const withFaulty = (previousDigest: Bytes) =>
    new Map([...publishesShown, [2, shows(3, lie, { previousDigest })]])
  const faulty = withFaulty(echoOf(exchangesShown))
  assertWorthless(confirmed(faulty), "publishes: one is faulty itself")
  const elsewhere = withFaulty(seeded("echo"))
  assertWorthless(confirmed(elsewhere), "publishes: its sender saw other exchanges")

  const [one, two] = [publishesShown.get(1)!, publishesShown.get(2)!]
  const swapped = new Map([...publishesShown, [1, two], [2, one]])
  assertWorthless(confirmed(swapped), "publishes: under another signer")
  const few = new Map([...publishesShown].slice(1))
  assertWorthless(confirmed(few), "publishes: not one of each")

  const other = confirmed(publishesShown, undefined, seeded("echo"))
  assertWorthless(other, "confirm: its sender saw other payloads")
  assertWorthless(confirmed(publishesShown, GARBAGE), "confirm: malformed-payload")
  const accusing = confirmed(publishesShown, { kind: "accuse", accused: 1 })
  assertWorthless(accusing, "confirm: it confirms nothing")
})
