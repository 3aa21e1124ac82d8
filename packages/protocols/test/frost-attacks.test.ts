import assert from "node:assert/strict"
import { test } from "node:test"
import { edwards25519, type Identifier, type Scalar } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import fc from "fast-check"
import { equivocationOf } from "../src/evidence/equivocation.ts"
import { type Evidence, encodeEvidence, verifyEvidence } from "../src/evidence/evidence.ts"
import { verifyShare } from "../src/frost/aggregate.ts"
import { bindingFactors, type SigningCommitment } from "../src/frost/binding.ts"
import { openPackage, preparePackage, type SigningPackage } from "../src/frost/package.ts"
import { frostBip340, frostEd25519 } from "../src/frost/suites.ts"
import { NO_TWEAK } from "../src/frost/taproot.ts"
import { type SigningTarget, signingTarget } from "../src/frost/target.ts"
import type { Message } from "../src/messages/message.ts"
import {
  abortOf,
  aggregateSession,
  allShares,
  assertAbort,
  type Cluster,
  makeCluster,
  makeSession,
  seeded,
  signAs,
  value,
} from "./frost-fixture.ts"
import { flipped, resign } from "./frost-tamper.ts"

const point = (name: string) =>
  edwards25519.multiplyBase(edwards25519.scalarFromUniform(seeded(name, 64)))

test("changing any commitment, the message, a signer or the key changes every binding factor", () => {
  const target = (key: string) => signingTarget(frostEd25519, point(key), NO_TWEAK) as SigningTarget
  const honest: SigningCommitment[] = [1, 2, 3].map((identifier) => ({
    identifier,
    hiding: point(`D${identifier}`),
    binding: point(`E${identifier}`),
  }))
  const message = utf8("message")
  const baseline = bindingFactors(target("key"), honest, message)
  const changed = (at: number, change: Partial<SigningCommitment>) =>
    honest.map((commitment, i) => (i === at ? { ...commitment, ...change } : commitment))
  const variants: [string, Map<Identifier, Scalar>][] = [
    ["message", bindingFactors(target("key"), honest, utf8("messagf"))],
    ["key", bindingFactors(target("other"), honest, message)],
    ["fewer signers", bindingFactors(target("key"), honest.slice(0, 2), message)],
    ["another signer", bindingFactors(target("key"), changed(2, { identifier: 4 }), message)],
  ]
  for (const at of [0, 1, 2]) {
    for (const name of ["hiding", "binding"] as const) {
      const factors = bindingFactors(target("key"), changed(at, { [name]: point("new") }), message)
      variants.push([`${name} of signer ${at}`, factors])
    }
  }
  assert.equal(variants.length, 10)
  assert.equal(new Set([...baseline.values()].map(String)).size, 3, "one factor for each signer")
  for (const [name, factors] of variants) {
    for (const [identifier, factor] of factors) {
      assert.notDeepEqual(factor, baseline.get(identifier), `${name}: factor of ${identifier}`)
    }
  }
})

test("a Taproot tweak is another key, so it changes every binding factor", () => {
  const { public: key } = makeCluster({ keyType: "bip340" })
  const commitments = [...key.verifyingShares].map(([identifier, hiding]) => ({
    identifier,
    hiding,
    binding: hiding,
  }))
  const factors = (["none", "key-path"] as const).map((kind) =>
    bindingFactors(
      signingTarget(frostBip340, key.verifyingKey, { kind }) as SigningTarget,
      commitments,
      utf8("message"),
    ),
  )
  for (const identifier of key.verifyingShares.keys()) {
    assert.notDeepEqual(factors[0]?.get(identifier), factors[1]?.get(identifier))
  }
})

test("an equivocated commitment blames its author and never the signer that was shown the other", () => {
  const cluster = makeCluster()
  const session = makeSession(cluster, [1, 2])
  const [own, shown] = session.package.commitments as readonly [Message, Message]
  // Signer 2 signs a second header for the same commitment session.
  const other = makeSession(cluster, [1, 2], { seed: "other" }).package.commitments[1] as Message
  const hidden = resign(cluster, 2, shown, { broadcast: other.broadcast })
  const toTheSigner: SigningPackage = { ...session.package, commitments: [own, hidden] }
  const share = value(signAs(session, 1, toTheSigner))
  // The coordinator that holds the other commitment gets a share for another package: no blame.
  const shares = new Map([
    [1, share],
    [2, value(signAs(session, 2))],
  ])
  const abort = assertAbort(aggregateSession(session, shares), "wrong-session", { silent: [1] })
  assert.deepEqual(abort.evidence, [])
  // Passed off as evidence, the share is judged against the package that it names, or not at all.
  const { certificate, verifyKeys } = cluster
  for (const pkg of [session.package, toTheSigner]) {
    const file = encodeEvidence({ kind: "frost-share", certificate, package: pkg, share })
    assert.equal(verifyEvidence(file, verifyKeys).valid, false)
  }
  const proof = encodeEvidence(equivocationOf(shown.header, hidden.header))
  assert.deepEqual(verifyEvidence(proof, verifyKeys), {
    valid: true,
    culprit: 2,
    reason: "equivocation",
  })
})

