import assert from "node:assert/strict"
import { test } from "node:test"
import type { Identifier } from "@lockkeeper/crypto"
import { edwards25519 } from "@lockkeeper/crypto"
import { type Bytes, concat, fromHex, utf8 } from "@lockkeeper/encoding"
import { encodeEvidence, verifyEvidence } from "../src/evidence/evidence.ts"
import { publicKeyOf, verify } from "../src/frost/aggregate.ts"
import { MAX_MESSAGE_LENGTH, openCommitment, type SigningPackage } from "../src/frost/package.ts"
import { sign } from "../src/frost/sign.ts"
import { FROST_KEY_TYPES } from "../src/frost/suites.ts"
import type { Header } from "../src/messages/header.ts"
import { LIMITS } from "../src/messages/limits.ts"
import type { Message } from "../src/messages/message.ts"
import type { AbortReason } from "../src/outcome.ts"
import {
  aggregateSession,
  allShares,
  assertAbort,
  makeCluster,
  makeSession,
  participant,
  ROSTER_EPOCH,
  type Session,
  seeded,
  signAs,
  value,
} from "./frost-fixture.ts"
import { flipped, forge, resign, withSealedPart } from "./frost-tamper.ts"

const WRONG = seeded("wrong")

interface Fault {
  readonly name: string
  readonly tamper: (session: Session, honest: Message) => Message
  readonly reason: AbortReason
  readonly culprits?: readonly Identifier[]
}

const header = (name: string, change: Partial<Header>, reason: AbortReason): Fault => ({
  name: `header.${name}`,
  tamper: (session, honest) => resign(session.cluster, 2, honest, { header: change }),
  reason,
})

/** Offsets into a commitment body: key type, key id, key epoch, D, E. */
const BODY = { keyType: 0, keyId: 1, keyEpoch: 33, hiding: 37, binding: 69, end: 101 } as const

function withBody(name: keyof typeof BODY, bytes: Bytes): Fault["tamper"] {
  return (session, honest) => {
    const at = BODY[name]
    const { broadcast } = honest
    const changed = concat(broadcast.slice(0, at), bytes, broadcast.slice(at + bytes.length))
    return resign(session.cluster, 2, honest, { broadcast: changed })
  }
}

const IDENTITY = fromHex(`01${"00".repeat(31)}`)
const ORDER_EIGHT = fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
const NO_POINT = fromHex(`02${"00".repeat(31)}`)

const COMMITMENT_FAULTS: readonly Fault[] = [
  header("suite", { suite: "another" }, "wrong-suite"),
  header("protocol", { protocol: "dkg" }, "wrong-protocol"),
  header("step", { step: 2 }, "wrong-step"),
  header("attempt", { attempt: 2 }, "wrong-attempt"),
  header("rosterEpoch", { rosterEpoch: ROSTER_EPOCH + 1 }, "wrong-roster-epoch"),
  header("sender, of another", { sender: 3 }, "wrong-signature"),
  header("sender, of nobody", { sender: 9 }, "unknown-sender"),
  header("previousDigest", { previousDigest: WRONG }, "echo-mismatch"),
  header("parts", { parts: new Map([[0, WRONG]]) }, "part-mismatch"),
  header("parts, none", { parts: new Map() }, "malformed-header"),
  {
    name: "header.parts, with a sealed one",
    tamper: ({ cluster }, honest) => withSealedPart(cluster, 2, honest),
    reason: "unexpected-part",
  },
  { name: "signature", tamper: (_, honest) => forge(honest), reason: "wrong-signature" },
  {
    name: "broadcast, changed by a relay",
    tamper: (_, honest) => ({ ...honest, broadcast: flipped(honest.broadcast, 40) }),
    reason: "part-mismatch",
  },
  {
    name: "sealed, added by a relay",
    tamper: (_, honest) => ({ ...honest, sealed: new Map([[1, WRONG]]) }),
    reason: "unexpected-part",
  },
  {
    name: "keyType, with elements of another group",
    tamper: withBody("keyType", Uint8Array.of(2)),
    reason: "invalid-commitment",
    culprits: [2],
  },
  {
    name: "keyType, of another key",
    tamper: () => {
      const other = makeSession(makeCluster({ keyType: "frost-ristretto255" }), [1, 2])
      return other.package.commitments[1] as Message
    },
    reason: "wrong-key",
  },
  { name: "keyId", tamper: withBody("keyId", WRONG), reason: "wrong-key" },
  {
    name: "keyEpoch",
    tamper: withBody("keyEpoch", Uint8Array.of(0, 0, 0, 2)),
    reason: "wrong-key-epoch",
  },
  ...(["hiding", "binding"] as const).flatMap((name): Fault[] => [
    {
      name: `${name}, the identity`,
      tamper: withBody(name, IDENTITY),
      reason: "invalid-commitment",
      culprits: [2],
    },
    {
      name: `${name}, of small order`,
      tamper: withBody(name, ORDER_EIGHT),
      reason: "invalid-commitment",
      culprits: [2],
    },
    {
      name: `${name}, no point`,
      tamper: withBody(name, NO_POINT),
      reason: "invalid-commitment",
      culprits: [2],
    },
  ]),
  {
    name: "body, trailing byte",
    tamper: withBody("end", Uint8Array.of(0)),
    reason: "invalid-commitment",
    culprits: [2],
  },
  {
    name: "body, empty",
    tamper: ({ cluster }, honest) => resign(cluster, 2, honest, { broadcast: new Uint8Array() }),
    reason: "invalid-commitment",
    culprits: [2],
  },
]

