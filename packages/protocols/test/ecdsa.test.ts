import assert from "node:assert/strict"
import { createPublicKey, verify as nodeVerify } from "node:crypto"
import { test } from "node:test"
import { type Element, type Scalar, secp256k1, sha256 } from "@lockkeeper/crypto"
import {
  type Bytes,
  concat,
  DecodeError,
  decode,
  encode,
  fromHex,
  toHex,
  utf8,
} from "@lockkeeper/encoding"
import { secp256k1 as noble } from "@noble/curves/secp256k1.js"
import fc from "fast-check"
import { decodeDer, encodeDer } from "../src/ecdsa/der.ts"
import {
  digestScalar,
  type EcdsaSignature,
  ecdsaSignatureCodec,
  isLowS,
  type RecoverableSignature,
  recoverableSignatureCodec,
  recoveryOf,
  rOf,
  withLowS,
} from "../src/ecdsa/signature.ts"
import { recoverKey, verifyEcdsa } from "../src/ecdsa/verify.ts"
import { seeded } from "./frost-fixture.ts"

const group = secp256k1
const scalarOf = (name: string) => group.scalarFromUniform(seeded(name, 64))

interface Signed {
  readonly message: Bytes
  readonly digest: Bytes
  readonly key: Element
  readonly signature: RecoverableSignature
}

/** ECDSA with one secret and one nonce, as SEC 1 Section 4.1.3 has it; s as it comes. */
function signWith(name: string): Signed {
  const [secret, nonce] = [scalarOf(`${name}/secret`), scalarOf(`${name}/nonce`)]
  const message = utf8(name)
  const digest = sha256(message)
  const nonceElement = group.multiplyBase(nonce)
  const r = rOf(nonceElement)
  // s = (e + r * x) / k
  const sum = group.addScalars(digestScalar(digest), group.multiplyScalars(r, secret))
  const s = group.multiplyScalars(sum, group.invertScalar(nonce))
  const signature = { r, s, recovery: recoveryOf(nonceElement) }
  return { message, digest, key: group.multiplyBase(secret), signature }
}

/** ECDSA verification by OpenSSL, from DER. */
function opensslVerifies(key: Element, message: Bytes, der: Bytes): boolean {
  const point = noble.Point.fromBytes(key).toBytes(false)
  const spki = concat(fromHex("3056301006072a8648ce3d020106052b8104000a034200"), point)
  const publicKey = createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" })
  return nodeVerify("sha256", message, publicKey, der)
}

test("verification, recovery and DER agree with OpenSSL and another library", () => {
  const recoveries = new Set<string>()
  for (let i = 0; i < 40; i++) {
    const { message, digest, key, signature } = signWith(`agree/${i}`)
    assert.ok(verifyEcdsa(key, digest, signature))
    assert.deepEqual(recoverKey(digest, signature), key)
    const der = encodeDer(signature)
    assert.ok(opensslVerifies(key, message, der))
    const { r, s } = signature
    assert.deepEqual(decodeDer(der), { r, s })
    const theirs = noble.Signature.fromBytes(der, "der")
    assert.deepEqual(theirs.toBytes("compact"), encode(ecdsaSignatureCodec, signature))
    assert.equal(theirs.hasHighS(), !isLowS(signature))
    const recovered = theirs.addRecoveryBit(signature.recovery).recoverPublicKey(digest)
    assert.deepEqual(recovered.toBytes(), key)
    recoveries.add(`${signature.recovery} ${isLowS(signature)}`)
  }
  assert.equal(recoveries.size, 4, "both parities of R, and high s and low")
})

test("a signature of another library verifies, and yields its signer", () => {
  for (let i = 0; i < 10; i++) {
    const secret = scalarOf(`theirs/${i}`)
    const message = seeded(`message/${i}`)
    const bytes = noble.sign(message, secret, { format: "recovered" })
    const [recovery = 9] = bytes
    const { r, s } = decode(ecdsaSignatureCodec, bytes.slice(1))
    const key = group.multiplyBase(secret)
    assert.ok(verifyEcdsa(key, sha256(message), { r, s }))
    assert.deepEqual(recoverKey(sha256(message), { r, s, recovery }), key)
  }
})

test("a low s signs the same, under the same key", () => {
  let flipped = 0
  for (let i = 0; i < 20; i++) {
    const { digest, key, signature } = signWith(`low/${i}`)
    const low = withLowS(signature)
    assert.ok(isLowS(low))
    assert.ok(verifyEcdsa(key, digest, low))
    assert.deepEqual(recoverKey(digest, low), key)
    assert.deepEqual(withLowS(low), low)
    assert.notDeepEqual(recoverKey(digest, { ...low, recovery: low.recovery ^ 1 }), key)
    if (low.s !== signature.s) flipped++
  }
  assert.ok(flipped > 3 && flipped < 17)
})

