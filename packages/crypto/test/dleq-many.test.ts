import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Bytes, concat, decode, encode, u32, utf8 } from "@lockkeeper/encoding"
import fc from "fast-check"
import {
  DLEQ_PAIRS_MAX,
  type DleqManyStatement,
  type DleqPair,
  dleqProofCodec,
  dleqProve,
  dleqProveMany,
  dleqVerify,
  dleqVerifyMany,
  edwards25519,
  type Group,
  ristretto255,
  type Scalar,
  secp256k1,
  sha512,
} from "../src/index.ts"

const bytes = (length: number): fc.Arbitrary<Bytes> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => new Uint8Array(array))

const scalarOf = (group: Group, seed: string) => group.scalarFromUniform(sha512(utf8(seed)))

/** Pairs over the generator and further bases, all with one secret. */
function caseOf(group: Group, count: number, seed = "secret") {
  const secret = scalarOf(group, seed)
  const pairs = Array.from({ length: count }, (_, i): DleqPair => {
    const base = i === 0 ? group.generator : group.multiplyBase(scalarOf(group, `${seed}/${i}`))
    return { base, public: group.multiply(base, secret) }
  })
  const statement: DleqManyStatement = {
    label: "test/dleq-many",
    context: utf8("session 1, sender 2"),
    pairs,
  }
  return { secret, statement }
}

const prefixed = (part: Bytes) => concat(encode(u32, part.length), part)

for (const group of [edwards25519, ristretto255, secp256k1]) {
  describe(`a DLEQ proof over many pairs of ${group.name}`, () => {
    it("verifies for true statements of every size, and is as long for each", () => {
      const size = fc.integer({ min: 2, max: DLEQ_PAIRS_MAX })
      const property = fc.property(size, bytes(8), bytes(32), (count, seed, randomness) => {
        const { statement, secret } = caseOf(group, count, String(seed))
        const proof = dleqProveMany(group, { ...statement, secret, randomness })
        assert.equal(dleqVerifyMany(group, statement, proof), true)
        const codec = dleqProofCodec(group)
        assert.deepEqual(decode(codec, encode(codec, proof)), proof)
      })
      fc.assert(property, { numRuns: 8 })
    })

    const { secret, statement } = caseOf(group, 3)
    const randomness = new Uint8Array(32).fill(7)
    const proof = dleqProveMany(group, { ...statement, secret, randomness })
    const fails = (change: Partial<DleqManyStatement>) =>
      assert.equal(dleqVerifyMany(group, { ...statement, ...change }, proof), false)
    const withPair = (i: number, change: Partial<DleqPair>) =>
      statement.pairs.map((pair, at) => (at === i ? { ...pair, ...change } : pair))

    it("fails with another label or context", () => {
      fails({ label: "test/dleq-mani" })
      fails({ context: utf8("session 1, sender 3") })
      fails({ label: "test/dleq-man", context: utf8("ysession 1, sender 2") })
    })

    for (const i of [0, 1, 2]) {
      for (const field of ["base", "public"] as const) {
        it(`fails with another ${field} in pair ${i}, and with the identity`, () => {
          const element = statement.pairs[i]?.[field] ?? group.identity
          fails({ pairs: withPair(i, { [field]: group.add(element, group.generator) }) })
          const trivial = { ...statement, pairs: withPair(i, { [field]: group.identity }) }
          const forged = dleqProveMany(group, { ...trivial, secret: group.zero, randomness })
          assert.equal(dleqVerifyMany(group, trivial, forged), false)
        })
      }

      it(`fails when the logarithm of pair ${i} is another, whichever secret is used`, () => {
        const other = scalarOf(group, "other")
        const base = statement.pairs[i]?.base ?? group.identity
        const pairs = withPair(i, { public: group.multiply(base, other) })
        for (const witness of [secret, other]) {
          const lie = { ...statement, pairs }
          const forged = dleqProveMany(group, { ...lie, secret: witness, randomness })
          assert.equal(dleqVerifyMany(group, lie, forged), false)
        }
      })
    }

    it("fails for fewer, more, repeated or reordered pairs", () => {
      const [first, second, third] = statement.pairs as [DleqPair, DleqPair, DleqPair]
      fails({ pairs: [first, second] })
      fails({ pairs: [first, second, third, third] })
      fails({ pairs: [second, first, third] })
      fails({ pairs: [first, third, second] })
    })

    for (const field of ["challenge", "response"] as const) {
      it(`fails with another ${field}`, () => {
        for (const changed of [group.addScalars(proof[field], group.one), group.zero]) {
          const forged = { ...proof, [field]: changed as Scalar }
          assert.equal(dleqVerifyMany(group, statement, forged), false)
        }
      })
    }

    it("is no proof of the two-pair kind, nor the other way round", () => {
      const two = caseOf(group, 2)
      const [first, second] = two.statement.pairs as [DleqPair, DleqPair]
      const { label, context } = two.statement
      const pairs = { base: first.base, public: first.public }
      const classic = { label, context, ...pairs, base2: second.base, public2: second.public }
      const ours = dleqProveMany(group, { ...two.statement, secret: two.secret, randomness })
      const theirs = dleqProve(group, { ...classic, secret: two.secret, randomness })
      assert.equal(dleqVerify(group, classic, theirs), true)
      assert.equal(dleqVerify(group, classic, ours), false)
      assert.equal(dleqVerifyMany(group, two.statement, theirs), false)
    })

    it("hashes the whole statement into challenge and nonce, the secret into the nonce", () => {
      const open = [
        prefixed(utf8(group.name)),
        prefixed(utf8(statement.label)),
        prefixed(statement.context),
        encode(u32, 3),
        ...statement.pairs.flatMap((pair) => [pair.base, pair.public]),
      ]
      const scalarFrom = (label: string, parts: readonly Bytes[]) =>
        group.scalarFromUniform(sha512(prefixed(utf8(label)), ...parts))
      const commitments = statement.pairs.map((pair) =>
        group.subtract(
          group.multiply(pair.base, proof.response),
          group.multiply(pair.public, proof.challenge),
        ),
      )
      const challenge = scalarFrom("lockkeeper/dleq-many/challenge", [...open, ...commitments])
      assert.deepEqual(proof.challenge, challenge)
      const unset = statement.pairs.map(() => group.identity)
      const nonce = scalarFrom("lockkeeper/dleq-many/nonce", [
        ...[secret, randomness],
        ...open,
        ...unset,
      ])
      const response = group.addScalars(nonce, group.multiplyScalars(challenge, secret))
      assert.deepEqual(proof.response, response)
    })

    it("takes 2 to 16 pairs and exactly 32 bytes of randomness", () => {
      for (const count of [0, 1, DLEQ_PAIRS_MAX + 1]) {
        const { statement: wrong, secret: witness } = caseOf(group, count)
        const expected = { name: "RangeError", message: `a statement of ${count} pairs` }
        const prove = () => dleqProveMany(group, { ...wrong, secret: witness, randomness })
        assert.throws(prove, expected)
        assert.throws(() => dleqVerifyMany(group, wrong, proof), expected)
      }
      for (const length of [0, 31, 33]) {
        const prove = () =>
          dleqProveMany(group, { ...statement, secret, randomness: new Uint8Array(length) })
        assert.throws(prove, { name: "RangeError", message: "randomness is not 32 bytes" })
      }
    })
  })
}
