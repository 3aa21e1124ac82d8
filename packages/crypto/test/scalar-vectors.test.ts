import assert from "node:assert/strict"
import { describe, it } from "node:test"
import fc from "fast-check"
import { type Scalar, scalarVectors, secp256k1 } from "../src/index.ts"

const {
  addSelected,
  combineTriples,
  factorOfScalar,
  readCanonical,
  scalarWeights,
  selectedSum,
  subtractAndAdd,
  weightedSum,
  wordsOfScalar,
} = scalarVectors

const ORDER = secp256k1.order
const LIMIT = 1n << 256n
const mod = (value: bigint) => ((value % ORDER) + ORDER) % ORDER

// Where carries, the fold of 2^256 and the last subtraction of q change their course.
const EDGES = [
  ...[0n, 1n, ORDER - 1n, ORDER, ORDER + 1n, LIMIT - 1n, LIMIT - ORDER, LIMIT - ORDER - 1n],
  ...[22n, 44n, 128n, 132n, 242n, 255n].flatMap((bit) => [(1n << bit) - 1n, 1n << bit]),
]
const below = (limit: bigint) =>
  fc.oneof(
    fc.constantFrom(...EDGES.filter((edge) => edge < limit)),
    fc.bigInt({ min: 0n, max: limit - 1n }),
  )
const value = below(LIMIT)
const reduced = below(ORDER)

function words(values: readonly bigint[]): scalarVectors.Words {
  return Uint32Array.from(
    values.flatMap((v) =>
      Array.from({ length: 8 }, (_, w) => Number((v >> BigInt(32 * w)) & 0xffff_ffffn)),
    ),
  )
}

function integers(from: scalarVectors.Words): bigint[] {
  return Array.from({ length: from.length / 8 }, (_, j) =>
    [...from.subarray(8 * j, 8 * j + 8)].reduceRight(
      (sum, word) => (sum << 32n) | BigInt(word),
      0n,
    ),
  )
}

const scalar = (n: bigint): Scalar => secp256k1.scalarFromInteger(n)
const integer = (s: Scalar) => secp256k1.scalarToInteger(s)
const bit = (bits: Uint8Array, j: number) => BigInt((bits[j >> 3]! >> (j & 7)) & 1)