test("the half of the order is the highest low s", () => {
  const half = group.order >> 1n
  const at = (s: bigint) => isLowS({ r: group.one, s: group.scalarFromInteger(s) })
  assert.equal(at(1n), true)
  assert.equal(at(half), true)
  assert.equal(at(half + 1n), false)
  assert.equal(at(group.order - 1n), false)
})

test("nothing verifies under another key, digest, r or s", () => {
  const { digest, key, signature } = signWith("wrong")
  const { r, s } = signature
  const plus = (scalar: Scalar) => group.addScalars(scalar, group.one)
  assert.ok(verifyEcdsa(key, digest, signature))
  assert.ok(verifyEcdsa(key, digest, { r, s: group.negateScalar(s) }))
  assert.ok(!verifyEcdsa(group.negate(key), digest, signature))
  assert.ok(!verifyEcdsa(group.add(key, group.generator), digest, signature))
  assert.ok(!verifyEcdsa(key, seeded("other"), signature))
  assert.ok(!verifyEcdsa(key, digest, { r: plus(r), s }))
  assert.ok(!verifyEcdsa(key, digest, { r, s: plus(s) }))
  assert.ok(!verifyEcdsa(key, digest, { r: s, s: r }))
})

test("zero is neither r nor s, whatever key and digest make of it", () => {
  const { digest, key, signature } = signWith("zero")
  const { r, s } = signature
  const zero = group.zero
  for (const broken of [
    { r: zero, s },
    { r, s: zero },
    { r: zero, s: zero },
  ]) {
    assert.equal(verifyEcdsa(key, digest, broken), false)
    // The order itself, to which an r of zero leads here, is the x of a point.
    for (const recovery of [0, 1, 2, 3]) {
      assert.equal(recoverKey(digest, { ...broken, recovery }), null)
    }
    assert.throws(() => encode(ecdsaSignatureCodec, broken), RangeError)
    const raw = concat(broken.r, broken.s)
    assert.throws(() => decode(ecdsaSignatureCodec, raw), DecodeError)
  }
})

test("a signature whose R is the identity verifies under no key", () => {
  // With Q = -(e/r)*G, R = (e/s)*G + (r/s)*Q is the identity for every s.
  const digest = seeded("identity")
  const r = scalarOf("r")
  const weight = group.multiplyScalars(digestScalar(digest), group.invertScalar(r))
  const key = group.multiplyBase(group.negateScalar(weight))
  assert.equal(verifyEcdsa(key, digest, { r, s: scalarOf("s") }), false)
  const nothing = { r: group.zero, s: group.one }
  assert.equal(verifyEcdsa(key, new Uint8Array(32), nothing), false)
})

test("no key is recovered from an x on no point, above the field, or for the identity", () => {
  const digest = seeded("unrecoverable")
  const s = scalarOf("s")
  const noPoint = group.scalarFromInteger(5n)
  assert.equal(recoverKey(digest, { r: noPoint, s, recovery: 0 }), null)
  // r + n is above 2^256 for all but a few r.
  assert.equal(recoverKey(digest, { r: rOf(group.generator), s, recovery: 2 }), null)
  // And between the field's order and 2^256 for r = 2^256 - n - 1.
  const nearly = group.scalarFromInteger(2n ** 256n - group.order - 1n)
  assert.equal(recoverKey(digest, { r: nearly, s, recovery: 2 }), null)
  const any = group.scalarFromInteger(2n)
  for (const recovery of [0, 1, 2, 3]) assert.ok(recoverKey(digest, { r: any, s, recovery }))
  for (const recovery of [-1, 4, 0.5, Number.NaN]) {
    assert.equal(recoverKey(digest, { r: any, s, recovery }), null)
  }
  // s*R = e*G for R = G and s = e.
  const e = digestScalar(digest)
  const recovery = recoveryOf(group.generator)
  assert.equal(recoverKey(digest, { r: rOf(group.generator), s: e, recovery }), null)
})

test("the recovery id says that x was reduced, and the key is found again", () => {
  // Of the x between the order and the field's order few are known as multiples of G: any will do
  // here, since the key is chosen by the signature.
  let found = 0
  const digest = seeded("reduced")
  const s = scalarOf("s")
  for (let i = 1n; found < 6; i++) {
    const r = group.scalarFromInteger(i)
    for (const recovery of [2, 3]) {
      const key = recoverKey(digest, { r, s, recovery })
      if (key === null) continue
      assert.ok(verifyEcdsa(key, digest, { r, s }))
      const theirs = new noble.Signature(i, group.scalarToInteger(s), recovery)
      assert.deepEqual(theirs.recoverPublicKey(digest).toBytes(), key)
      found++
    }
  }
  const field = 2n ** 256n - 2n ** 32n - 977n
  const x = (field - 1n).toString(16)
  const high = concat(Uint8Array.of(3), fromHex(x)) as Element
  assert.equal(recoveryOf(high), 3)
  assert.equal(group.scalarToInteger(rOf(high)), field - 1n - group.order)
})

