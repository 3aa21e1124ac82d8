import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { decode, toHex } from "@lockkeeper/encoding"
import { maxBatch, type PresignParams, presignInspect, presignTask } from "../src/dkls/index.ts"
import { saidPayloadCodec } from "../src/dkls/presign/payloads.ts"
import { presignStateCodec } from "../src/dkls/presign/state.ts"
import { openedSecretCodec, presignResultCodec } from "../src/dkls/presign/task.ts"
import {
  type Abort,
  type AbortReason,
  type Evidence,
  encodeEvidence,
  type Message,
  sharing,
  verifyEvidence,
} from "../src/index.ts"
import { confirmOutcome } from "../src/reshare/certificate.ts"
import { contextOf, dealtPairs, type Meddling, PresignRunner, senderOf } from "./dkls-cluster.ts"
import { exchanges, publishes, saysInstead, signsInstead } from "./dkls-tamper.ts"
import { abortOf, makeCluster, participant, seeded } from "./frost-fixture.ts"
import { flip } from "./messages-fixtures.ts"

// The coordinator is hostile and everyone else is honest, or one liar and the coordinator work
// together against an honest signer.

const cluster = makeCluster({ keyType: "ecdsa-secp256k1", minSigners: 3, maxSigners: 3 })
const signers = [1, 2, 3]
const pairs = dealtPairs(signers)
const honest = new PresignRunner(cluster, signers, { pairs }).run()
const other = new PresignRunner(cluster, signers, { pairs, seed: "other" }).run()

function assertBlamesNobody(aborts: Iterable<Abort>): void {
  for (const { culprits, pair, evidence } of aborts) {
    assert.deepEqual([culprits, pair, evidence], [[], null, []])
  }
}

type Relay = NonNullable<Meddling["deliver"]>

const relays: Readonly<Record<string, Relay>> = {
  drops: (_step, _recipient, messages) => messages.slice(1),
  repeats: (_step, _recipient, messages) => [...messages, ...messages.slice(0, 1)],
  "passes on another run's": (step, recipient, messages) => {
    const foreign = other.said[step - 2]!.filter((message) => senderOf(message) !== recipient)
    return [...foreign.slice(0, 1), ...messages.slice(1)]
  },
  "passes on only another run's": (step, recipient) =>
    other.said[step - 2]!.filter((message) => senderOf(message) !== recipient),
  "replays the step before": (step, recipient, messages) => {
    const before = honest.said[step - 3] ?? []
    return before.length > 0 ? before.filter((m) => senderOf(m) !== recipient) : messages
  },
  "alters broadcasts": (_step, _recipient, messages) =>
    messages.map((message) => ({ ...message, broadcast: flip(message.broadcast, 0) })),
  "alters parts": (_step, recipient, messages) =>
    messages.map((message) => {
      const part = message.sealed.get(recipient)
      return part ? { ...message, sealed: new Map([[recipient, flip(part, 9)]]) } : message
    }),
  "withholds parts": (_step, _recipient, messages) =>
    messages.map((message) => ({ ...message, sealed: new Map() })),
  "swaps parts": (step, recipient, messages) =>
    messages.map((message) => {
      const whole = honest.said[step - 2]!.find((m) => senderOf(m) === senderOf(message))!
      const [wrong] = [...whole.sealed].filter(([to]) => to !== recipient)
      return wrong ? { ...message, sealed: new Map([[recipient, wrong[1]]]) } : message
    }),
  "alters signatures": (_step, _recipient, messages) =>
    messages.map(({ header, ...rest }) => ({
      header: { ...header, signature: flip(header.signature, 3) },
      ...rest,
    })),
  "sends one its own": (step, recipient, messages) => [
    ...messages,
    honest.said[step - 2]!.find((message) => senderOf(message) === recipient)!,
  ],
}

for (const [name, relay] of Object.entries(relays)) {
  test(`a coordinator that ${name} stops a run and blames nobody`, () => {
    for (const step of [2, 3, 4, 5] as const) {
      const runner = honest.before(step)
      runner.run({
        deliver: (now, recipient, messages) =>
          now === step && recipient === 1 ? relay(now, recipient, messages) : messages,
      })
      assertBlamesNobody(runner.aborts.values())
      assert.equal(runner.accusations.size, 0)
    }
  })
}

