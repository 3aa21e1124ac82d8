import assert from "node:assert/strict"
import { createPublicKey, verify as opensslVerify } from "node:crypto"
import { createRequire } from "node:module"
import { test } from "node:test"
import { type Identifier, sha256 } from "@lockkeeper/crypto"
import { concat, fromHex, toHex } from "@lockkeeper/encoding"
import { deriveChild } from "../src/child-keys.ts"
import { type EcdsaOrder, type EcdsaSignature, maxBatch } from "../src/dkls/index.ts"
import { encodeDer, isLowS, recoverKey } from "../src/ecdsa/index.ts"
import { PresignRunner, presign, signWith } from "./dkls-cluster.ts"
import { type Cluster, makeCluster, seeded } from "./frost-fixture.ts"

const native = createRequire(import.meta.url)("secp256k1") as {
  ecdsaVerify(signature: Uint8Array, message: Uint8Array, key: Uint8Array): boolean
  ecdsaRecover(signature: Uint8Array, recovery: number, message: Uint8Array): Uint8Array
  publicKeyConvert(key: Uint8Array, compressed: boolean): Uint8Array
}

const SPKI_PREFIX = fromHex("3056301006072a8648ce3d020106052b8104000a034200")

/** OpenSSL hashes what it verifies, so the digest signed here is of a known message. */
function checkedByOthers(
  message: Uint8Array,
  { digest }: EcdsaOrder,
  { r, s, recovery, publicKey }: EcdsaSignature,
): void {
  const uncompressed = native.publicKeyConvert(publicKey, false)
  const key = createPublicKey({
    key: Buffer.from(concat(SPKI_PREFIX, uncompressed)),
    format: "der",
    type: "spki",
  })
  assert.ok(opensslVerify("sha256", message, key, encodeDer({ r, s })))
  assert.ok(native.ecdsaVerify(concat(r, s), digest, publicKey))
  assert.deepEqual(
    new Uint8Array(native.ecdsaRecover(concat(r, s), recovery, digest)),
    new Uint8Array(publicKey),
  )
  assert.deepEqual(recoverKey(digest, { r, s, recovery }), publicKey)
  assert.ok(isLowS({ r, s }))
}

function subsets(items: readonly Identifier[], size: number): Identifier[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) =>
    subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]),
  )
}

/** A few of many, the same in every run. */
function sample<T>(items: readonly T[], size: number, name: string): T[] {
  const order = seeded(name, 4 * items.length)
  const rank = (i: number) => new DataView(order.buffer).getUint32(4 * i)
  const ranked = items.map((item, i) => ({ item, rank: rank(i) }))
  return ranked
    .sort((a, b) => a.rank - b.rank)
    .slice(0, size)
    .map(({ item }) => item)
}

const message = new TextEncoder().encode("pay the bearer")

function signBySet(cluster: Cluster, signers: readonly Identifier[], seed: string): void {
  const batch = presign(cluster, signers, { seed })
  const { order, signature } = signWith(cluster, batch, 0, { digest: sha256(message), seed })
  assert.deepEqual(signature.publicKey, cluster.public.verifyingKey)
  checkedByOthers(message, order, signature)
}

const everySet = process.env["LOCKKEEPER_ALL_SUBSETS"] === "1"

for (const [minSigners, maxSigners, sampled] of [
  [2, 2, 1],
  [2, 3, 3],
  [3, 5, 10],
  [5, 9, 3],
] as const) {
  test(`every signer set of ${minSigners} of ${maxSigners} signs what OpenSSL and libsecp256k1 verify`, (t) => {
    const cluster = makeCluster({ keyType: "ecdsa-secp256k1", minSigners, maxSigners })
    const servers = Array.from({ length: maxSigners }, (_, i) => i + 1)
    const all = subsets(servers, minSigners)
    const sets = everySet ? all : sample(all, sampled, "signer sets")
    for (const signers of sets) signBySet(cluster, signers, `set ${signers.join()}`)
    t.diagnostic(`${sets.length} of ${all.length} signer sets`)
  })
}

test("mandatory additive participants sign beside the servers, and nobody without them", () => {
  for (const additive of [[11], [11, 12]]) {
    const cluster = makeCluster({ keyType: "ecdsa-secp256k1", additive })
    for (const servers of subsets([1, 2, 3], 2)) {
      signBySet(cluster, [...servers, ...additive], `additive ${servers.join()} ${additive.join()}`)
    }
    const without = new PresignRunner(cluster, [1, 2]).run()
    assert.deepEqual(
      [...without.aborts.values()].map(({ reason }) => reason),
      ["missing-additive-signer", "missing-additive-signer"],
    )
  }
})

test("one server and one additive participant sign, as the smallest set there is", () => {
  const cluster = makeCluster({
    keyType: "ecdsa-secp256k1",
    ...{ minSigners: 1, maxSigners: 2, additive: [9] },
  })
  signBySet(cluster, [2, 9], "smallest")
})

test("each presignature of a batch signs for another child", () => {
  const cluster = makeCluster({ keyType: "ecdsa-secp256k1" })
  const paths = [[], [0], [44, 60, 0, 0, 7], [2 ** 31 - 1]]
  const batch = presign(cluster, [1, 3], { count: paths.length })
  for (const [index, path] of paths.entries()) {
    const options = { path, digest: sha256(message), seed: `child ${index}` }
    const { order, signature } = signWith(cluster, batch, index, options)
    assert.deepEqual(signature.publicKey, deriveChild(cluster.public, path).verifyingKey)
    checkedByOthers(message, order, signature)
  }
})

test("the largest batch for each number of signers goes through", () => {
  for (const [signers, count] of [
    [2, 16],
    [3, 8],
    [4, 5],
  ] as const) {
    assert.equal(maxBatch(signers), count)
    const cluster = makeCluster({
      ...{ keyType: "ecdsa-secp256k1", minSigners: signers, maxSigners: signers },
    })
    const set = Array.from({ length: signers }, (_, i) => i + 1)
    const batch = presign(cluster, set, { count })
    const ids = batch.get(1)!.map(({ id }) => toHex(id))
    assert.equal(new Set(ids).size, count)
    signWith(cluster, batch, count - 1)
  }
})

test("signatures are low-s with the right recovery id, whatever the parity of R", () => {
  const cluster = makeCluster({ keyType: "ecdsa-secp256k1" })
  const batch = presign(cluster, [1, 2], { count: 16 })
  const recoveries = new Set<number>()
  for (let index = 0; index < 16; index++) {
    const options = { digest: sha256(message), seed: `parity ${index}` }
    const { order, signature } = signWith(cluster, batch, index, options)
    checkedByOthers(message, order, signature)
    recoveries.add(signature.recovery)
  }
  assert.deepEqual([...recoveries].sort(), [0, 1])
})
