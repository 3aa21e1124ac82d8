import assert from "node:assert/strict"
import { createHash, createHmac } from "node:crypto"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import {
  type Element,
  edwards25519,
  type Group,
  groupByName,
  ristretto255,
  secp256k1,
  sha256,
} from "@lockkeeper/crypto"
import { type Bytes, concat, encode, toHex, u32, utf8 } from "@lockkeeper/encoding"
import { ed25519 } from "@noble/curves/ed25519.js"
import { HDKey } from "@scure/bip32"
import {
  chainCodeOf,
  ckdPublic,
  deriveChild,
  extendedBytes,
  extendedPublicKeyBytes,
} from "../src/child-keys.ts"
import { FIRST_HARDENED, MAX_PATH_DEPTH, NO_PATH } from "../src/child-path.ts"
import { KEY_TYPES, type KeyType } from "../src/key-types.ts"
import { makeCluster, seeded } from "./frost-fixture.ts"

interface Bip32Vectors {
  readonly vectors: readonly {
    readonly vector: number
    readonly seed: string
    readonly chain: readonly {
      readonly path: string
      readonly xpub: string
      readonly xprv: string
    }[]
  }[]
}

const vectorsFile = new URL("../../../vectors/bip32/bip32.json", import.meta.url)
const { vectors } = JSON.parse(readFileSync(vectorsFile, "utf8")) as Bip32Vectors

const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

/** The 78 bytes of an extended key, whose base58 checksum holds. */
function extendedKeyBytes(text: string): Bytes {
  let integer = 0n
  for (const letter of text) integer = integer * 58n + BigInt(ALPHABET.indexOf(letter))
  const bytes = Uint8Array.from(Buffer.from(integer.toString(16).padStart(164, "0"), "hex"))
  assert.deepEqual(sha256(sha256(bytes.slice(0, 78))).slice(0, 4), bytes.slice(78))
  return bytes.slice(0, 78)
}

function toBase58check(payload: Uint8Array): string {
  const full = concat(payload, sha256(sha256(payload)).slice(0, 4))
  let integer = BigInt(`0x${toHex(full)}`)
  let encoded = ""
  for (; integer > 0n; integer /= 58n) encoded = ALPHABET[Number(integer % 58n)] + encoded
  return encoded
}

function fieldsOf(xpub: string) {
  const bytes = extendedKeyBytes(xpub)
  return {
    bytes,
    depth: bytes[4] as number,
    fingerprint: bytes.slice(5, 9),
    childNumber: new DataView(bytes.buffer, bytes.byteOffset).getUint32(9),
    chainCode: bytes.slice(13, 45),
    verifyingKey: secp256k1.decodeElement(bytes.slice(45)),
  }
}

const hash160 = (bytes: Uint8Array) =>
  new Uint8Array(createHash("ripemd160").update(sha256(bytes)).digest())

test("every public derivation and every extended public key equals BIP32's vectors", () => {
  const counts = { keys: 0, derived: 0, hardened: 0 }
  for (const { chain } of vectors) {
    for (const [i, { path, xpub }] of chain.entries()) {
      const { bytes, ...fields } = fieldsOf(xpub)
      assert.deepEqual(extendedBytes(fields), bytes, path)
      counts.keys++
      const parent = chain[i - 1]
      if (!parent) continue
      const { verifyingKey: parentKey, chainCode } = fieldsOf(parent.xpub)
      assert.deepEqual(hash160(parentKey).slice(0, 4), fields.fingerprint)
      const { childNumber } = fields
      const derive = () => ckdPublic(secp256k1, parentKey, chainCode, childNumber)
      if (path.endsWith("'")) {
        assert.throws(derive, { name: "RangeError", message: "child path is hardened" })
        counts.hardened++
        continue
      }
      const child = derive()
      assert.deepEqual(child.verifyingKey, fields.verifyingKey, path)
      assert.deepEqual(child.chainCode, fields.chainCode, path)
      counts.derived++
    }
  }
  assert.deepEqual(counts, { keys: 17, derived: 6, hardened: 7 })
})