test("at every step the run stops where one signer's message is missing, and says whose", () => {
  for (const step of [2, 3, 4, 5] as const) {
    const heard = honest.said[step - 2]!.filter((message) => senderOf(message) === 2)
    const { reason, silent, culprits } = abortOf(honest.before(step).step(step, 1, heard))
    assert.deepEqual([reason, silent, culprits], ["missing-messages", [3], []])
  }
})

test("a signer that was asked twice has two openings, and together they prove nothing", () => {
  const runner = honest.before(2)
  const outcome = runner.step(2, 1, [...honest.said[0]!.slice(1), reopened()])
  assert.equal(abortOf(outcome).reason, "duplicate-sender")
  assertBlamesNobody([abortOf(outcome)])
})

/** 2's opening of the same run once more, after it has forgotten the first. */
function reopened(): Message {
  const restarted = new PresignRunner(cluster, signers, { pairs, seed: "restarted" })
  const runner = Object.assign(restarted, { params: honest.params })
  runner.round(1)
  return runner.said[0]![1]!
}

test("signers shown different openings are in different sessions", () => {
  const runner = honest.before(2)
  runner.run({
    deliver: (step, recipient, messages) =>
      step === 2 && recipient === 1 ? [reopened(), messages[1]!] : messages,
  })
  assertBlamesNobody(runner.aborts.values())
  assert.ok(runner.aborts.size > 0)
  assert.equal(runner.accusations.size, 0)
})

test("ends with different setups find out before they multiply, and neither is accused", () => {
  const fresh = dealtPairs([1, 2], "repaired")
  const mixed = new Map(pairs)
  mixed.set(1, new Map([...pairs.get(1)!, [2, fresh.get(1)!.get(2)!]]))
  const runner = new PresignRunner(cluster, signers, { pairs: mixed }).run()
  assert.equal(runner.aborts.size, 3)
  for (const abort of runner.aborts.values()) {
    assert.deepEqual([abort.reason, abort.field], ["wrong-setup", "setups.1.2"])
  }
  assertBlamesNobody(runner.aborts.values())
  const found = presignInspect(
    runner.params,
    cluster.public,
    cluster.verifyKeys,
    runner.said.slice(0, 1),
  )
  assert.equal(abortOf(found).reason, "wrong-setup")
})

test("a signer without a pair, and one whose pair was replaced in mid-run, stop unblamed", () => {
  const without = new Map(pairs)
  without.set(1, new Map([...pairs.get(1)!].slice(1)))
  const lone = new PresignRunner(cluster, signers, { pairs: without }).run()
  assert.equal(lone.aborts.get(1)!.reason, "wrong-setup")
  const replaced = honest.before(2)
  const swapped = new PresignRunner(cluster, signers, { pairs: dealtPairs(signers, "new") })
  swapped.said.push(...replaced.said)
  for (const [id, state] of replaced.states) swapped.states.set(id, state)
  swapped.round(2)
  assert.deepEqual(
    [...swapped.aborts.values()].map(({ reason }) => reason),
    ["wrong-setup", "wrong-setup", "wrong-setup"],
  )
})

test("fewer parties than t, more, strangers and batches of a wrong size are refused", () => {
  const larger = makeCluster({ keyType: "ecdsa-secp256k1", maxSigners: 4 })
  const ask = (change: Partial<PresignParams>, keyed = larger): AbortReason => {
    const params = {
      ...honest.params,
      ...{ keyId: keyed.public.keyId },
      signers: [1, 2],
      ...change,
    }
    const context = contextOf(keyed, params, 1)
    const secrets = { signingShare: participant(keyed, 1).key.signingShare, pairs: pairs.get(1)! }
    return abortOf(presignTask(context, 1, null, [], secrets, seeded("r", 64))).reason
  }
  assert.equal(ask({ signers: [1] }), "too-few-signers")
  assert.equal(ask({ signers: [] }), "too-few-signers")
  assert.equal(ask({ signers: [1, 2, 3] }), "wrong-participants")
  assert.equal(ask({ signers: [2, 1] }), "wrong-participants")
  assert.equal(ask({ signers: [1, 1] }), "wrong-participants")
  assert.equal(ask({ signers: [1, 7] }), "not-a-participant")
  assert.equal(ask({ signers: [2, 3] }), "not-a-signer")
  assert.equal(ask({ count: 0 }), "wrong-params")
  assert.equal(ask({ count: maxBatch(2) + 1 }), "wrong-params")
  assert.equal(ask({ keyEpoch: 2 }), "wrong-key-epoch")
  assert.equal(ask({ keyId: seeded("another") }), "wrong-key")
  assert.equal(ask({ batchId: seeded("short", 31) }), "wrong-params")
  const schnorr = makeCluster({ keyType: "bip340" })
  assert.equal(ask({}, schnorr), "wrong-key-type")
})

