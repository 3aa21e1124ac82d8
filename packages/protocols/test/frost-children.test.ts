import assert from "node:assert/strict"
import { createPublicKey, verify as nodeVerify } from "node:crypto"
import { test } from "node:test"
import { groupByName, type Identifier, sha256 } from "@lockkeeper/crypto"
import {
  type Bytes,
  concat,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fromHex,
  toHex,
  utf8,
} from "@lockkeeper/encoding"
import { secp256k1 as noble, schnorr } from "@noble/curves/secp256k1.js"
import { HDKey } from "@scure/bip32"
import fc from "fast-check"
import { chainCodeOf, deriveChild } from "../src/child-keys.ts"
import type { ChildPath } from "../src/child-path.ts"
import { encodeEvidence, verifyEvidence } from "../src/evidence/evidence.ts"
import { publicKeyOf, verify } from "../src/frost/aggregate.ts"
import { bind } from "../src/frost/binding.ts"
import {
  openPackage,
  type SigningPackage,
  signingPackageCodec,
  signingPackageDigest,
} from "../src/frost/package.ts"
import { FROST_KEY_TYPES } from "../src/frost/suites.ts"
import { NO_TWEAK, type Tweak } from "../src/frost/taproot.ts"
import { signingTargetOf } from "../src/frost/target.ts"
import type { KeyType } from "../src/key-types.ts"
import type { PublicKeyPackage } from "../src/keys.ts"
import type { Message } from "../src/messages/message.ts"
import {
  aggregateSession,
  allShares,
  assertAbort,
  makeCluster,
  makeSession,
  type Session,
  seeded,
  signAs,
  value,
} from "./frost-fixture.ts"
import { resign } from "./frost-tamper.ts"

const MERKLE: Tweak = { kind: "merkle-root", root: seeded("root") }
const TWEAKS: readonly Tweak[] = [NO_TWEAK, { kind: "key-path" }, MERKLE]
const PATHS: readonly ChildPath[] = [[], [0], [0, 5], [2 ** 31 - 1, 1, 7]]
const tweaksOf = (keyType: KeyType) => (keyType === "bip340" ? TWEAKS : [NO_TWEAK])

/** Who holds what: servers alone, or with one or two devices whose additive shares are needed. */
const CUSTODY = [
  { minSigners: 1, maxSigners: 1, additive: [] },
  { minSigners: 2, maxSigners: 3, additive: [] },
  { minSigners: 2, maxSigners: 3, additive: [100] },
  { minSigners: 2, maxSigners: 3, additive: [100, 200] },
] as const

/** Every set of servers that is large enough, with all devices. */
function signerSets({ minSigners, maxSigners, additive }: (typeof CUSTODY)[number]) {
  const sets: Identifier[][] = []
  for (let mask = 0; mask < 1 << maxSigners; mask++) {
    const servers = Array.from({ length: maxSigners }, (_, i) => i + 1)
    const chosen = servers.filter((i) => mask & (1 << (i - 1)))
    if (chosen.length >= minSigners) sets.push([...chosen, ...additive])
  }
  return sets
}

/** Ed25519 verification by OpenSSL. */
function opensslVerifies(publicKey: Bytes, message: Bytes, signature: Bytes): boolean {
  const der = concat(fromHex("302a300506032b6570032100"), publicKey)
  const key = createPublicKey({ key: Buffer.from(der), format: "der", type: "spki" })
  return nodeVerify(null, message, key, signature)
}

/** Whether code that is not ours accepts it, for the two types of key that others know. */
function othersAccept(key: Bytes, keyType: KeyType, message: Bytes, signature: Bytes): boolean {
  if (keyType === "ed25519") return opensslVerifies(key, message, signature)
  return keyType !== "bip340" || schnorr.verify(signature, message, key)
}

