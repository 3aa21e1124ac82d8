import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@lockkeeper/encoding"
import fc from "fast-check"
import { backend as native } from "../src/backends/secp256k1-node.ts"
import { backend as wasm } from "../src/backends/secp256k1-wasm.ts"
import { secp256k1Over } from "../src/groups/secp256k1-over.ts"
import { selfTest } from "../src/groups/self-test.ts"
import {
  type Element,
  edwards25519,
  type Group,
  groupByName,
  ristretto255,
  type Scalar,
  secp256k1,
} from "../src/index.ts"
import { nobleGroups } from "./noble-groups.ts"

const RUNS = 25

const backends: readonly { title: string; group: Group }[] = [
  { title: "edwards25519 on libsodium", group: edwards25519 },
  { title: "ristretto255 on libsodium", group: ristretto255 },
  { title: "secp256k1 on the native library", group: secp256k1Over(native) },
  { title: "secp256k1 on WebAssembly", group: secp256k1Over(wasm) },
]

/** Uniform scalars, with the edges that special cases hang on. */
function scalars(group: Group): fc.Arbitrary<Scalar> {
  const edges = [0n, 1n, 2n, group.order - 1n, group.order - 2n, (group.order + 1n) / 2n]
  const uniform = fc.uint8Array({ minLength: 64, maxLength: 64 })
  return fc.oneof(
    { weight: 3, arbitrary: uniform.map((bytes) => group.scalarFromUniform(bytes)) },
    { weight: 1, arbitrary: fc.constantFrom(...edges).map((n) => group.scalarFromInteger(n)) },
  )
}

function elements(group: Group): fc.Arbitrary<Element> {
  return scalars(group).map((scalar) => group.multiplyBase(scalar))
}