/** A path that only depends on its number, of every depth in turn. */
function pathOf(i: number, name: string): readonly number[] {
  const bytes = seeded(`${name}/${i}`, 4 * MAX_PATH_DEPTH)
  const view = new DataView(bytes.buffer)
  const edges = [0, FIRST_HARDENED - 1]
  return Array.from({ length: i % (MAX_PATH_DEPTH + 1) }, (_, at) => {
    const value = view.getUint32(4 * at)
    return value % 17 < 2 ? (edges[value % 17] as number) : value % FIRST_HARDENED
  })
}

/** Keys of one type, whose secret the test knows. */
const keysOf = (keyType: KeyType, count: number) =>
  Array.from({ length: count }, (_, i) =>
    makeCluster({ keyType, seed: `children/${i}`, additive: i % 2 ? [100] : [] }),
  )

for (const keyType of ["bip340", "ecdsa-secp256k1"] as const) {
  test(`500 ${keyType} children equal the private derivation of another library`, () => {
    const clusters = keysOf(keyType, 5)
    for (let i = 0; i < 500; i++) {
      const cluster = clusters[i % 5] as (typeof clusters)[number]
      const path = pathOf(i, keyType)
      const chainCode = chainCodeOf(cluster.public)
      let theirs = new HDKey({ privateKey: cluster.secretKey, chainCode })
      let parent = theirs
      for (const value of path) {
        parent = theirs
        theirs = theirs.deriveChild(value)
      }
      const ours = deriveChild(cluster.public, path)
      assert.deepEqual(ours.verifyingKey, theirs.publicKey)
      assert.deepEqual(ours.chainCode, theirs.chainCode)
      // The tweak carries the master's secret key to the child's.
      const secret = secp256k1.addScalars(cluster.secretKey, ours.tweak)
      assert.deepEqual(secret, theirs.privateKey)
      assert.deepEqual(ours.parentKey, path.length === 0 ? null : parent.publicKey)
      assert.equal(ours.depth, path.length)
      assert.equal(ours.childNumber, path.at(-1) ?? 0)
    }
  })
}

const EDWARDS_ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

/** A struct's text field: its length, then its letters. */
const prefixed = (word: string) => concat(encode(u32, utf8(word).length), utf8(word))

/** What the documents say of groups other than secp256k1, with node:crypto and bigints. */
function labelledHmac(purpose: string, group: string, code: Bytes, parent: Bytes, i: number) {
  const label = prefixed(`lockkeeper/child-key/${purpose}`)
  const input = concat(label, prefixed(group), parent, encode(u32, i))
  return new Uint8Array(createHmac("sha512", code).update(input).digest())
}

const littleEndian = (bytes: Uint8Array) => BigInt(`0x${toHex(bytes.slice().reverse())}`)

test("1 000 Ed25519 children equal a computation with bigints on another library's curve", () => {
  const clusters = keysOf("ed25519", 4)
  for (let i = 0; i < 1000; i++) {
    const cluster = clusters[i % 4] as (typeof clusters)[number]
    const path = pathOf(i, "ed25519").slice(0, 4)
    let point = ed25519.Point.fromBytes(cluster.public.verifyingKey)
    let chainCode: Bytes = chainCodeOf(cluster.public)
    let tweak = 0n
    for (const value of path) {
      const hash = (purpose: string) =>
        labelledHmac(purpose, "edwards25519", chainCode, point.toBytes() as Bytes, value)
      const step = littleEndian(hash("tweak")) % EDWARDS_ORDER
      const nextCode = hash("chain-code").slice(0, 32)
      point = point.add(ed25519.Point.BASE.multiply(step))
      chainCode = nextCode
      tweak = (tweak + step) % EDWARDS_ORDER
    }
    const ours = deriveChild(cluster.public, path)
    assert.deepEqual(ours.verifyingKey, point.toBytes())
    assert.deepEqual(ours.chainCode, chainCode)
    assert.equal(edwards25519.scalarToInteger(ours.tweak), tweak)
    const secret = edwards25519.addScalars(cluster.secretKey, ours.tweak)
    assert.deepEqual(edwards25519.multiplyBase(secret), ours.verifyingKey)
  }
})