for (const keyType of FROST_KEY_TYPES) {
  test(`children of ${keyType} keys sign in every custody, with every tweak and signer set`, () => {
    let signatures = 0
    for (const custody of CUSTODY) {
      const cluster = makeCluster({ ...custody, keyType, seed: `child/${custody.additive}` })
      for (const path of PATHS) {
        for (const tweak of tweaksOf(keyType)) {
          for (const signers of signerSets(custody)) {
            const message = seeded(`${signers}/${path}/${tweak.kind}`)
            const session = makeSession(cluster, signers, { message, tweak, path })
            const signature = value(aggregateSession(session))
            const key = publicKeyOf(cluster.public, tweak, path)
            assert.ok(key && othersAccept(key, keyType, message, signature))
            assert.ok(verify(cluster.public, message, signature, tweak, path))
            signatures++
          }
        }
      }
    }
    assert.equal(signatures, 13 * PATHS.length * tweaksOf(keyType).length)
  })
}

/** The key that a wallet would find: BIP32 and BIP341 with other libraries. */
function walletKey(pkg: PublicKeyPackage, path: ChildPath, tweak: Tweak): Bytes {
  const master = new HDKey({ publicKey: pkg.verifyingKey, chainCode: chainCodeOf(pkg) })
  const child = path.reduce((key, value) => key.deriveChild(value), master)
  const internal = (child.publicKey as Bytes).slice(1)
  if (tweak.kind === "none") return internal
  const root = tweak.kind === "key-path" ? new Uint8Array() : tweak.root
  const t = BigInt(`0x${toHex(schnorr.utils.taggedHash("TapTweak", internal, root) as Bytes)}`)
  const even = noble.Point.fromBytes(concat(Uint8Array.of(2), internal))
  return even.add(noble.Point.BASE.multiply(t)).toBytes().slice(1) as Bytes
}

test("a BIP340 child is the one that wallets derive, for every parity of master, child and output", () => {
  const parities = new Set<string>()
  for (let i = 0; i < 40; i++) {
    const cluster = makeCluster({ keyType: "bip340", seed: `parity/${i}`, additive: [100] })
    const { public: pkg } = cluster
    for (const tweak of TWEAKS) {
      const path = [i, 3]
      const key = walletKey(pkg, path, tweak)
      assert.deepEqual(publicKeyOf(pkg, tweak, path), key)
      const target = signingTargetOf(pkg, tweak, path)
      const child = deriveChild(pkg, path).verifyingKey
      const parity = `${pkg.verifyingKey[0]} ${child[0]} ${target?.negateShares} ${tweak.kind}`
      // An untweaked key has no output parity: four kinds with it are two without.
      if (parities.has(parity)) continue
      parities.add(parity)
      const message = seeded(`sighash/${i}`)
      const session = makeSession(cluster, [1, 3, 100], { message, tweak, path })
      assert.ok(schnorr.verify(value(aggregateSession(session)), message, key))
    }
  }
  assert.equal(parities.size, 4 + 8 + 8)
})

test("a signature of one child is none of its parent, sibling, child or other tweak", () => {
  for (const keyType of ["ed25519", "bip340"] as const) {
    const cluster = makeCluster({ keyType })
    const message = seeded("message")
    const [path, tweak] = [[0, 5], tweaksOf(keyType).at(-1) ?? NO_TWEAK]
    const session = makeSession(cluster, [1, 2], { message, path, tweak })
    const signature = value(aggregateSession(session))
    const verifies = (at: ChildPath, how: Tweak = tweak) =>
      verify(cluster.public, message, signature, how, at)
    assert.ok(verifies(path))
    for (const other of [[], [0], [0, 4], [5, 0], [0, 5, 0]]) assert.ok(!verifies(other))
    for (const other of TWEAKS) assert.equal(verifies(path, other), other === tweak)
    assert.ok(!verify(cluster.public, message, signature))
    assert.ok(!verify(cluster.public, message, signature, tweak))
  }
})

const PATH_SWAPS: readonly (readonly [approved: ChildPath, asked: ChildPath])[] = [
  [[], [0]],
  [[0], []],
  [[0], [1]],
  [[0], [0, 0]],
  [[0, 0], [0]],
  [
    [1, 2],
    [2, 1],
  ],
]

