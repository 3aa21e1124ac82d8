import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName } from "@lockkeeper/crypto"
import { concat, decode, encode } from "@lockkeeper/encoding"
import { encodeEvidence, verifyEvidence } from "../src/evidence/evidence.ts"
import { verifyShare } from "../src/frost/aggregate.ts"
import { openCommitment, openPackage } from "../src/frost/package.ts"
import { groupOf, KEY_TYPES } from "../src/key-types.ts"
import {
  type KeyCertificate,
  keyCertificateCodec,
  publicKeyPackageCodec,
  verifyKeyCertificate,
} from "../src/keys.ts"
import { LIMITS } from "../src/messages/limits.ts"
import type { Message } from "../src/messages/message.ts"
import { driveHonest, paramsFor } from "./dkg-cluster.ts"
import {
  aggregateSession,
  allShares,
  assertAbort,
  type Cluster,
  makeCluster,
  makeSession,
  ROSTER_EPOCH,
  seeded,
  signAs,
  value,
} from "./frost-fixture.ts"
import { resign } from "./frost-tamper.ts"
import { identity, rosterOf } from "./messages-fixtures.ts"

const HOLDERS = [1, 2, 3]
const verifyKeys = rosterOf(HOLDERS)

/** The key that one attempt at the same key id ended in, as everyone has confirmed it. */
function attemptAt(attempt: number, keyType: "ed25519" | "bip340" = "ed25519"): Cluster {
  const params = { ...paramsFor(2, HOLDERS, "ed25519", attempt), keyType }
  const { keys, certificates } = driveHonest(params, "twice")
  const certificate = certificates[0] as KeyCertificate
  return {
    participants: new Map([...keys].map(([id, key]) => [id, { key, identity: identity(id) }])),
    public: value(verifyKeyCertificate(certificate, verifyKeys)),
    certificate,
    verifyKeys,
    secretKey: groupByName(groupOf(keyType)).zero,
  }
}

test("two attempts at one key, both confirmed, frame no honest signer of either", () => {
  // A coordinator keeps the confirmations of one attempt to itself and lets another one finish.
  const kept = attemptAt(1)
  const used = attemptAt(2)
  assert.deepEqual(kept.public.keyId, used.public.keyId)
  assert.notDeepEqual(kept.public.verifyingKey, used.public.verifyingKey)
  for (const [own, other] of [
    [used, kept],
    [kept, used],
  ] as const) {
    const session = makeSession(own, [1, 2])
    for (const [signer, share] of allShares(session)) {
      const { certificate } = other
      const file = { kind: "frost-share", certificate, package: session.package, share } as const
      assert.deepEqual(verifyEvidence(encodeEvidence(file), verifyKeys), {
        valid: false,
        why: "share: wrong-session",
      })
      const opened = value(openPackage(session.package, { public: other.public, verifyKeys }))
      const verdict = verifyShare({ opened, certificate, verifyKeys }, signer, share)
      assertAbort(verdict, "wrong-session", { silent: [signer] })
    }
  }
})

test("a key has no more holders, additive ones among them, than one package has signers", () => {
  const options = { minSigners: LIMITS.participants, maxSigners: LIMITS.participants }
  const largest = makeCluster({
    ...options,
    maxSigners: LIMITS.participants - 1,
    minSigners: 23,
    additive: [100],
  })
  const everyone = [...largest.participants.keys()]
  assert.equal(everyone.length, LIMITS.participants)
  assert.ok(aggregateSession(makeSession(largest, everyone)).ok)
  const decoded = decode(keyCertificateCodec, encode(keyCertificateCodec, largest.certificate))
  assert.ok(verifyKeyCertificate(decoded, largest.verifyKeys).ok)
  const { certificate } = makeCluster({ ...options, additive: [100] })
  assert.throws(
    () => decode(publicKeyPackageCodec, encode(publicKeyPackageCodec, certificate.public)),
    /more holders/,
  )
})

test("a commitment for a key type of a later version is refused, but proves nothing", () => {
  const cluster = makeCluster()
  const { commitments } = makeSession(cluster, [1, 2]).package
  const honest = commitments[1] as Message
  const broadcast = concat(
    Uint8Array.of(KEY_TYPES.length),
    honest.broadcast.slice(1),
    seeded("new"),
  )
  const later = resign(cluster, 2, honest, { broadcast })
  const context = { public: cluster.public, verifyKeys: cluster.verifyKeys }
  assertAbort(openCommitment(later, { ...context, rosterEpoch: ROSTER_EPOCH }), "wrong-key")
  const file = encodeEvidence({ kind: "frost-commitment", commitment: later })
  assert.deepEqual(verifyEvidence(file, cluster.verifyKeys), {
    valid: false,
    why: "the commitment is for a key type that FROST does not sign for in this version",
  })
})

test("nonces committed for another type of key under the same id are refused", () => {
  const mine = makeSession(attemptAt(1), [1, 2])
  const theirs = makeSession(attemptAt(2, "bip340"), [1, 2])
  const commitments = [mine.package.commitments[0], theirs.package.commitments[1]] as Message[]
  const session = { ...theirs, states: mine.states }
  assertAbort(signAs(session, 1, { ...theirs.package, commitments, ...mine.approved }), "wrong-key")
})