test("a child's key is the master's plus its tweak, for every type of key", () => {
  for (const keyType of KEY_TYPES) {
    const { public: pkg, secretKey } = makeCluster({ keyType })
    const group = groupByName(pkg.group)
    const child = deriveChild(pkg, [3, 1, 4])
    const secret = group.addScalars(secretKey, child.tweak)
    assert.deepEqual(child.verifyingKey, group.multiplyBase(secret))
  }
})

test("the key itself is its own child at no depth", () => {
  const { public: pkg } = makeCluster({ keyType: "bip340" })
  const { tweak, ...rest } = deriveChild(pkg, NO_PATH)
  assert.ok(secp256k1.isZeroScalar(tweak))
  assert.deepEqual(rest, {
    verifyingKey: pkg.verifyingKey,
    chainCode: chainCodeOf(pkg),
    parentKey: null,
    depth: 0,
    childNumber: 0,
  })
})

test("different paths, keys and key ids lead to different children", () => {
  for (const keyType of ["bip340", "ed25519"] as const) {
    const { public: pkg } = makeCluster({ keyType })
    const paths = [[], [0], [1], [0, 0], [0, 1], [1, 0], [2 ** 31 - 1], [0, 0, 0]]
    const others = [
      makeCluster({ keyType, seed: "other" }).public,
      { ...pkg, keyId: seeded("another id") },
    ]
    const keys = paths.map((path) => deriveChild(pkg, path))
    keys.push(...others.map((other) => deriveChild(other, [0])))
    assert.equal(new Set(keys.map((k) => toHex(k.verifyingKey))).size, keys.length)
    assert.equal(new Set(keys.map((k) => toHex(k.chainCode))).size, keys.length)
  }
})

/** Of one key of each kind of group: chain code, and the key of its child m/0/5. */
const GOLDENS: readonly (readonly [KeyType, string, string])[] = [
  [
    "ed25519",
    "de63334a1f5ac46db876d87016e2453f5570bba827881aafe2fc940e8bf6c3a0",
    "f0b738ad55eac58bee777bdad2f7d8edf8c058bae3579f18bec28062b1c8264b",
  ],
  [
    "frost-ristretto255",
    "14b5ddfc2f33805ce4150b7914a8e6ba89d1cd433ad17db188f2ce6ca009ef7a",
    "c0e02dff147339bac34acdf967094406c0b92d364f3298e58da6cd606e85b038",
  ],
  [
    "ecdsa-secp256k1",
    "8ab500a0965d000bf487d2eefeb52d4883e8dac4e06bba13197fe1bbb67aa4c0",
    "02459bd0724a0123d22fa7d95b9f729b2519bb4403c333a50ef7327e78f9812893",
  ],
]

test("keys have the children they always had: another key would be another address", () => {
  const found = GOLDENS.map(([keyType]) => {
    const { public: pkg } = makeCluster({ keyType, seed: "golden" })
    const child = deriveChild(pkg, [0, 5])
    return [keyType, toHex(chainCodeOf(pkg)), toHex(child.verifyingKey)]
  })
  assert.deepEqual(found, GOLDENS)
})

test("the chain code is the labelled hash of key id and public key", () => {
  for (const keyType of KEY_TYPES) {
    const { public: pkg } = makeCluster({ keyType })
    const label = prefixed("lockkeeper/chain-code")
    assert.deepEqual(chainCodeOf(pkg), sha256(label, pkg.keyId, pkg.verifyingKey))
  }
})

test("the chain code survives a refresh, which changes shares and generation only", () => {
  const { public: pkg } = makeCluster()
  const refreshed = { ...pkg, keyEpoch: 2, rosterEpoch: 9, verifyingShares: new Map() }
  assert.deepEqual(chainCodeOf(refreshed), chainCodeOf(pkg))
})