/** The session with its commitment of signer 2 replaced. */
function withCommitment(session: Session, changed: Message): SigningPackage {
  const commitments = session.package.commitments.map((message, i) => (i === 1 ? changed : message))
  return { ...session.package, commitments }
}

for (const { name, tamper, reason, culprits = [] } of COMMITMENT_FAULTS) {
  test(`a commitment with a wrong ${name} stops signers and coordinator: ${reason}`, () => {
    const session = makeSession(makeCluster(), [1, 2])
    const { cluster } = session
    const changed = tamper(session, session.package.commitments[1] as Message)
    const abort = assertAbort(signAs(session, 1, withCommitment(session, changed)), reason, {
      culprits,
    })
    assert.equal(abort.field, "commitments.1")
    const context = { public: cluster.public, verifyKeys: cluster.verifyKeys }
    const opened = openCommitment(changed, { ...context, rosterEpoch: ROSTER_EPOCH })
    assertAbort(opened, reason, { culprits })
    for (const evidence of abort.evidence) {
      const verdict = verifyEvidence(encodeEvidence(evidence), cluster.verifyKeys)
      assert.deepEqual(verdict, { valid: true, culprit: 2, reason })
    }
  })
}

const PACKAGE_FAULTS: readonly {
  readonly name: string
  readonly change: (session: Session) => Partial<SigningPackage>
  readonly reason: AbortReason
  readonly field: string
}[] = [
  { name: "keyId", change: () => ({ keyId: WRONG }), reason: "wrong-key", field: "keyId" },
  {
    name: "keyEpoch",
    change: () => ({ keyEpoch: 2 }),
    reason: "wrong-key-epoch",
    field: "keyEpoch",
  },
  {
    name: "rosterEpoch",
    change: () => ({ rosterEpoch: ROSTER_EPOCH + 1 }),
    reason: "wrong-roster-epoch",
    field: "rosterEpoch",
  },
  {
    name: "requestDigest",
    change: () => ({ requestDigest: WRONG }),
    reason: "not-approved",
    field: "requestDigest",
  },
  {
    name: "message, swapped after approval",
    change: () => ({ message: utf8("pay the thief") }),
    reason: "not-approved",
    field: "message",
  },
  {
    name: "tweak",
    change: () => ({ tweak: { kind: "key-path" } }),
    reason: "not-approved",
    field: "tweak",
  },
  {
    name: "own commitment, absent",
    change: ({ package: pkg }) => ({ commitments: pkg.commitments.slice(1) }),
    reason: "not-a-signer",
    field: "commitments",
  },
  {
    name: "own commitment, twice",
    change: ({ package: { commitments } }) => ({
      commitments: [commitments[0] as Message, ...commitments],
    }),
    reason: "duplicate-signer",
    field: "commitments.1",
  },
  {
    name: "other commitment, twice",
    change: ({ package: { commitments } }) => ({
      commitments: [...commitments, commitments[1] as Message],
    }),
    reason: "duplicate-signer",
    field: "commitments.2",
  },
  {
    name: "order of commitments",
    change: ({ package: { commitments } }) => ({ commitments: [...commitments].reverse() }),
    reason: "unsorted-signers",
    field: "commitments.1",
  },
  {
    name: "number of signers",
    change: ({ package: { commitments } }) => ({ commitments: commitments.slice(0, 1) }),
    reason: "too-few-signers",
    field: "commitments",
  },
]

