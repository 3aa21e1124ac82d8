import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Element,
  groupByName,
  type Identifier,
  interpolateElements,
  ristretto255,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import { decode, encode } from "@lockkeeper/encoding"
import { verify } from "../src/frost/aggregate.ts"
import { FROST_KEY_TYPES } from "../src/frost/suites.ts"
import {
  chainCodeOf,
  deriveChild,
  encodeEvidence,
  type KeyPackage,
  keyCertificateCodec,
  keyPackageCodec,
  type reshare,
  sharing,
  verifyEvidence,
  verifyKeyCertificate,
} from "../src/index.ts"
import { aggregateSession, type Cluster, makeCluster, makeSession, value } from "./frost-fixture.ts"
import { identity, rosterOf } from "./messages-fixtures.ts"
import { attemptFor, drive, mixedBatch, type Shared, type Target } from "./reshare-cluster.ts"

const TARGETS: readonly Target[] = [
  { dealers: [1, 3], holders: [4, 5, 6], minSigners: 2 },
  { dealers: [1, 2], holders: [1, 2, 3, 4, 5], minSigners: 3 },
  { kind: "refresh", dealers: [2, 3], holders: [1, 2, 3], minSigners: 2 },
]

/** A key's servers' side, as a batch takes it. */
function sharedOf(cluster: Cluster): Shared {
  const holders = [...cluster.public.verifyingShares.keys()]
  const shares = holders.map((i) => [i, cluster.participants.get(i)!.key.signingShare] as const)
  return { sharing: sharing.sharingOfKey(cluster.public), shares: new Map(shares) }
}

/** The same key with what a run has made of its shares. */
function after(cluster: Cluster, shared: Shared): Cluster {
  const pkg = value(sharing.keyWithSharing(cluster.public, shared.sharing))
  const participants = new Map<
    Identifier,
    { key: KeyPackage; identity: ReturnType<typeof identity> }
  >()
  for (const [identifier, signingShare] of shared.shares) {
    const key = { identifier, signingShare, public: pkg }
    participants.set(identifier, {
      key: decode(keyPackageCodec, encode(keyPackageCodec, key)),
      identity: identity(identifier),
    })
  }
  const verifyKeys = rosterOf([...shared.shares.keys()])
  return { ...cluster, participants, public: pkg, verifyKeys }
}

for (const target of TARGETS) {
  const { kind = "reshare", holders, minSigners } = target
  test(`keys of every type sign after a ${kind} to ${minSigners}/${holders.length}, children too`, () => {
    const clusters = FROST_KEY_TYPES.map((keyType) => makeCluster({ keyType, seed: keyType }))
    const batch = clusters.map(sharedOf)
    const { task, batch: reshared } = drive(attemptFor(batch, target), batch)
    assert.equal(task.kind, "confirmed")
    for (const [i, before] of clusters.entries()) {
      const cluster = after(before, reshared[i]!)
      assert.equal(cluster.public.keyEpoch, before.public.keyEpoch + 1)
      assert.deepEqual(cluster.public.verifyingKey, before.public.verifyingKey)
      assert.deepEqual(chainCodeOf(cluster.public), chainCodeOf(before.public))
      const child = deriveChild(cluster.public, [0, 5])
      assert.deepEqual(child.verifyingKey, deriveChild(before.public, [0, 5]).verifyingKey)
      for (const path of [[], [0, 5]]) {
        const session = makeSession(cluster, holders.slice(-minSigners), { path })
        const signature = value(aggregateSession(session))
        assert.ok(verify(before.public, session.package.message, signature, { kind: "none" }, path))
      }
    }
  })
}

test("additive shares stay as they are, and are part of what must not change", () => {
  const cluster = makeCluster({ additive: [9] })
  const shared = sharedOf(cluster)
  const target = { dealers: [1, 2], holders: [2, 3, 4], minSigners: 2 }
  const [reshared] = drive(attemptFor([shared], target), [shared]).batch
  const pkg = value(sharing.keyWithSharing(cluster.public, reshared!.sharing))
  assert.deepEqual(pkg.additive, cluster.public.additive)
  const group = groupByName(pkg.group)
  const some = new Map([...pkg.verifyingShares].slice(0, 2))
  const whole = group.add(interpolateElements(group, some), pkg.additive.get(9)!.publicShare)
  assert.deepEqual(whole, pkg.verifyingKey)
  const without = { ...cluster.public, additive: new Map() }
  const refused = sharing.keyWithSharing(without, reshared!.sharing)
  assert.ok(!refused.ok)
  assert.deepEqual([refused.abort.reason, refused.abort.field], ["wrong-key", "context"])
})