for (const { title, group } of backends) {
  const oracle = nobleGroups[group.name]
  const scalar = scalars(group)
  const element = elements(group)

  describe(`${title} equals noble`, () => {
    it("in its constants", () => {
      assert.equal(group.order, oracle.order)
      for (const name of ["generator", "identity", "zero", "one"] as const) {
        assert.deepEqual(group[name], oracle[name], name)
      }
    })

    it("in reducing uniform bytes", () => {
      const property = fc.property(fc.uint8Array({ minLength: 64, maxLength: 64 }), (bytes) => {
        assert.deepEqual(group.scalarFromUniform(bytes), oracle.scalarFromUniform(bytes))
      })
      const high = new Uint8Array(64).fill(255)
      fc.assert(property, { numRuns: 100, examples: [[high], [new Uint8Array(64)]] })
    })

    it("in scalar arithmetic, zero included", () => {
      const property = fc.property(scalar, scalar, (a, b) => {
        for (const operation of ["addScalars", "subtractScalars", "multiplyScalars"] as const) {
          assert.deepEqual(group[operation](a, b), oracle[operation](a, b), operation)
        }
        assert.deepEqual(group.negateScalar(a), oracle.negateScalar(a))
        assert.deepEqual(group.addScalars(a, group.negateScalar(a)), group.zero)
        if (!group.isZeroScalar(a)) {
          assert.deepEqual(group.invertScalar(a), oracle.invertScalar(a))
        }
        assert.equal(group.scalarToInteger(a), oracle.scalarToInteger(a))
        assert.equal(group.equalScalars(a, b), oracle.equalScalars(a, b))
      })
      fc.assert(property, { numRuns: 100 })
    })

    it("in multiplication, zero and the identity included", () => {
      const property = fc.property(element, scalar, (e, s) => {
        const expected = oracle.multiply(e, s)
        assert.deepEqual(group.multiply(e, s), expected)
        assert.deepEqual(group.multiplyPublic(e, s), expected)
        assert.deepEqual(group.multiplyBase(s), oracle.multiplyBase(s))
      })
      fc.assert(property, { numRuns: RUNS })
    })

    it("in addition, opposite and equal points included", () => {
      const property = fc.property(element, element, (a, b) => {
        assert.deepEqual(group.add(a, b), oracle.add(a, b))
        assert.deepEqual(group.subtract(a, b), oracle.subtract(a, b))
        assert.deepEqual(group.add(a, a), oracle.add(a, a))
        assert.deepEqual(group.subtract(a, a), group.identity)
        assert.deepEqual(group.negate(a), oracle.negate(a))
        assert.equal(group.isIdentity(a), oracle.isIdentity(a))
        assert.equal(group.equal(a, b), oracle.equal(a, b))
      })
      fc.assert(property, { numRuns: RUNS })
    })

    it("in linear combinations of any length", () => {
      const terms = fc.array(fc.tuple(element, scalar), { maxLength: 4 })
      const property = fc.property(terms, (pairs) => {
        const [points, factors] = [pairs.map(([e]) => e), pairs.map(([, s]) => s)]
        const expected = oracle.linearCombination(points, factors)
        assert.deepEqual(group.linearCombination(points, factors), expected)
      })
      fc.assert(property, { numRuns: RUNS })
    })

    it("in what it decodes", () => {
      const random = fc.uint8Array({
        minLength: group.elementLength,
        maxLength: group.elementLength,
      })
      const accepts = (candidate: Group, bytes: Uint8Array) => {
        try {
          return candidate.decodeElement(bytes)
        } catch (error) {
          return String(error)
        }
      }
      const property = fc.property(random, (bytes) => {
        if (group.name === "secp256k1") bytes[0] = 2 + ((bytes[0] as number) & 1)
        assert.deepEqual(accepts(group, bytes), accepts(oracle, bytes))
      })
      fc.assert(property, { numRuns: 100 })
    })
  })

  describe(title, () => {
    it("writes to none of its inputs", () => {
      const property = fc.property(element, scalar, scalar, (e, a, b) => {
        const before = [e, a, b].map((bytes) => new Uint8Array(bytes))
        group.addScalars(a, b)
        group.subtractScalars(a, b)
        group.multiplyScalars(a, b)
        group.negateScalar(a)
        if (!group.isZeroScalar(a)) group.invertScalar(a)
        group.multiply(e, a)
        group.multiplyPublic(e, a)
        group.linearCombination([e, e], [a, b])
        assert.deepEqual(
          [e, a, b].map((bytes) => new Uint8Array(bytes)),
          before,
        )
      })
      fc.assert(property, { numRuns: 10 })
    })

    it("gives scalars of their own, so that wiping a sum wipes no summand", () => {
      const three = group.scalarFromInteger(3)
      for (const sum of [
        group.addScalars(three, group.zero),
        group.addScalars(group.zero, three),
      ]) {
        sum.fill(0)
      }
      assert.deepEqual(three, group.scalarFromInteger(3))
      group.multiplyScalars(three, group.zero).fill(1)
      assert.equal(group.isZeroScalar(group.zero), true)
    })

    it("encodes through its codecs what it decodes", () => {
      const property = fc.property(scalar, element, (s, e) => {
        assert.deepEqual(decode(group.scalar, encode(group.scalar, s)), s)
        if (group.isIdentity(e)) return
        assert.deepEqual(decode(group.element, encode(group.element, e)), e)
      })
      fc.assert(property, { numRuns: RUNS })
    })
  })
}

describe("the groups", () => {
  it("are exactly three, and say which library runs them", () => {
    assert.deepEqual(
      (["edwards25519", "ristretto255", "secp256k1"] as const).map((name) => groupByName(name)),
      [edwards25519, ristretto255, secp256k1],
    )
    assert.match(edwards25519.backend, /^libsodium/)
    assert.match(ristretto255.backend, /^libsodium/)
    assert.equal(secp256k1.backend, native.name)
    assert.match(wasm.name, /variable time/)
  })

  it("refuse to start on a backend that gives a wrong answer", () => {
    for (const [name, broken] of Object.entries({
      multiplyBase: { ...native, multiplyBase: () => secp256k1.generator },
      multiply: { ...native, multiply: () => secp256k1.generator },
      multiplyPublic: { ...native, multiplyPublic: () => secp256k1.generator },
      sumPoints: { ...native, sumPoints: () => null },
      multiplyScalars: { ...native, multiplyScalars: () => secp256k1.scalarFromInteger(7) },
      addScalars: { ...native, addScalars: () => secp256k1.scalarFromInteger(7) },
      negateScalar: { ...native, negateScalar: (a: Uint8Array) => new Uint8Array(a) },
      invertScalar: { ...native, invertScalar: (a: Uint8Array) => new Uint8Array(a) },
    })) {
      assert.throws(() => selfTest(secp256k1Over(broken)), /^Error: self-test of secp256k1/, name)
    }
  })
})