for (const { name, change, reason, field } of PACKAGE_FAULTS) {
  test(`a package with a wrong ${name} is refused and blames nobody: ${reason}`, () => {
    const session = makeSession(makeCluster(), [1, 2])
    const outcome = signAs(session, 1, { ...session.package, ...change(session) })
    assert.equal(assertAbort(outcome, reason).field, field)
  })
}

test("a signer refuses any commitment of its own but the one behind its nonces", () => {
  const cluster = makeCluster()
  const other = makeSession(cluster, [1, 2], { seed: "other" })
  const replaced = makeSession(cluster, [1, 2])
  const commitments = [
    other.package.commitments[0] as Message,
    replaced.package.commitments[1] as Message,
  ]
  assertAbort(signAs(replaced, 1, { ...replaced.package, commitments }), "commitment-mismatch")
  // Under the right name, but with other nonces: what a cloned or restored signer might have signed.
  const cloned = makeSession(cluster, [1, 2])
  const [own, peer] = cloned.package.commitments as readonly [Message, Message]
  const swapped = resign(cluster, 1, own, {
    broadcast: (other.package.commitments[0] as Message).broadcast,
  })
  assertAbort(
    signAs(cloned, 1, { ...cloned.package, commitments: [swapped, peer] }),
    "commitment-mismatch",
  )
})

test("a signer refuses a commitment of another roster, its own included", () => {
  const session = makeSession(makeCluster(), [1, 2])
  const { key, identity } = participant(session.cluster, 1)
  const state = session.states.get(1)
  assert.ok(state)
  const rosterEpoch = ROSTER_EPOCH + 1
  const pkg = { ...session.package, rosterEpoch }
  const { approved, cluster } = session
  const { verifyKeys } = cluster
  const outcome = sign({ state, key, package: pkg, approved, verifyKeys, rosterEpoch, identity })
  assert.equal(assertAbort(outcome, "wrong-roster-epoch").field, "commitments.0")
})

test("nonces made for another key or another generation of it are refused", () => {
  const session = makeSession(makeCluster(), [1, 2])
  for (const [change, reason] of [
    [{ seed: "another key" }, "wrong-key"],
    [{ keyEpoch: 2 }, "wrong-key-epoch"],
  ] as const) {
    const { key, identity } = participant(makeCluster(change), 1)
    const state = makeSession(session.cluster, [1, 2]).states.get(1)
    assert.ok(state)
    const { package: pkg, approved, cluster } = session
    const { verifyKeys } = cluster
    const rosterEpoch = ROSTER_EPOCH
    const outcome = sign({ state, key, package: pkg, approved, verifyKeys, rosterEpoch, identity })
    assert.equal(assertAbort(outcome, reason).field, "state")
  }
})

test("every additive participant is needed, and counts for no server", () => {
  const cluster = makeCluster({ additive: [100, 200] })
  assertAbort(signAs(makeSession(cluster, [1, 2, 100]), 1), "missing-additive-signer")
  assertAbort(signAs(makeSession(cluster, [1, 100, 200]), 1), "too-few-signers")
  assert.ok(signAs(makeSession(cluster, [1, 2, 100, 200]), 1).ok)
})

test("a participant of the roster that holds no share of the key is no signer", () => {
  const cluster = makeCluster()
  const wider = makeCluster({ maxSigners: 4 })
  const outsider = makeSession(wider, [1, 4])
  const session = makeSession(cluster, [1, 2])
  const commitments = [session.package.commitments[0], outsider.package.commitments[1]] as Message[]
  const { key, identity } = participant(cluster, 1)
  const state = session.states.get(1)
  assert.ok(state)
  const { approved } = session
  const pkg = { ...session.package, commitments }
  const { verifyKeys } = wider
  const rosterEpoch = ROSTER_EPOCH
  const outcome = sign({ state, key, package: pkg, approved, verifyKeys, rosterEpoch, identity })
  assert.equal(assertAbort(outcome, "unknown-sender").field, "commitments.1")
})

