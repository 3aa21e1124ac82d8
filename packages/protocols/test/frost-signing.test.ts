import assert from "node:assert/strict"
import { createPublicKey, verify as nodeVerify } from "node:crypto"
import { test } from "node:test"
import { interpolate, type Scalar, sha256 } from "@lockkeeper/crypto"
import { concat, decode, encode, fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import { schnorr } from "@noble/curves/secp256k1.js"
import fc from "fast-check"
import { encodeEvidence } from "../src/evidence/evidence.ts"
import { publicKeyOf, verify } from "../src/frost/aggregate.ts"
import { commit, type NonceState, nonceStateCodec } from "../src/frost/commitment.ts"
import { signingPackageCodec, signingPackageDigest } from "../src/frost/package.ts"
import { sign } from "../src/frost/sign.ts"
import { FROST_KEY_TYPES, suiteOf } from "../src/frost/suites.ts"
import type { Tweak } from "../src/frost/taproot.ts"
import { messageCodec } from "../src/messages/message.ts"
import {
  aggregateSession,
  type Cluster,
  makeCluster,
  makeSession,
  participant,
  ROSTER_EPOCH,
  seeded,
  signAs,
  value,
} from "./frost-fixture.ts"

const TWEAKS: readonly Tweak[] = [
  { kind: "none" },
  { kind: "key-path" },
  { kind: "merkle-root", root: seeded("root") },
]

/** Ed25519 verification by OpenSSL. */
function opensslVerifies(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const der = concat(fromHex("302a300506032b6570032100"), publicKey)
  const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" })
  return nodeVerify(null, message, key, signature)
}

/** Name, length and SHA-256 of an encoding. A change here breaks what servers have stored. */
const GOLDENS: readonly (readonly [string, number, string])[] = [
  ["state", 430, "ab05c41761004bb1a17b6b795094552b6ce1bbe33cd7d35cec87e174f7ca65f2"],
  ["pkg", 1127, "0d13405b5cd1d5fa17d5a80c7a793b55f5095f92266f6d2f6a731c26aa84cbd5"],
  ["share", 261, "964b665e6d2cb636b6403808f31054d817ba0b8ec1cae605f5923cfda81801f1"],
  ["file", 1915, "cbff033deeeada8279dd49d2639a88083d9918d988ecd61b333a46559348828c"],
]

test("every signer set of every size signs for every key type", () => {
  const signerSets = [
    [1, 2],
    [1, 3],
    [2, 3],
    [1, 2, 3],
  ]
  for (const keyType of FROST_KEY_TYPES) {
    const cluster = makeCluster({ keyType })
    for (const signers of signerSets) {
      const session = makeSession(cluster, signers, { seed: signers.join() })
      const signature = value(aggregateSession(session))
      assert.ok(verify(cluster.public, session.package.message, signature))
      assert.ok(!verify(cluster.public, utf8("another message"), signature))
    }
  }
})

test("OpenSSL accepts threshold signatures of random messages as Ed25519", () => {
  const cluster = makeCluster({ minSigners: 3, maxSigners: 5 })
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 200 }),
      fc.shuffledSubarray([1, 2, 3, 4, 5], { minLength: 3, maxLength: 5 }),
      (bytes, set) => {
        const message = new Uint8Array(bytes)
        const signers = [...set].sort((a, b) => a - b)
        const session = makeSession(cluster, signers, {
          message,
          seed: `${toHex(message)}${signers}`,
        })
        const signature = value(aggregateSession(session))
        const publicKey = publicKeyOf(cluster.public)
        assert.ok(publicKey)
        assert.ok(opensslVerifies(publicKey, message, signature))
        assert.ok(!opensslVerifies(publicKey, concat(message, Uint8Array.of(0)), signature))
      },
    ),
    { numRuns: 25 },
  )
})

test("another library's BIP340 accepts signatures for every parity, tweak and signer set", () => {
  const parities = new Set<string>()
  let cases = 0
  for (let i = 0; i < 12; i++) {
    const cluster = makeCluster({ keyType: "bip340", seed: `parity/${i}` })
    for (const tweak of TWEAKS) {
      const message = seeded(`sighash/${i}`)
      const session = makeSession(cluster, [1, 3], { message, tweak, seed: `${i}` })
      const signature = value(aggregateSession(session))
      const publicKey = publicKeyOf(cluster.public, tweak)
      assert.ok(publicKey)
      assert.ok(schnorr.verify(signature, message, publicKey))
      assert.ok(verify(cluster.public, message, signature, tweak))
      parities.add(`${cluster.public.verifyingKey[0]} ${tweak.kind}`)
      for (const other of TWEAKS) {
        if (other !== tweak) assert.ok(!verify(cluster.public, message, signature, other))
      }
      cases++
    }
  }
  assert.equal(cases, 36)
  assert.equal(parities.size, 6, "both parities of the group key with every tweak")
})

function clusterOf(keyType: "ed25519" | "bip340", additive: readonly number[]): Cluster {
  return makeCluster({ keyType, additive, seed: `additive/${keyType}/${additive}` })
}