test("the receiver's choice bits differ for each sender and each run", () => {
  const seen = new Set<string>()
  let count = 0
  for (const seed of ["batch", "other", "third"]) {
    const runner = new PresignRunner(cluster, signers, { pairs, seed })
    runner.round(1)
    for (const state of runner.states.values()) {
      const { receivers } = decode(openedSecretCodec, decode(presignStateCodec, state!).secret)
      for (const { choice } of receivers.values()) {
        seen.add(toHex(choice.expose()))
        count++
      }
    }
  }
  assert.equal(seen.size, count)
  assert.equal(count, 18)
})

test("a run that is asked for again repeats nothing that was sealed or multiplied", () => {
  const runner = Object.assign(new PresignRunner(cluster, signers, { pairs, seed: "again" }), {
    params: honest.params,
  })
  runner.run()
  assert.equal(runner.presignatures.size, 3)
  for (const step of [1, 2, 3] as const) {
    for (const [i, message] of runner.said[step - 1]!.entries()) {
      const before = honest.said[step - 1]![i]!
      for (const [to, part] of message.sealed) {
        const twin = before.sealed.get(to)!
        let equal = 0
        for (let at = 0; at < part.length; at++) equal += part[at] === twin[at] ? 1 : 0
        // Bytes of unrelated parts agree one time in 256.
        assert.ok(equal < part.length / 64 + 32, `step ${step}`)
      }
    }
  }
  const ids = [honest, runner].map(({ presignatures }) => toHex(presignatures.get(1)![0]!.id))
  assert.notEqual(ids[0], ids[1])
})

test("the coordinator sees nothing of R before it is used", () => {
  const record = honest.presignatures.get(1)![0]!.certificate.record
  const hidden = [
    record.nonce,
    ...[...record.signers.values()].flatMap(({ phi, u, v }) => [phi, u, v]),
  ]
  for (const step of honest.said) {
    for (const { broadcast, sealed } of step) {
      for (const bytes of [broadcast, ...sealed.values()]) {
        for (const element of hidden) assert.equal(Buffer.from(bytes).indexOf(element.slice(1)), -1)
      }
    }
  }
})

test("an accusation says who, and nothing else", () => {
  const runner = honest.before(2)
  const { message } = signsInstead(honest, 1, 2, ({ sealed }) => ({
    sealed: new Map([...sealed, [1, flip(sealed.get(1)!, 5)]]),
  }))
  const spoilt = message!(1, 2, honest.said[0]![1]!)!
  const answered = runner.step(2, 1, [spoilt, honest.said[0]![2]!])
  assert.ok(answered.ok)
  const { state, message: said, accused, presignatures } = answered.value
  assert.deepEqual([state, accused, presignatures], [null, 2, []])
  assert.deepEqual(decode(saidPayloadCodec, said!.broadcast), { kind: "accuse", accused: 2 })
  assert.equal(said!.sealed.size, 0)
})

/** The evidence in what an honest signer makes of a lie of 2. */
function evidenceOf(lie: Meddling): Evidence {
  const runner = honest.before(lie.from ?? 1).run({ ...lie, liar: 2 })
  return runner.aborts.get(3)!.evidence[0]!
}

const identityOf2 = participant(cluster, 2).identity
const cases: Readonly<Record<string, () => Evidence>> = {
  "dkls-open": () => evidenceOf(signsInstead(honest, 1, 2, () => ({ sealed: new Map() }))),
  "dkls-said": () =>
    evidenceOf(signsInstead(honest, 2, 2, () => ({ broadcast: Uint8Array.of(9) }))),
  "dkls-exchange": () =>
    evidenceOf(
      exchanges(honest, 2, (payload) => ({ ...payload, blinding: flip(payload.blinding, 0) })),
    ),
  "dkls-publish": () =>
    evidenceOf(publishes(honest, 2, (payload) => ({ ...payload, phi: payload.u }))),
  "dkls-confirm": () =>
    evidenceOf(
      saysInstead(honest, 4, 2, { kind: "confirm", signature: identityOf2.sign(seeded("lie")) }),
    ),
  "dkls-edge": () => evidenceOf(saysInstead(honest, 3, 2, { kind: "accuse", accused: 1 })),
}