test("an Ed25519 key has no tweak", () => {
  const session = makeSession(makeCluster(), [1, 2], { tweak: { kind: "key-path" } })
  assert.equal(assertAbort(signAs(session, 1), "unsupported-tweak").field, "tweak")
  assertAbort(aggregateSession(session, new Map()), "unsupported-tweak")
  const { public: key } = session.cluster
  assert.equal(publicKeyOf(key, { kind: "key-path" }), null)
  assert.equal(verify(key, utf8("any"), new Uint8Array(64), { kind: "key-path" }), false)
})

const SHARE_FAULTS: readonly (Fault & { readonly silent?: readonly Identifier[] })[] = [
  {
    name: "signatureShare",
    tamper: ({ cluster }, honest) => {
      const z = edwards25519.decodeScalar(honest.broadcast)
      const broadcast = edwards25519.addScalars(z, edwards25519.one)
      return resign(cluster, 2, honest, { broadcast })
    },
    reason: "invalid-signature-share",
    culprits: [2],
  },
  {
    name: "signatureShare, unreduced",
    tamper: ({ cluster }, honest) =>
      resign(cluster, 2, honest, { broadcast: new Uint8Array(32).fill(255) }),
    reason: "invalid-signature-share",
    culprits: [2],
  },
  {
    name: "body, too long",
    tamper: ({ cluster }, honest) =>
      resign(cluster, 2, honest, { broadcast: concat(honest.broadcast, Uint8Array.of(0)) }),
    reason: "invalid-signature-share",
    culprits: [2],
  },
  {
    name: "broadcast, changed by a relay",
    tamper: (_, honest) => ({ ...honest, broadcast: flipped(honest.broadcast, 0) }),
    reason: "part-mismatch",
    silent: [2],
  },
  ...(
    [
      ["suite", { suite: "another" }, "wrong-suite"],
      ["protocol", { protocol: "dkg" }, "wrong-protocol"],
      ["step", { step: 1 }, "wrong-step"],
      ["attempt", { attempt: 2 }, "wrong-attempt"],
      ["sessionId", { sessionId: WRONG }, "wrong-session"],
      ["rosterEpoch", { rosterEpoch: ROSTER_EPOCH + 1 }, "wrong-roster-epoch"],
      ["sender", { sender: 3 }, "wrong-signature"],
      ["previousDigest", { previousDigest: WRONG }, "echo-mismatch"],
      ["parts", { parts: new Map([[0, WRONG]]) }, "part-mismatch"],
    ] as const
  ).map(([name, change, reason]): Fault & { silent: readonly Identifier[] } => ({
    name: `header.${name}`,
    tamper: ({ cluster }, honest) => {
      const z = edwards25519.decodeScalar(honest.broadcast)
      const broadcast = edwards25519.addScalars(z, edwards25519.one)
      return resign(cluster, 2, honest, { header: change, broadcast })
    },
    reason,
    silent: [2],
  })),
  {
    name: "header.parts, with a sealed one",
    tamper: (session, honest) =>
      withSealedPart(session.cluster, 2, flippedShare(session, honest, 2)),
    reason: "unexpected-part",
    silent: [2],
  },
  {
    name: "header.signature",
    tamper: (_, honest) => ({ ...forge(honest), broadcast: new Uint8Array(32) }),
    reason: "wrong-signature",
    silent: [2],
  },
]

for (const { name, tamper, reason, culprits = [], silent = [] } of SHARE_FAULTS) {
  test(`a share with a wrong ${name} yields no signature: ${reason}`, () => {
    const session = makeSession(makeCluster(), [1, 2])
    const shares = allShares(session)
    shares.set(2, tamper(session, shares.get(2) as Message))
    const abort = assertAbort(aggregateSession(session, shares), reason, { culprits, silent })
    for (const evidence of abort.evidence) {
      const verdict = verifyEvidence(encodeEvidence(evidence), session.cluster.verifyKeys)
      assert.deepEqual(verdict, { valid: true, culprit: 2, reason })
    }
  })
}