test("additive participants count once, with and without a tweak", () => {
  for (const additive of [[100], [100, 200]]) {
    const ed25519 = clusterOf("ed25519", additive)
    const session = makeSession(ed25519, [1, 3, ...additive])
    const signature = value(aggregateSession(session))
    const publicKey = publicKeyOf(ed25519.public)
    assert.ok(publicKey && opensslVerifies(publicKey, session.package.message, signature))
    const bip340 = clusterOf("bip340", additive)
    for (const tweak of TWEAKS) {
      const message = seeded("sighash")
      const taproot = makeSession(bip340, [2, 3, ...additive], { message, tweak })
      const output = publicKeyOf(bip340.public, tweak)
      assert.ok(output && schnorr.verify(value(aggregateSession(taproot)), message, output))
    }
  }
})

test("a 1-of-1 key signs like a single key", () => {
  for (const keyType of FROST_KEY_TYPES) {
    const cluster = makeCluster({ keyType, minSigners: 1, maxSigners: 1 })
    const session = makeSession(cluster, [1])
    assert.ok(verify(cluster.public, session.package.message, value(aggregateSession(session))))
  }
})

test("the shares of any signer set interpolate to the secret key the fixture dealt", () => {
  const cluster = makeCluster()
  const shares = new Map(
    [1, 3].map((id) => [id, participant(cluster, id).key.signingShare.expose() as Scalar]),
  )
  assert.deepEqual(interpolate(suiteOf("ed25519").group, shares), cluster.secretKey)
})

test("nonce state and signing package survive their codecs to the byte", () => {
  const cluster = makeCluster({ keyType: "bip340", additive: [100] })
  const session = makeSession(cluster, [1, 2, 100], { tweak: TWEAKS[2] as Tweak })
  const encoded = encode(signingPackageCodec, session.package)
  const decoded = decode(signingPackageCodec, encoded)
  assert.deepEqual(encode(signingPackageCodec, decoded), encoded)
  const digest = signingPackageDigest(session.package, cluster.public)
  assert.deepEqual(signingPackageDigest(decoded, cluster.public), digest)
  for (const [identifier, state] of session.states) {
    const stored = encode(nonceStateCodec, state)
    const restored = decode(nonceStateCodec, stored)
    assert.deepEqual(encode(nonceStateCodec, restored), stored)
    session.states.set(identifier, restored)
  }
  assert.ok(
    verify(cluster.public, decoded.message, value(aggregateSession(session)), decoded.tweak),
  )
})

test("nonces are wiped by the first use, so that a second one throws", () => {
  const session = makeSession(makeCluster(), [1, 2])
  assert.ok(signAs(session, 1).ok)
  assert.throws(() => signAs(session, 1), /wiped/)
})

test("nonces depend on the share and on the randomness", () => {
  const first = makeSession(makeCluster({ seed: "a" }), [1, 2])
  const otherShare = makeSession(makeCluster({ seed: "b" }), [1, 2])
  const otherRandomness = makeSession(makeCluster({ seed: "a" }), [1, 2], { seed: "other" })
  const nonces = [first, otherShare, otherRandomness].flatMap(({ states }) => {
    const state = states.get(1)
    assert.ok(state)
    return [toHex(state.hiding.expose()), toHex(state.binding.expose())]
  })
  assert.equal(new Set(nonces).size, 6)
})

test("committing takes exactly 96 bytes of randomness", () => {
  const signer = participant(makeCluster(), 1)
  for (const length of [0, 95, 97]) {
    const randomness = new Uint8Array(length)
    assert.throws(() => commit({ ...signer, rosterEpoch: ROSTER_EPOCH, randomness }), RangeError)
  }
})

test("secrets of a nonce state print as redacted", () => {
  const state = makeSession(makeCluster(), [1, 2]).states.get(1)
  assert.ok(state)
  const printed = JSON.stringify(state)
  assert.ok(!printed.includes(toHex(state.hiding.expose())))
  assert.match(printed, /"hiding":"\[redacted\]","binding":"\[redacted\]"/)
})

test("signing does not depend on who else the roster knows", () => {
  const session = makeSession(makeCluster(), [1, 2])
  const { key, identity } = participant(session.cluster, 1)
  const state = session.states.get(1)
  assert.ok(state)
  const verifyKeys = new Map([...session.cluster.verifyKeys].filter(([id]) => id !== 3))
  const { package: pkg, approved } = session
  const input = { state, key, package: pkg, approved, verifyKeys, identity }
  assert.ok(sign({ ...input, rosterEpoch: ROSTER_EPOCH }).ok)
})

test("the bytes of everything stored or sent are those of version 1", () => {
  const cluster = makeCluster({ keyType: "bip340", additive: [100] })
  const session = makeSession(cluster, [1, 3, 100], { tweak: TWEAKS[2] as Tweak })
  const state = encode(nonceStateCodec, session.states.get(3) as NonceState)
  const pkg = encode(signingPackageCodec, session.package)
  const share = encode(messageCodec, value(signAs(session, 3)))
  const { certificate } = cluster
  const file = encodeEvidence({
    kind: "frost-share",
    certificate,
    package: session.package,
    share: decode(messageCodec, share),
  })
  const goldens = Object.entries({ state, pkg, share, file }).map(([name, bytes]) => [
    name,
    bytes.length,
    toHex(sha256(bytes)),
  ])
  assert.deepEqual(goldens, GOLDENS)
})
