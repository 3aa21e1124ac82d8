import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  concat,
  DecodeError,
  decode,
  encode,
  fixedBytes,
  fromHex,
  struct,
} from "@lockkeeper/encoding"
import { ed25519 } from "@noble/curves/ed25519.js"
import { backend as wasm } from "../src/backends/secp256k1-wasm.ts"
import { secp256k1Over } from "../src/groups/secp256k1-over.ts"
import {
  type Element,
  edwards25519,
  type Group,
  ristretto255,
  type Scalar,
  secp256k1,
} from "../src/index.ts"
import { torsionGenerator } from "./noble-groups.ts"

const groups: readonly [string, Group][] = [
  ["edwards25519", edwards25519],
  ["ristretto255", ristretto255],
  ["secp256k1", secp256k1],
  ["secp256k1 on WebAssembly", secp256k1Over(wasm)],
]

const NOT_CANONICAL = "element is not a canonical point of prime order"

function refusal(decodeBytes: () => unknown): string {
  try {
    decodeBytes()
  } catch (error) {
    assert.ok(error instanceof DecodeError, String(error))
    return error.message
  }
  return assert.fail("was accepted")
}

/** An integer of up to 256 bits in the group's byte order, not reduced. */
function raw(group: Group, value: bigint): Uint8Array {
  const bytes = fromHex(value.toString(16).padStart(64, "0"))
  return group.name === "secp256k1" ? bytes : bytes.reverse()
}

for (const [title, group] of groups) {
  const element = (bytes: Uint8Array) => refusal(() => group.decodeElement(bytes))
  const scalar = (bytes: Uint8Array) => refusal(() => group.decodeScalar(bytes))

  describe(`${title} refuses to decode`, () => {
    it("the identity", () => {
      assert.equal(element(group.identity), "element is the identity at offset 0")
    })

    it("elements of another length", () => {
      const expected = `element is not ${group.elementLength} bytes at offset 0`
      assert.equal(element(group.generator.subarray(1)), expected)
      assert.equal(element(concat(group.generator, Uint8Array.of(0))), expected)
      assert.equal(element(new Uint8Array(0)), expected)
    })

    it("scalars that were not reduced", () => {
      const expected = "scalar is not below the group order at offset 0"
      for (const value of [group.order, group.order + 1n, (1n << 256n) - 1n]) {
        assert.equal(scalar(raw(group, value)), expected)
      }
      assert.deepEqual(
        group.decodeScalar(raw(group, group.order - 1n)),
        raw(group, group.order - 1n),
      )
    })

    it("scalars of another length", () => {
      const expected = "scalar is not 32 bytes at offset 0"
      assert.equal(scalar(new Uint8Array(31)), expected)
      assert.equal(scalar(new Uint8Array(33)), expected)
    })

    it("zero where a scalar must not be zero", () => {
      assert.deepEqual(group.decodeScalar(group.zero), group.zero)
      const expected = "scalar is zero at offset 0"
      assert.equal(
        refusal(() => group.decodeNonZeroScalar(group.zero)),
        expected,
      )
      assert.deepEqual(group.decodeNonZeroScalar(group.one), group.one)
      assert.equal(
        refusal(() => group.decodeNonZeroScalar(raw(group, group.order))),
        "scalar is not below the group order at offset 0",
      )
    })

    it("with the field and offset when it happens inside a structure", () => {
      const codec = struct<{ head: Uint8Array<ArrayBuffer>; key: Element; share: Scalar }>({
        head: fixedBytes(3),
        key: group.element,
        share: group.nonZeroScalar,
      })
      const head = new Uint8Array(3)
      const bad = concat(head, group.identity, group.one)
      assert.equal(
        refusal(() => decode(codec, bad)),
        "key: element is the identity at offset 3",
      )
      const zeroShare = concat(head, group.generator, group.zero)
      assert.equal(
        refusal(() => decode(codec, zeroShare)),
        `share: scalar is zero at offset ${3 + group.elementLength}`,
      )
    })
  })

  describe(`${title} refuses`, () => {
    it("to write the identity or a forbidden zero", () => {
      const writeElement = () => encode(group.element, group.identity)
      assert.throws(writeElement, { name: "RangeError", message: "element is the identity" })
      const writeScalar = () => encode(group.nonZeroScalar, group.zero)
      assert.throws(writeScalar, { name: "RangeError", message: "scalar is zero" })
    })

    it("to invert zero", () => {
      const expected = { name: "RangeError", message: "zero has no inverse" }
      assert.throws(() => group.invertScalar(group.zero), expected)
    })

    it("uniform input of another length and unpaired terms", () => {
      for (const length of [0, 63, 65]) {
        const expected = { name: "RangeError", message: "uniform input is not 64 bytes" }
        assert.throws(() => group.scalarFromUniform(new Uint8Array(length)), expected)
      }
      const unpaired = () => group.linearCombination([group.generator], [])
      assert.throws(unpaired, { name: "RangeError", message: "terms without a partner" })
    })

    it("nothing on a zero scalar: products are the identity", () => {
      assert.equal(group.isIdentity(group.multiplyBase(group.zero)), true)
      assert.equal(group.isIdentity(group.multiply(group.generator, group.zero)), true)
      assert.equal(group.isIdentity(group.multiplyPublic(group.generator, group.zero)), true)
      assert.equal(group.isIdentity(group.multiply(group.identity, group.one)), true)
      const sum = group.linearCombination(
        [group.generator, group.generator],
        [group.one, group.zero],
      )
      assert.deepEqual(sum, group.generator)
    })
  })
}