test("shares under each other's name are no answers, and nobody is blamed", () => {
  const session = makeSession(makeCluster(), [1, 2])
  const shares = allShares(session)
  const swapped = new Map([
    [1, flippedShare(session, shares.get(2) as Message, 2)],
    [2, shares.get(1) as Message],
  ])
  assertAbort(aggregateSession(session, swapped), "unknown-sender", { silent: [1, 2] })
})

function flippedShare(session: Session, share: Message, sender: Identifier): Message {
  const z = edwards25519.decodeScalar(share.broadcast)
  return resign(session.cluster, sender, share, {
    broadcast: edwards25519.addScalars(z, edwards25519.one),
  })
}

test("a missing share is silence", () => {
  const session = makeSession(makeCluster(), [1, 2])
  const shares = new Map([[1, value(signAs(session, 1))]])
  assertAbort(aggregateSession(session, shares), "missing-messages", { silent: [2] })
})

test("all liars are named at once, and the honest ones among them are not", () => {
  const session = makeSession(makeCluster({ minSigners: 3, maxSigners: 5 }), [1, 2, 4])
  const shares = allShares(session)
  for (const liar of [1, 4])
    shares.set(liar, flippedShare(session, shares.get(liar) as Message, liar))
  const abort = assertAbort(aggregateSession(session, shares), "invalid-signature-share", {
    culprits: [1, 4],
  })
  const verdicts = abort.evidence.map((e) =>
    verifyEvidence(encodeEvidence(e), session.cluster.verifyKeys),
  )
  const reason = "invalid-signature-share"
  assert.deepEqual(verdicts, [
    { valid: true, culprit: 1, reason },
    { valid: true, culprit: 4, reason },
  ])
})

test("evidence against a signer of the largest package fits its bound", () => {
  const signers = Array.from({ length: LIMITS.participants }, (_, i) => i + 1)
  const cluster = makeCluster({ minSigners: signers.length, maxSigners: signers.length })
  const message = new Uint8Array(MAX_MESSAGE_LENGTH)
  const tweak = { kind: "none" } as const
  const session = makeSession(cluster, signers, { message, tweak })
  const broadcast = new Uint8Array(LIMITS.broadcast)
  const share = resign(cluster, 2, value(signAs(session, 2)), { broadcast })
  const { certificate, package: pkg } = { ...session, ...cluster }
  const file = encodeEvidence({ kind: "frost-share", certificate, package: pkg, share })
  assert.ok(file.length <= LIMITS.evidence)
  assert.equal(verifyEvidence(file, cluster.verifyKeys).valid, true)
})

test("signatures of a wrong length, unreduced or cut off do not verify in any suite", () => {
  for (const keyType of FROST_KEY_TYPES) {
    const cluster = makeCluster({ keyType })
    const session = makeSession(cluster, [1, 2])
    const signature = value(aggregateSession(session))
    const { message } = session.package
    const check = (bytes: Bytes) => verify(cluster.public, message, bytes)
    assert.ok(check(signature))
    assert.ok(!check(concat(signature, Uint8Array.of(0))))
    assert.ok(!check(signature.slice(0, -1)))
    assert.ok(!check(signature.slice(1)))
    assert.ok(!check(new Uint8Array()))
    assert.ok(!check(concat(signature.slice(0, -32), new Uint8Array(32).fill(255))))
    for (const at of [0, 10, signature.length - 10]) assert.ok(!check(flipped(signature, at)))
  }
})

test("public shares that do not belong to the key blame nobody", () => {
  const cluster = makeCluster()
  const session = makeSession(cluster, [1, 2])
  const other = makeCluster({ seed: "other" }).public.verifyingKey
  const inconsistent = { ...cluster.public, verifyingKey: other }
  const participants = new Map(
    [...cluster.participants].map(([id, { key, identity }]) => [
      id,
      { identity, key: { ...key, public: inconsistent } },
    ]),
  )
  const certificate = { ...cluster.certificate, public: inconsistent }
  const broken: Session = {
    ...session,
    cluster: { ...cluster, public: inconsistent, participants, certificate },
  }
  assertAbort(aggregateSession(broken), "inconsistent-key")
})