for (const [kind, make] of Object.entries(cases)) {
  test(`evidence of kind ${kind} proves nothing with any byte altered`, () => {
    const evidence = make()
    assert.equal(evidence.kind, kind)
    const encoded = encodeEvidence(evidence)
    assert.ok(verifyEvidence(encoded, cluster.verifyKeys).valid)
    for (let at = 0; at < encoded.length; at += 1 + (encoded.length >> 7)) {
      const verdict = verifyEvidence(flip(encoded, at), cluster.verifyKeys)
      assert.ok(!verdict.valid, `byte ${at} of ${encoded.length}`)
    }
    for (const strangers of [new Map(), new Map([[2, seeded("key")]])]) {
      assert.ok(!verifyEvidence(encoded, strangers).valid)
    }
  })
}

test("evidence that passes an honest signer's messages off as faulty is worth nothing", () => {
  const statement = ({ header, broadcast }: Message) => ({ header, broadcast })
  const said = (step: 1 | 2 | 3 | 4, id: Identifier) => statement(honest.said[step - 1]![id - 1]!)
  const faulty = cases["dkls-confirm"]!()
  assert.ok(faulty.kind === "dkls-confirm")
  const { run, exchanges: shown, publishes: published } = faulty
  const { certificate } = cluster
  const { params } = run
  const innocent: readonly (readonly [Evidence, string])[] = [
    [{ kind: "dkls-open", params, open: said(1, 2) }, "nothing is wrong with it"],
    [{ kind: "dkls-said", run, step: 2, said: said(2, 2) }, "nothing is wrong with it"],
    [
      {
        ...{ kind: "dkls-exchange", run, certificate },
        ...{ open: said(1, 2), exchange: shown.get(2)! },
      },
      "nothing is wrong with it",
    ],
    [
      { kind: "dkls-publish", run, exchanges: shown, publish: published.get(2)! },
      "nothing is wrong with it",
    ],
    [
      {
        ...{ kind: "dkls-confirm", run, exchanges: shown, publishes: published },
        confirm: said(4, 2),
      },
      "the confirmation is right",
    ],
    [
      {
        kind: "dkls-edge",
        edge: { kind: "zero-sharing", run, first: shown.get(1)!, second: shown.get(2)! },
      },
      "their zero shares cancel out",
    ],
    [
      {
        kind: "dkls-edge",
        edge: { kind: "accusation", run, step: 2, accusation: said(2, 1), against: said(1, 2) },
      },
      "the statement accuses nobody",
    ],
  ]
  for (const [evidence, why] of innocent) {
    const verdict = verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys)
    assert.deepEqual(verdict, { valid: false, why })
  }
  // An opening with another opening's payload, a payload beside another signer's exchange.
  const crossed: readonly Evidence[] = [
    {
      ...{ kind: "dkls-exchange", run, certificate },
      ...{ open: said(1, 1), exchange: shown.get(2)! },
    },
    {
      ...{ kind: "dkls-exchange", run, certificate, open: said(1, 2) },
      exchange: { statement: shown.get(2)!.statement, payload: shown.get(1)!.payload },
    },
    {
      ...{ kind: "dkls-publish", run },
      ...{ exchanges: new Map([...shown].slice(1)), publish: published.get(2)! },
    },
    {
      ...{ kind: "dkls-publish", run, publish: published.get(2)! },
      exchanges: new Map([...shown, [2, shown.get(1)!]]),
    },
  ]
  for (const evidence of crossed) {
    assert.ok(!verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys).valid)
  }
})

test("an accusation of a message of another run is no edge", () => {
  const evidence = cases["dkls-edge"]!()
  assert.ok(evidence.kind === "dkls-edge" && evidence.edge.kind === "accusation")
  const { edge } = evidence
  const foreign = other.said[1]![0]!
  const own = honest.said[0]![0]!
  for (const { header, broadcast } of [foreign, own, honest.said[1]![2]!]) {
    const against = { header, broadcast }
    const changed = { kind: "dkls-edge", edge: { ...edge, against } } as const
    assert.ok(!verifyEvidence(encodeEvidence(changed), cluster.verifyKeys).valid)
  }
})