describe("edwards25519 refuses to decode", () => {
  const element = (bytes: Uint8Array) => refusal(() => edwards25519.decodeElement(bytes))
  const expected = `${NOT_CANONICAL} at offset 0`
  const torsion = ed25519.Point.fromBytes(torsionGenerator)
  const torsionPoints = Array.from({ length: 7 }, (_, i) => torsion.multiply(BigInt(i + 1)))

  it("all seven points of small order", () => {
    for (const point of torsionPoints) assert.equal(element(point.toBytes()), expected)
  })

  it("every point with a torsion component", () => {
    for (let k = 1n; k <= 5n; k++) {
      const point = ed25519.Point.BASE.multiply(k)
      for (const small of torsionPoints) assert.equal(element(point.add(small).toBytes()), expected)
    }
  })

  it("non-canonical encodings: y not below the field order, a sign on x = 0", () => {
    const p = (1n << 255n) - 19n
    for (let y = p; y < 1n << 255n; y++) {
      const bytes = raw(edwards25519, y)
      assert.equal(element(bytes), expected)
      bytes[31] = (bytes[31] as number) | 0x80
      assert.equal(element(bytes), expected)
    }
    const signedIdentity = new Uint8Array(32)
    signedIdentity[0] = 1
    signedIdentity[31] = 0x80
    assert.equal(element(signedIdentity), expected)
  })

  it("a y that is on no point", () => {
    assert.equal(element(raw(edwards25519, 2n)), expected)
  })
})

describe("ristretto255 refuses to decode", () => {
  // The bad encodings of RFC 9496 Appendix A.2.
  const bad = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
    "c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
    "47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
    "f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
    "87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
    "bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
    "2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
    "f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
    "8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
    "2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
    "d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e",
    "8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32",
    "32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b",
    "227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165",
    "5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e",
    "445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ]

  it("every bad encoding of RFC 9496", () => {
    assert.equal(bad.length, 29)
    for (const hex of bad) {
      const message = refusal(() => ristretto255.decodeElement(fromHex(hex)))
      assert.equal(message, `${NOT_CANONICAL} at offset 0`)
    }
  })
})

for (const [title, group] of groups.filter(([, { name }]) => name === "secp256k1")) {
  describe(`${title} refuses to decode`, () => {
    it("x not below the field order, x on no point, and other prefixes", () => {
      const p = (1n << 256n) - (1n << 32n) - 977n
      const expected = `${NOT_CANONICAL} at offset 0`
      const candidates = [
        concat(Uint8Array.of(2), raw(group, p)),
        concat(Uint8Array.of(2), raw(group, p + 1n)),
        concat(Uint8Array.of(3), raw(group, 5n)),
        concat(Uint8Array.of(2), raw(group, 0n)),
      ]
      for (const prefix of [0, 1, 4, 5, 6, 7, 255]) {
        candidates.push(concat(Uint8Array.of(prefix), group.generator.subarray(1)))
      }
      for (const bytes of candidates) {
        assert.equal(
          refusal(() => group.decodeElement(bytes)),
          expected,
        )
      }
    })
  })
}