test("another wallet derives the same children from the extended public key", () => {
  const { public: pkg } = makeCluster({ keyType: "bip340", seed: "exported" })
  const account = [84, 0]
  const parentKey = deriveChild(pkg, account.slice(0, 1)).verifyingKey
  const fingerprint = hash160(parentKey).slice(0, 4)
  const theirs = HDKey.fromExtendedKey(
    toBase58check(extendedPublicKeyBytes(pkg, account, fingerprint)),
  )
  assert.equal(theirs.depth, 2)
  for (const tail of [[0], [1, 7], [0, 2 ** 31 - 1, 5]]) {
    const child = tail.reduce((key, value) => key.deriveChild(value), theirs)
    const ours = deriveChild(pkg, [...account, ...tail])
    assert.deepEqual(child.publicKey, ours.verifyingKey)
    const own = hash160(ours.parentKey as Element).slice(0, 4)
    const expected = extendedKeyBytes(child.publicExtendedKey)
    assert.deepEqual(extendedPublicKeyBytes(pkg, [...account, ...tail], own), expected)
  }
  const master = extendedPublicKeyBytes(pkg, NO_PATH, new Uint8Array(4))
  assert.equal(HDKey.fromExtendedKey(toBase58check(master)).depth, 0)
})

test("a child's secret key and the extended public key yield the master's secret key", () => {
  const { public: pkg, secretKey } = makeCluster({ keyType: "ecdsa-secp256k1", seed: "leak" })
  const path = [0, 5]
  // What leaks: a wallet's export of one child, and the extended key that it watches with.
  const leaked = secp256k1.addScalars(secretKey, deriveChild(pkg, path).tweak)
  const xpub = toBase58check(extendedPublicKeyBytes(pkg, NO_PATH, new Uint8Array(4)))
  let { verifyingKey, chainCode } = fieldsOf(xpub)
  let found = leaked
  for (const value of path) {
    const step = ckdPublic(secp256k1, verifyingKey, chainCode, value)
    found = secp256k1.subtractScalars(found, step.tweak)
    ;({ verifyingKey, chainCode } = { ...step })
  }
  assert.deepEqual(found, secretKey)
})

test("no extended public key is made for other groups, without a parent or of a wrong length", () => {
  const { public: pkg } = makeCluster({ keyType: "bip340" })
  const zeros = new Uint8Array(4)
  const refused = (make: () => Bytes, message: string) =>
    assert.throws(make, { name: "RangeError", message })
  const edwards = makeCluster().public
  refused(
    () => extendedPublicKeyBytes(edwards, [0], zeros),
    "only secp256k1 has extended public keys",
  )
  refused(
    () => extendedPublicKeyBytes(pkg, NO_PATH, Uint8Array.of(0, 0, 0, 1)),
    "the master key has no parent",
  )
  refused(() => extendedPublicKeyBytes(pkg, [0], new Uint8Array(20)), "expected 4 bytes, got 20")
})

test("hardened, too deep and impossible paths have no child", () => {
  const { public: pkg } = makeCluster()
  for (const [path, problem] of [
    [[2 ** 31], "hardened"],
    [[0, 2 ** 32 - 1], "hardened"],
    [[2 ** 32], "above 2^31-1"],
    [[-1], "not a number"],
    [[0.5], "not a number"],
    [new Array<number>(MAX_PATH_DEPTH + 1).fill(0), "too deep"],
  ] as const) {
    const message = `child path is ${problem}`
    assert.throws(() => deriveChild(pkg, path), { name: "RangeError", message })
  }
})

test("a number whose hash is no scalar, or whose child is the identity, has no child", () => {
  const code = new Uint8Array(32)
  const step = (group: Group, parent: Element) => () => ckdPublic(group, parent, code, 0)
  const noChild = { name: "RangeError", message: "no such child" }
  for (const group of [secp256k1, edwards25519, ristretto255]) {
    const { tweak } = ckdPublic(group, group.generator, code, 0)
    // No parent that one can find leads here: its own hash would have to be its negated logarithm.
    const collapsing: Group = { ...group, add: () => group.identity }
    assert.throws(step(collapsing, group.multiplyBase(tweak)), noChild)
  }
  const narrow: Group = {
    ...secp256k1,
    decodeScalar: () => secp256k1.decodeScalar(new Uint8Array(32).fill(255)),
  }
  assert.throws(step(narrow, secp256k1.generator), noChild)
})