test("a digest is exactly 32 bytes", () => {
  const { key, signature } = signWith("length")
  for (const length of [0, 31, 33, 64]) {
    const expected = { name: "RangeError", message: "digest is not 32 bytes" }
    const digest = new Uint8Array(length)
    assert.throws(() => verifyEcdsa(key, digest, signature), expected)
    assert.throws(() => recoverKey(digest, signature), expected)
  }
})

test("digests that differ by the order verify alike", () => {
  const high = fromHex("ff".repeat(32))
  const low = group.scalarFromInteger(2n ** 256n - 1n - group.order)
  assert.deepEqual(digestScalar(high), low)
  const key = recoverKey(low, { r: rOf(group.generator), s: scalarOf("s"), recovery: 0 })
  assert.ok(key && verifyEcdsa(key, high, { r: rOf(group.generator), s: scalarOf("s") }))
})

const scalars = fc
  .uint8Array({ minLength: 64, maxLength: 64 })
  .map((bytes) => group.scalarFromUniform(bytes))
  .filter((scalar) => !group.isZeroScalar(scalar))
const small = fc.integer({ min: 1, max: 2 ** 24 }).map((n) => group.scalarFromInteger(n))

test("every signature survives DER and its codecs, with integers of every length", () => {
  const property = fc.property(
    fc.oneof(scalars, small),
    fc.oneof(scalars, small),
    fc.integer({ min: 0, max: 3 }),
    (r, s, recovery) => {
      const signature: EcdsaSignature = { r, s }
      const der = encodeDer(signature)
      assert.deepEqual(decodeDer(der), signature)
      const hex = noble.Signature.fromBytes(concat(r, s), "compact").toHex("der")
      assert.equal(toHex(der), hex)
      const encoded = encode(recoverableSignatureCodec, { ...signature, recovery })
      assert.equal(encoded.length, 65)
      assert.deepEqual(decode(recoverableSignatureCodec, encoded), { ...signature, recovery })
    },
  )
  fc.assert(property)
})

test("a recovery id is 0 to 3, in both directions", () => {
  const { signature } = signWith("recovery")
  for (const recovery of [-1, 4, 255, 1.5]) {
    assert.throws(() => encode(recoverableSignatureCodec, { ...signature, recovery }), RangeError)
  }
  const encoded = encode(recoverableSignatureCodec, signature)
  for (const recovery of [4, 27, 255]) {
    encoded[64] = recovery
    assert.throws(
      () => decode(recoverableSignatureCodec, encoded),
      /^DecodeError: recovery: recovery id outside 0 to 3 at offset 64$/,
    )
  }
})

const ORDER_HEX = group.order.toString(16)

for (const [name, hex, message] of [
  ["nothing", "", "input ends 1 bytes early at offset 0"],
  ["another tag", "3106020101020101", "sequence has another tag at offset 0"],
  ["a long length", "308106020101020101", "sequence has a long length at offset 1"],
  ["an indefinite length", "30800201010201010000", "sequence has a long length at offset 1"],
  ["too little", "3006020101020101".slice(0, -2), "sequence is cut off at offset 1"],
  ["bytes after the sequence", "300602010102010100", "bytes after the sequence at offset 8"],
  ["bytes inside the sequence", "300702010102010100", "1 trailing bytes at offset 8"],
  ["one integer", "3003020101", "s: input ends 1 bytes early at offset 5"],
  ["another type", "3006030101020101", "r: integer has another tag at offset 2"],
  ["a long integer length", "300702810101020101", "r: integer has a long length at offset 3"],
  ["an integer past the end", "3006020101020201", "s: integer is cut off at offset 6"],
  ["an empty integer", "30050200020101", "r: integer is empty at offset 4"],
  ["zero", "3006020100020101", "r: integer is not between 1 and the order at offset 4"],
  ["a negative integer", "3006020180020101", "r: integer is negative at offset 4"],
  ["a padded integer", "300702020001020101", "r: integer is padded at offset 4"],
  ["a padded zero", "300702020000020101", "r: integer is padded at offset 4"],
  [
    "the order",
    `3026022100${ORDER_HEX}020101`,
    "r: integer is not between 1 and the order at offset 4",
  ],
  ["34 bytes", `302702220080${"00".repeat(32)}020101`, "r: integer is too long at offset 4"],
  ["33 bytes unpadded", `3026022101${"00".repeat(32)}020101`, "r: integer is too long at offset 4"],
] as const) {
  test(`DER with ${name} is refused`, () => {
    assert.throws(
      () => decodeDer(fromHex(hex)),
      (error) => error instanceof DecodeError && error.message === message,
    )
  })
}
