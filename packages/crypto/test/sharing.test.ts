import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { decode, encode } from "@lockkeeper/encoding"
import fc from "fast-check"
import {
  edwards25519,
  evaluatePolynomial,
  feldmanCommit,
  feldmanPublicShare,
  feldmanVerify,
  type Group,
  type Identifier,
  identifierCodec,
  interpolate,
  interpolateElements,
  lagrangeCoefficient,
  ristretto255,
  type Scalar,
  secp256k1,
} from "../src/index.ts"

const identifier = fc.integer({ min: 1, max: 0xffff })

function polynomial(group: Group, length: number): fc.Arbitrary<Scalar[]> {
  const scalar = fc
    .uint8Array({ minLength: 64, maxLength: 64 })
    .map((bytes) => group.scalarFromUniform(bytes))
  return fc.array(scalar, { minLength: length, maxLength: length })
}

function shares(group: Group, coefficients: readonly Scalar[], at: readonly Identifier[]) {
  return new Map(at.map((i) => [i, evaluatePolynomial(group, coefficients, i)] as const))
}

const duplicate = { name: "RangeError", message: "duplicate identifier" }
const outside = { name: "RangeError", message: "identifier outside the set" }
const notIdentifier = (i: number) => ({
  name: "RangeError",
  message: `identifier ${i} is not in 1 to 65535`,
})

for (const group of [edwards25519, ristretto255, secp256k1]) {
  describe(`Shamir sharing over ${group.name}`, () => {
    it("gives the secret back from any t shares, also in the exponent", () => {
      const setup = fc.integer({ min: 1, max: 5 }).chain((t) =>
        fc.record({
          coefficients: polynomial(group, t),
          at: fc.uniqueArray(identifier, { minLength: t, maxLength: t + 2 }),
        }),
      )
      const property = fc.property(setup, ({ coefficients, at }) => {
        const dealt = shares(group, coefficients, at)
        const secret = coefficients[0] as Scalar
        assert.deepEqual(interpolate(group, dealt), secret)
        const images = new Map([...dealt].map(([i, share]) => [i, group.multiplyBase(share)]))
        assert.deepEqual(interpolateElements(group, images), group.multiplyBase(secret))
      })
      fc.assert(property, { numRuns: 20 })
    })

    it("gives another value from t - 1 shares or with one share changed", () => {
      const property = fc.property(polynomial(group, 3), (coefficients) => {
        const secret = coefficients[0] as Scalar
        assert.notDeepEqual(interpolate(group, shares(group, coefficients, [1, 2])), secret)
        const changed = shares(group, coefficients, [1, 2, 3])
        changed.set(2, group.addScalars(changed.get(2) as Scalar, group.one))
        assert.notDeepEqual(interpolate(group, changed), secret)
      })
      fc.assert(property, { numRuns: 10 })
    })

    it("has Lagrange coefficients that sum to one", () => {
      const sets = fc.uniqueArray(identifier, { minLength: 1, maxLength: 6 })
      const property = fc.property(sets, (set) => {
        const sum = set.reduce(
          (total, i) => group.addScalars(total, lagrangeCoefficient(group, i, set)),
          group.zero,
        )
        assert.deepEqual(sum, group.one)
      })
      fc.assert(property, { numRuns: 50 })
    })

    it("refuses duplicates, zero, strangers and empty sets", () => {
      assert.throws(() => lagrangeCoefficient(group, 1, [1, 2, 2]), duplicate)
      assert.throws(() => lagrangeCoefficient(group, 3, [1, 2]), outside)
      for (const bad of [0, -1, 65_536, 1.5, Number.NaN]) {
        assert.throws(() => lagrangeCoefficient(group, 1, [1, bad]), notIdentifier(bad))
        assert.throws(() => evaluatePolynomial(group, [group.one], bad), notIdentifier(bad))
        const publicShare = () => feldmanPublicShare(group, [group.generator], bad)
        assert.throws(publicShare, notIdentifier(bad))
      }
      assert.throws(() => interpolate(group, new Map()), /no shares to interpolate/)
      assert.throws(() => interpolateElements(group, new Map()), /no elements to interpolate/)
    })

    it("leaves group.zero alone when its results are wiped", () => {
      evaluatePolynomial(group, [], 1).fill(1)
      assert.equal(group.isZeroScalar(group.zero), true)
    })
  })

  describe(`Feldman commitments over ${group.name}`, () => {
    const setup = fc.tuple(polynomial(group, 3), identifier)

    it("accept the dealt share and give its public image", () => {
      const property = fc.property(setup, ([coefficients, i]) => {
        const commitment = feldmanCommit(group, coefficients)
        const share = evaluatePolynomial(group, coefficients, i)
        assert.equal(feldmanVerify(group, commitment, i, share), true)
        assert.deepEqual(feldmanPublicShare(group, commitment, i), group.multiplyBase(share))
      })
      fc.assert(property, { numRuns: 10 })
    })

    it("refuse another share, another identifier, and any changed coefficient", () => {
      const property = fc.property(setup, ([coefficients, i]) => {
        const commitment = feldmanCommit(group, coefficients)
        const share = evaluatePolynomial(group, coefficients, i)
        const verify = (c = commitment, at = i, s = share) => feldmanVerify(group, c, at, s)
        assert.equal(verify(commitment, i, group.addScalars(share, group.one)), false)
        assert.equal(verify(commitment, i, group.zero), false)
        assert.equal(verify(commitment, i === 1 ? 2 : i - 1), false)
        for (const k of commitment.keys()) {
          const changed = commitment.map((c, at) => (at === k ? group.add(c, group.generator) : c))
          assert.equal(verify(changed), false, `coefficient ${k}`)
        }
        assert.equal(verify(commitment.slice(0, 2)), false, "shorter")
        assert.equal(verify([...commitment, group.generator]), false, "longer")
      })
      fc.assert(property, { numRuns: 5 })
    })
  })
}

describe("an identifier", () => {
  it("is encoded in two bytes and never zero", () => {
    assert.equal(decode(identifierCodec, encode(identifierCodec, 65_535)), 65_535)
    assert.throws(() => encode(identifierCodec, 0), RangeError)
    assert.throws(() => encode(identifierCodec, 65_536), RangeError)
    assert.throws(() => decode(identifierCodec, new Uint8Array(2)), {
      name: "DecodeError",
      message: "identifier is zero at offset 0",
    })
  })
})