test("nobody signs for another path than the one approved", () => {
  for (const [path, asked] of PATH_SWAPS) {
    for (const keyType of ["ed25519", "bip340"] as const) {
      const session = makeSession(makeCluster({ keyType }), [1, 2], { path })
      const swapped = { ...session.package, path: asked }
      assert.equal(assertAbort(signAs(session, 1, swapped), "not-approved").field, "path")
      assert.ok(signAs(session, 2).ok)
    }
  }
})

test("a tweak of an Ed25519 child is refused as one of its key is", () => {
  const session = makeSession(makeCluster(), [1, 2], { path: [0], tweak: { kind: "key-path" } })
  assert.equal(assertAbort(signAs(session, 1), "unsupported-tweak").field, "tweak")
  assert.equal(publicKeyOf(session.cluster.public, { kind: "key-path" }, [0]), null)
})

/** The share with as much added to it as a server's has more for the child and its tweak. */
function withShift(session: Session, sender: Identifier, share: Message): Message {
  const { public: key, verifyKeys } = session.cluster
  const { target, commitments } = value(openPackage(session.package, { public: key, verifyKeys }))
  const { group } = target.suite
  const { challenge } = bind(target, commitments, session.package.message)
  assert.ok(target.shift)
  const shift = group.multiplyScalars(challenge, target.shift)
  const broadcast = group.addScalars(group.decodeScalar(share.broadcast), shift)
  return resign(session.cluster, sender, share, { broadcast })
}

test("a device that adds the child's tweak too is named, with evidence", () => {
  for (const keyType of ["ed25519", "bip340"] as const) {
    for (const tweak of tweaksOf(keyType)) {
      const cluster = makeCluster({ keyType, additive: [100] })
      const session = makeSession(cluster, [1, 2, 100], { path: [0, 5], tweak })
      const shares = allShares(session)
      shares.set(100, withShift(session, 100, shares.get(100) as Message))
      const outcome = aggregateSession(session, shares)
      const abort = assertAbort(outcome, "invalid-signature-share", { culprits: [100] })
      const [evidence] = abort.evidence
      assert.ok(evidence?.kind === "frost-share")
      const judged = (change: Partial<typeof evidence.package>) => {
        const pkg = { ...evidence.package, ...change }
        const file = encodeEvidence({ ...evidence, package: pkg })
        return verifyEvidence(file, cluster.verifyKeys)
      }
      const reason = "invalid-signature-share"
      assert.deepEqual(judged({}), { valid: true, culprit: 100, reason })
      // The share was signed for this child alone: under another it proves nothing.
      for (const path of [[], [0], [0, 6]]) {
        assert.deepEqual(judged({ path }), { valid: false, why: "share: wrong-session" })
      }
    }
  }
})

test("a share for one child answers no package for another", () => {
  const cluster = makeCluster()
  const session = makeSession(cluster, [1, 2], { path: [0] })
  const other = makeSession(cluster, [1, 2], { path: [1] })
  const shares = allShares(session)
  shares.set(2, value(signAs(other, 2)))
  assertAbort(aggregateSession(session, shares), "wrong-session", { silent: [2] })
})

test("every path has a package digest of its own", () => {
  const session = makeSession(makeCluster({ keyType: "bip340" }), [1, 2])
  const digests = [...PATHS, [1], [5, 0], [0, 0]].flatMap((path) =>
    TWEAKS.map((tweak) => {
      const pkg = { ...session.package, path, tweak }
      return toHex(signingPackageDigest(pkg, session.cluster.public))
    }),
  )
  assert.equal(new Set(digests).size, digests.length)
})