test("an account's OPRF key moves with its commitments, and evaluates as before", () => {
  const group = ristretto255
  const secret = group.scalarFromInteger(77)
  const slope = group.scalarFromInteger(5)
  const vector = [secret, slope].map((scalar) => group.multiplyBase(scalar))
  const servers = new Map([1, 2, 3].map((i) => [i, group.generator]))
  const registration = {
    keys: { accountId: new Uint8Array(32).fill(1), opaqueVersion: 4 },
    ...{ rosterEpoch: 7, minSigners: 2, servers, vector },
  } as unknown as Parameters<typeof sharing.sharingOfAccount>[0]
  const before = sharing.sharingOfAccount(registration, 1)
  const member = drive(
    attemptFor([{ sharing: before, shares: sharesOf(secret, slope) }], TARGETS[1]!),
    [{ sharing: before, shares: sharesOf(secret, slope) }],
  ).members.get(5)!
  const [reshared] = member.judged.pending!.reshared
  assert.equal(reshared!.vector.length, 3)
  assert.deepEqual(reshared!.vector[0], vector[0])
  for (const [holder, image] of reshared!.sharing.verifyingShares) {
    const powers = [1, holder, holder * holder].map((power) => group.scalarFromInteger(power))
    const expected = group.linearCombination(reshared!.vector as readonly Element[], powers)
    assert.deepEqual(image, expected)
  }
  const changed = { ...registration, keys: { ...registration.keys, opaqueVersion: 5 } }
  const refused = sharing.continues(sharing.sharingOfAccount(changed, 1), reshared!.sharing)
  assert.ok(!refused.ok)
  assert.equal(refused.abort.field, "context")
})

function sharesOf(secret: Scalar, slope: Scalar): Shared["shares"] {
  const batch = new Map<Identifier, reshare.Resharable["share"]>()
  let share = secret
  for (const holder of [1, 2, 3]) {
    share = ristretto255.addScalars(share, slope)
    batch.set(holder, new Secret(share))
  }
  return batch
}

test("a reshared key has a certificate like any other, which blames nobody who has not signed it", () => {
  const cluster = makeCluster({ keyType: "bip340" })
  const shared = sharedOf(cluster)
  const others = mixedBatch(2, [1, 2, 3])
  const batch = [shared, ...others]
  const target = { dealers: [1, 2], holders: [1, 2, 3, 4], minSigners: 2 }
  const verifyKeys = rosterOf([1, 2, 3, 4])
  const attempt = attemptFor(batch, target)
  const { task, members } = drive(attempt, batch, { 3: { verdict: () => null } })
  assert.ok(task.kind === "confirmed")
  const active = value(members.get(1)!.activate(task.certificate))
  const certificate = value(sharing.certificateOfKey(cluster.certificate, active[0]!.certificate))
  const encoded = encode(keyCertificateCodec, certificate)
  assert.deepEqual(decode(keyCertificateCodec, encoded), certificate)
  const pkg = value(verifyKeyCertificate(certificate, verifyKeys))
  const refused = (change: Partial<typeof certificate>, keys = verifyKeys) => {
    const verified = verifyKeyCertificate({ ...certificate, ...change }, keys)
    return verified.ok ? null : verified.abort.reason
  }
  assert.equal(refused({ public: { ...pkg, keyType: "frost-secp256k1" } }), "wrong-confirmation")
  assert.equal(refused({ public: { ...pkg, keyEpoch: 9 } }), "wrong-confirmation")
  assert.equal(refused({ batch: { ...certificate.batch!, path: [] } }), "wrong-batch")
  assert.equal(refused({}, rosterOf([1, 2, 4, 5])), null)
  assert.equal(refused({}, rosterOf([2, 3, 4])), "unexpected-confirmation")
  const fewer = new Map([...certificate.confirmations].slice(1))
  assert.equal(refused({ confirmations: fewer }), "missing-confirmation")
  const { batch: _, ...plain } = certificate
  assert.equal(verifyKeyCertificate(plain, verifyKeys).ok, false)

  // 3 was silent: a share it signs wrongly is seen to be wrong and no evidence against it.
  for (const [signer, valid] of [
    [2, true],
    [3, false],
  ] as const) {
    const shares = new Map<Identifier, Secret>()
    for (const i of [1, 2, 4])
      shares.set(i, value(members.get(i)!.activate(task.certificate))[0]!.share)
    shares.set(3, shares.get(4)!)
    const reshared = { ...cluster, certificate, public: pkg, verifyKeys }
    const participants = new Map<
      Identifier,
      { key: KeyPackage; identity: ReturnType<typeof identity> }
    >()
    for (const [i, signingShare] of shares) {
      const wrong = i === signer ? shares.get(1)! : signingShare
      const key = { identifier: i, signingShare: wrong, public: pkg }
      participants.set(i, { key, identity: identity(i) })
    }
    const session = makeSession({ ...reshared, participants }, [1, signer])
    const outcome = aggregateSession(session)
    assert.ok(!outcome.ok)
    assert.deepEqual(outcome.abort.culprits, [signer])
    const verdict = verifyEvidence(encodeEvidence(outcome.abort.evidence[0]!), verifyKeys)
    assert.equal(verdict.valid, valid)
  }
})