test("edges with as many others as a key takes to sign prove a server bad, and fewer do not", () => {
  const small = makeCluster({ keyType: "ecdsa-secp256k1", maxSigners: 4, keyEpoch: 2 })
  const edgeWith = (accuser: Identifier) => {
    const set = [2, accuser].sort((a, b) => a - b)
    const run = new PresignRunner(small, set)
    run.run({ ...saysInstead(run, 2, accuser, { kind: "accuse", accused: 2 }), liar: accuser })
    const { evidence } = run.aborts.get(2)!
    assert.ok(evidence[0]?.kind === "dkls-edge")
    return evidence[0].edge
  }
  const [a, b, c] = [edgeWith(1), edgeWith(3), edgeWith(4)]
  const judge = (culprit: Identifier, edges: readonly (typeof a)[]) =>
    verifyEvidence(
      encodeEvidence({ kind: "dkls-edges", culprit, certificate: small.certificate, edges }),
      small.verifyKeys,
    )
  assert.deepEqual(judge(2, [a, b]), { valid: true, culprit: 2, reason: "pairwise-fault" })
  const few = "edges with fewer others than can all be corrupt"
  const form = "the other ends are not minSigners in ascending order"
  for (const edges of [
    [b, a],
    [a, a, b],
    [a, b, b],
    [a, b, c],
  ]) {
    assert.deepEqual(judge(2, edges), { valid: false, why: form })
  }
  assert.deepEqual(judge(2, [a]), { valid: false, why: few })
  assert.deepEqual(judge(2, [a, a]), { valid: false, why: few })
  assert.deepEqual(judge(2, []), { valid: false, why: few })
  assert.deepEqual(judge(1, [a, b]), { valid: false, why: "an edge between two others" })
  assert.deepEqual(judge(9, [a, b]), {
    valid: false,
    why: "the culprit is not a server of the key",
  })
  // Of a later generation a quorum is enough, and who is not of it has not said what its threshold is.
  const root = sharing.sharingDigest(sharing.sharingOfKey(small.public))
  const statement = { rosterEpoch: small.public.rosterEpoch, size: 1, root }
  const quorum = [1, 3, 4].map(
    (id) => [id, confirmOutcome(participant(small, id).identity, statement)] as const,
  )
  const certificate = {
    public: small.public,
    confirmations: new Map(quorum),
    batch: { index: 0, size: 1, path: [] },
  }
  const evidence = { kind: "dkls-edges", culprit: 2, certificate, edges: [a, b] } as const
  assert.deepEqual(verifyEvidence(encodeEvidence(evidence), small.verifyKeys), {
    valid: false,
    why: "certificate: not the culprit's",
  })
})

test("evidence about an opening that is no payload names no run that anybody could exchange", () => {
  const broadcast = seeded("no payload")
  const evidence = evidenceOf(signsInstead(honest, 1, 2, () => ({ broadcast })))
  assert.ok(evidence.kind === "dkls-open")
  const { verifyKeys } = cluster
  const named = { valid: true, culprit: 2, reason: "malformed-payload" }
  assert.deepEqual(verifyEvidence(encodeEvidence(evidence), verifyKeys), named)
  for (const change of [{ keyEpoch: 1 }, { signers: [1, 2] }, { count: 1 }]) {
    const params = { ...evidence.params, ...change }
    const why = "open: it names no run, and the evidence one"
    const altered = encodeEvidence({ ...evidence, params })
    assert.deepEqual(verifyEvidence(altered, verifyKeys), { valid: false, why })
  }
})