test("no other package makes evidence against an honest signer", () => {
  const cluster = makeCluster({ keyType: "bip340" })
  const session = makeSession(cluster, [1, 2])
  const share = value(signAs(session, 1))
  const { package: pkg } = session
  const { certificate, verifyKeys } = cluster
  const other = makeSession(cluster, [1, 2], { seed: "other" }).package
  const packages: SigningPackage[] = [
    pkg,
    { ...pkg, message: utf8("pay the thief") },
    { ...pkg, requestDigest: seeded("another request") },
    { ...pkg, attempt: 2 },
    { ...pkg, tweak: { kind: "key-path" } },
    { ...pkg, commitments: other.commitments },
    { ...pkg, commitments: [other.commitments[0] as Message, pkg.commitments[1] as Message] },
    { ...pkg, commitments: [pkg.commitments[0] as Message, other.commitments[1] as Message] },
  ]
  for (const forged of packages) {
    const file = encodeEvidence({ kind: "frost-share", certificate, package: forged, share })
    assert.equal(verifyEvidence(file, verifyKeys).valid, false)
  }
})

/** Evidence against signer 2, which answered with a wrong share. */
function evidenceAgainstTwo(cluster: Cluster): {
  readonly file: Bytes
  readonly evidence: Evidence
} {
  const session = makeSession(cluster, [1, 2])
  const shares = allShares(session)
  const honest = shares.get(2) as Message
  const z = edwards25519.decodeScalar(honest.broadcast)
  const broadcast = edwards25519.addScalars(z, edwards25519.one)
  shares.set(2, resign(cluster, 2, honest, { broadcast }))
  const [evidence] = abortOf(aggregateSession(session, shares)).evidence
  assert.ok(evidence)
  return { file: encodeEvidence(evidence), evidence }
}

test("evidence with any byte changed proves nothing", () => {
  const cluster = makeCluster()
  const { file } = evidenceAgainstTwo(cluster)
  assert.equal(verifyEvidence(file, cluster.verifyKeys).valid, true)
  fc.assert(
    fc.property(fc.nat(file.length - 1), (at) => {
      assert.equal(verifyEvidence(flipped(file, at), cluster.verifyKeys).valid, false, `byte ${at}`)
    }),
    { numRuns: 300 },
  )
})

test("evidence needs a certificate that every holder has signed, the accused included", () => {
  const cluster = makeCluster()
  const { evidence } = evidenceAgainstTwo(cluster)
  assert.ok(evidence.kind === "frost-share")
  const { package: pkg, share } = evidence
  const other = makeCluster({ seed: "another key" })
  const without = new Map([...cluster.certificate.confirmations].filter(([id]) => id !== 2))
  for (const [certificate, why] of [
    [{ ...cluster.certificate, confirmations: without }, "certificate: missing-confirmation"],
    [other.certificate, "package: wrong-key"],
    [{ ...other.certificate, public: cluster.public }, "certificate: wrong-confirmation"],
  ] as const) {
    const file = encodeEvidence({ kind: "frost-share", certificate, package: pkg, share })
    assert.deepEqual(verifyEvidence(file, cluster.verifyKeys), { valid: false, why })
  }
})

test("a commitment that is valid, or of another step, is no evidence", () => {
  const cluster = makeCluster()
  const session = makeSession(cluster, [1, 2])
  const commitment = session.package.commitments[0] as Message
  const share = value(signAs(session, 1))
  for (const [message, why] of [
    [commitment, "the commitment is valid"],
    [share, "commitment: the message belongs to another step"],
    [{ ...commitment, broadcast: share.broadcast }, "commitment: part-mismatch"],
  ] as const) {
    const file = encodeEvidence({ kind: "frost-commitment", commitment: message })
    assert.deepEqual(verifyEvidence(file, cluster.verifyKeys), { valid: false, why })
  }
})

test("a share is judged alone as it is among the others", () => {
  const cluster = makeCluster()
  const session = makeSession(cluster, [1, 2])
  const { certificate, verifyKeys } = cluster
  const opened = value(openPackage(session.package, { public: cluster.public, verifyKeys }))
  const good = value(signAs(session, 2))
  const input = { opened, certificate, verifyKeys }
  assert.equal(value(verifyShare(input, 2, good)), null)
  const z = edwards25519.decodeScalar(good.broadcast)
  const broadcast = edwards25519.negateScalar(z)
  const bad = resign(cluster, 2, good, { broadcast })
  assertAbort(verifyShare(input, 2, bad), "invalid-signature-share", { culprits: [2] })
  assertAbort(verifyShare(input, 1, good), "unknown-sender", { silent: [1] })
})

test("a prepared package equals one opened from its bytes, in whatever order commitments came", () => {
  const cluster = makeCluster({ additive: [100] })
  const session = makeSession(cluster, [1, 3, 100])
  const context = { public: cluster.public, verifyKeys: cluster.verifyKeys }
  const opened = value(openPackage(session.package, context))
  const commitments = opened.commitments.map((commitment, i) => ({
    commitment,
    message: session.package.commitments[i] as Message,
    digest: seeded(`digest/${commitment.identifier}`),
  }))
  const prepared = value(preparePackage(session.package, cluster.public, commitments.toReversed()))
  assert.deepEqual(prepared.package, session.package)
  assert.deepEqual(prepared.commitments, opened.commitments)
  assert.deepEqual(prepared.servers, [1, 3])
  const twice = [...commitments, ...commitments.slice(0, 1)]
  assertAbort(preparePackage(session.package, cluster.public, twice), "duplicate-signer")
  const few = commitments.slice(1)
  assertAbort(preparePackage(session.package, cluster.public, few), "too-few-signers")
})