test("packages survive their codec with every path and tweak", () => {
  const session = makeSession(makeCluster({ keyType: "bip340" }), [1, 2])
  for (const path of PATHS) {
    for (const tweak of TWEAKS) {
      const pkg = { ...session.package, path, tweak }
      const encoded = encode(signingPackageCodec, pkg)
      const decoded = decode(signingPackageCodec, encoded)
      assert.deepEqual(decoded, pkg)
      assert.ok(equalBytes(encode(signingPackageCodec, decoded), encoded))
    }
  }
})

test("the bytes of a package for a child are those of version 1", () => {
  const cluster = makeCluster({ keyType: "bip340", additive: [100] })
  const session = makeSession(cluster, [1, 3, 100], { tweak: MERKLE, path: [0, 5] })
  const encoded = encode(signingPackageCodec, session.package)
  assert.equal(encoded.length, 1137)
  const golden = "3ff08eb3e5b5f3abd1f0e2fe59469976a5c9e2129a5f702dd80338231f0a08ba"
  assert.equal(toHex(sha256(encoded)), golden)
})

test("a package whose path is hardened, too deep or empty but said is no package", () => {
  const session = makeSession(makeCluster(), [1, 2], { message: utf8("m"), path: [1] })
  const encoded = encode(signingPackageCodec, session.package)
  // keyId, keyEpoch, rosterEpoch, requestDigest, attempt, message; then what signs.
  const at = 32 + 4 + 4 + 32 + 4 + 5
  assert.deepEqual([...encoded.slice(at, at + 7)], [3, 1, 0, 0, 0, 1, 0])
  const refused = (place: Bytes, message: string) => {
    const changed = concat(encoded.slice(0, at), place, encoded.slice(at + 7))
    assert.throws(
      () => decode(signingPackageCodec, changed),
      (error) => error instanceof DecodeError && error.message === message,
    )
  }
  const bytes = (...values: number[]) => Uint8Array.from(values)
  const path = "signs.child.path: child path is"
  refused(bytes(3, 1, 128, 0, 0, 0, 0), `${path} hardened at offset ${at + 2}`)
  refused(bytes(3, 11, ...new Array(44).fill(0), 0), `${path} too deep at offset ${at + 1}`)
  refused(bytes(3, 0, 0), `signs: a child without a path at offset ${at}`)
  refused(bytes(4), `signs: kind outside the union at offset ${at}`)
  const hardened = { ...session.package, path: [2 ** 31] }
  const expected = { name: "RangeError", message: "child path is hardened" }
  assert.throws(() => encode(signingPackageCodec, hardened), expected)
})

test("bytes that decode as a package are the ones its codec writes", () => {
  const { package: pkg } = makeSession(makeCluster({ keyType: "bip340" }), [1, 2], { path: [7] })
  const encoded = encode(signingPackageCodec, pkg)
  const place = fc.integer({ min: 70, max: 100 })
  let accepted = 0
  const property = fc.property(place, fc.integer({ min: 0, max: 255 }), (at, byte) => {
    const changed = encoded.with(at, byte)
    let decoded: SigningPackage
    try {
      decoded = decode(signingPackageCodec, changed)
    } catch (error) {
      assert.ok(error instanceof DecodeError)
      return
    }
    assert.ok(equalBytes(encode(signingPackageCodec, decoded), changed))
    accepted++
  })
  fc.assert(property, { numRuns: 400 })
  assert.ok(accepted > 0)
})

test("a threshold child's secret key is the master's plus the tweak, and signs alone the same", () => {
  for (const additive of [[], [100]]) {
    const cluster = makeCluster({ keyType: "ed25519", additive })
    const group = groupByName("edwards25519")
    const { tweak, verifyingKey } = deriveChild(cluster.public, [4, 2])
    const secret = group.addScalars(cluster.secretKey, tweak)
    assert.deepEqual(group.multiplyBase(secret), verifyingKey)
    const alone = makeCluster({ minSigners: 1, maxSigners: 1, secret })
    const message = seeded("alone")
    const signature = value(aggregateSession(makeSession(alone, [1], { message })))
    assert.ok(verify(cluster.public, message, signature, NO_TWEAK, [4, 2]))
  }
})