test("a caller that mixes up states, secrets or randomness of steps is told so", () => {
  const context = contextOf(cluster, honest.params, 1)
  const { signingShare } = participant(cluster, 1).key
  const secrets = { signingShare, pairs: pairs.get(1)! }
  const random = seeded("random", 64)
  const messages = honest.said[0]!.slice(1)
  const state = (step: 2 | 3) => honest.before(step).states.get(1)!
  const mistakes: readonly (readonly [() => unknown, RegExp])[] = [
    [() => presignTask(context, 1, state(2), [], secrets, random), /state of another step/],
    [() => presignTask(context, 2, null, messages, secrets, random), /state of another step/],
    [() => presignTask(context, 2, state(3), messages, secrets, random), /state of another step/],
    [() => presignTask(context, 2, state(2), messages, null, random), /take the pairs/],
    [() => presignTask(context, 1, null, [], secrets, random.slice(1)), /randomness is not 64/],
  ]
  for (const [mistake, words] of mistakes) assert.throws(mistake, words)
  const known = new Map([...cluster.verifyKeys].slice(0, 2))
  const identity = { ...context.identity, verifyKeys: known }
  const stranger = presignTask({ ...context, identity }, 1, null, [], secrets, random)
  assert.deepEqual(
    [abortOf(stranger).reason, abortOf(stranger).field],
    ["unknown-sender", "signers.3"],
  )
})

test("pieces of runs, put together otherwise, are evidence of nothing", () => {
  const statement = ({ header, broadcast }: Message) => ({ header, broadcast })
  const said = (step: 1 | 2 | 3 | 4, id: Identifier, of = honest) =>
    statement(of.said[step - 1]![id - 1]!)
  const lying = cases["dkls-exchange"]!()
  assert.ok(lying.kind === "dkls-exchange")
  const { run, certificate } = lying
  const { params } = run
  const unsigned = {
    ...certificate,
    confirmations: new Map([...certificate.confirmations].slice(1)),
  }
  const accusing = cases["dkls-edge"]!()
  assert.ok(accusing.kind === "dkls-edge" && accusing.edge.kind === "accusation")
  const { edge } = accusing
  const pieces: readonly (readonly [Evidence, string])[] = [
    [
      { kind: "dkls-open", params: { ...params, signers: [1, 3] }, open: said(1, 2) },
      "open: not-a-signer",
    ],
    [{ kind: "dkls-open", params, open: said(2, 2) }, "open: wrong-step"],
    [{ kind: "dkls-open", params: other.params, open: said(1, 2) }, "open: of another run"],
    [{ kind: "dkls-said", run, step: 3, said: said(2, 2) }, "said: wrong-step"],
    [{ kind: "dkls-said", run, step: 5 as never, said: said(2, 2) }, "no such step"],
    [{ ...lying, certificate: unsigned }, "certificate: missing-confirmation"],
    [{ ...lying, open: said(1, 1) }, "two different senders"],
    [{ ...lying, open: said(1, 2, other) }, "the opening is not of this session"],
    [{ ...lying, open: said(2, 2) }, "open: wrong-step"],
    [
      { kind: "dkls-edge", edge: { ...edge, step: 5 as never } },
      "no step has accusations but 2 to 4",
    ],
    [{ kind: "dkls-edge", edge: { ...edge, against: said(1, 1) } }, "against: not of this run"],
    [{ kind: "dkls-edges", culprit: 1, certificate: unsigned, edges: [edge] }, "certificate: "],
  ]
  for (const [evidence, why] of pieces) {
    const verdict = verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys)
    assert.ok(!verdict.valid)
    assert.ok(verdict.why.startsWith(why), `${verdict.why}, not ${why}`)
  }
})

test("a signer that signs a second exchange later frames nobody who published by the first", () => {
  const made = cases["dkls-confirm"]!()
  assert.ok(made.kind === "dkls-confirm")
  const { run, exchanges: shown, publishes: published } = made
  let payload = shown.get(1)!.payload
  const twice = honest.before(2)
  const second = exchanges(honest, 1, ({ products, ...rest }) => {
    const towards2 = products.get(2)!
    return {
      ...rest,
      products: new Map([...products, [2, { ...towards2, psi: products.get(3)!.psi }]]),
    }
  })
  twice.round(2, {
    ...second,
    result: (step, identifier, result) => {
      const changed = second.result!(step, identifier, result)
      if (identifier === 1) {
        const { result: sealed } = decode(presignResultCodec, changed)
        if (sealed.kind === "sealed") payload = sealed.payload
      }
      return changed
    },
  })
  const { header, broadcast } = twice.said[1]![0]!
  const reframed = new Map([...shown, [1, { statement: { header, broadcast }, payload }]])
  const evidence = {
    kind: "dkls-publish",
    run,
    exchanges: reframed,
    publish: published.get(2)!,
  } as const
  const verdict = verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys)
  assert.deepEqual(verdict, { valid: false, why: "publish: its sender saw other exchanges" })
})