describe("vectors of scalars equal bigints:", () => {
  it("differences plus addends in turn, in place and canonical", () => {
    const row = fc.tuple(value, value)
    const property = fc.property(
      fc.array(row, { minLength: 1, maxLength: 20 }),
      fc.array(reduced, { minLength: 1, maxLength: 4 }),
      (rows, addends) => {
        const minuends = words(rows.map(([a]) => a))
        const results = words(rows.map(([, b]) => b))
        subtractAndAdd(minuends, results, addends.map(scalar))
        const expected = rows.map(([a, b], j) => mod(a - b + addends[j % addends.length]!))
        assert.deepEqual(integers(results), expected)
        assert.deepEqual(
          integers(minuends),
          rows.map(([a]) => a),
        )
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  it("sums of what the bits select, below 2^256 and right modulo q", () => {
    const property = fc.property(
      fc.array(fc.tuple(value, reduced), { minLength: 1, maxLength: 16 }),
      fc.uint8Array({ minLength: 2, maxLength: 2 }),
      fc.constantFrom(1, 3),
      (rows, bits, width) => {
        const expanded = rows.flatMap((row) => Array.from({ length: width }, () => row))
        const values = words(expanded.map(([a]) => a))
        addSelected(values, words(expanded.map(([, b]) => b)), bits, width)
        const sums = integers(values)
        expanded.forEach(([a, b], j) => {
          const selected = bit(bits, Math.floor(j / width))
          assert.equal(mod(sums[j]!), mod(a + selected * b))
          if (selected === 0n) assert.equal(sums[j], a)
        })
      },
    )
    fc.assert(property, { numRuns: 300 })
  })

  it("weighted sums of one column, to 416 rows", () => {
    const property = fc.property(
      fc.array(fc.tuple(reduced, value, value), { minLength: 1, maxLength: 40 }),
      fc.constantFrom(0, 1),
      (rows, column) => {
        const weights = scalarWeights(rows.map(([w]) => scalar(w)))
        const values = words(rows.flatMap(([, x, y]) => [x, y]))
        const expected = rows.reduce((sum, row) => sum + row[0] * row[1 + column]!, 0n)
        assert.equal(integer(weightedSum(weights, values, 2, column)), mod(expected))
      },
    )
    fc.assert(property, { numRuns: 200 })
    // The largest everything: no column of the product may lose a bit.
    for (const count of [31, 32, 33, 64, 416, 1024]) {
      for (const weight of [ORDER - 1n, (1n << 255n) - 1n]) {
        const weights = scalarWeights(Array.from({ length: count }, () => scalar(weight)))
        const values = words(Array.from({ length: count }, () => LIMIT - 1n))
        const expected = mod(BigInt(count) * weight * (LIMIT - 1n))
        assert.equal(integer(weightedSum(weights, values, 1, 0)), expected)
      }
    }
  })

  it("sums of selected weights", () => {
    const property = fc.property(
      fc.array(reduced, { minLength: 1, maxLength: 24 }),
      fc.uint8Array({ minLength: 3, maxLength: 3 }),
      (weights, bits) => {
        const expected = weights.reduce((sum, w, j) => sum + bit(bits, j) * w, 0n)
        assert.equal(integer(selectedSum(scalarWeights(weights.map(scalar)), bits)), mod(expected))
      },
    )
    fc.assert(property, { numRuns: 200 })
    const many = scalarWeights(Array.from({ length: 416 }, () => scalar(ORDER - 1n)))
    const all = selectedSum(many, new Uint8Array(52).fill(255))
    assert.equal(integer(all), mod(416n * (ORDER - 1n)))
  })

  it("combinations of triples, with and without a subtrahend", () => {
    const row = fc.tuple(value, value, value)
    const property = fc.property(
      fc.array(row, { minLength: 1, maxLength: 16 }),
      fc.tuple(reduced, reduced),
      fc.option(fc.tuple(reduced, fc.uint8Array({ minLength: 2, maxLength: 2 }))),
      (rows, [f, g], subtrahend) => {
        const results = new Uint32Array(8 * rows.length)
        const taken =
          subtrahend === null ? null : { value: words([subtrahend[0]]), bits: subtrahend[1] }
        const factors = [factorOfScalar(scalar(f)), factorOfScalar(scalar(g))] as const
        combineTriples(words(rows.flat()), factors, taken, results)
        const expected = rows.map(([x, y, z], j) => {
          const less = subtrahend === null ? 0n : bit(subtrahend[1], j) * subtrahend[0]
          return mod(f * x + g * y + z - less)
        })
        assert.deepEqual(integers(results), expected)
      },
    )
    fc.assert(property, { numRuns: 300 })
  })
})

describe("values at rest", () => {
  const bytesOf = (values: readonly bigint[]) => new Uint8Array(words(values).buffer)

  it("are read from little-endian bytes wherever those lie", () => {
    const property = fc.property(
      fc.array(reduced, { maxLength: 8 }),
      fc.nat(3),
      (values, shift) => {
        const shifted = new Uint8Array(shift + 32 * values.length)
        shifted.set(bytesOf(values), shift)
        const read = readCanonical(shifted.subarray(shift))
        assert.ok(read !== null)
        assert.deepEqual(integers(read), values)
      },
    )
    fc.assert(property)
  })

  it("are refused when one of them is not below q", () => {
    assert.ok(readCanonical(bytesOf([ORDER - 1n, 0n])) !== null)
    // Above q in one word and below it in a higher one is still below.
    const lower = ORDER - (1n << 224n) + (1n << 100n)
    assert.ok(readCanonical(bytesOf([lower, lower])) !== null)
    for (const bad of [ORDER, ORDER + 1n, ORDER + (1n << 128n), LIMIT - 1n]) {
      assert.equal(readCanonical(bytesOf([bad])), null)
      assert.equal(readCanonical(bytesOf([1n, bad])), null)
      assert.equal(readCanonical(bytesOf([bad, 1n])), null)
    }
  })

  it("turn from a scalar's big-endian bytes", () => {
    const property = fc.property(reduced, (n) => {
      assert.deepEqual(integers(wordsOfScalar(scalar(n))), [n])
    })
    fc.assert(property)
  })
})
