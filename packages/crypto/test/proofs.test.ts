import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Bytes, concat, decode, encode, utf8 } from "@lockkeeper/encoding"
import fc from "fast-check"
import {
  type DleqStatement,
  dleqProofCodec,
  dleqProve,
  dleqVerify,
  type Element,
  edwards25519,
  type Group,
  type PossessionStatement,
  possessionProofCodec,
  provePossession,
  ristretto255,
  type Scalar,
  secp256k1,
  sha512,
  verifyPossession,
} from "../src/index.ts"

const bytes = (length: number): fc.Arbitrary<Bytes> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => new Uint8Array(array))

const scalarOf = (group: Group, seed: string) => group.scalarFromUniform(sha512(utf8(seed)))

function dleqCase(group: Group, secretSeed = "secret") {
  const secret = scalarOf(group, secretSeed)
  const base2 = group.multiplyBase(scalarOf(group, "base2"))
  const statement: DleqStatement = {
    label: "test/dleq",
    context: utf8("session 1, sender 2"),
    base: group.generator,
    public: group.multiplyBase(secret),
    base2,
    public2: group.multiply(base2, secret),
  }
  return { secret, statement }
}

for (const group of [edwards25519, ristretto255, secp256k1]) {
  const flip = (scalar: Scalar) => group.addScalars(scalar, group.one)
  const shift = (element: Element) => group.add(element, group.generator)

  describe(`a DLEQ proof over ${group.name}`, () => {
    it("verifies for true statements, whatever the randomness", () => {
      const property = fc.property(bytes(64), bytes(32), (seed, randomness) => {
        const { statement, secret } = dleqCase(group, String(seed))
        const proof = dleqProve(group, { ...statement, secret, randomness })
        assert.equal(dleqVerify(group, statement, proof), true)
        const codec = dleqProofCodec(group)
        assert.deepEqual(decode(codec, encode(codec, proof)), proof)
      })
      fc.assert(property, { numRuns: 8 })
    })

    const { secret, statement } = dleqCase(group)
    const randomness = new Uint8Array(32).fill(7)
    const proof = dleqProve(group, { ...statement, secret, randomness })

    const changes: Record<string, Partial<DleqStatement>> = {
      label: { label: "test/dlep" },
      context: { context: utf8("session 1, sender 3") },
      base: { base: shift(statement.base) },
      public: { public: shift(statement.public) },
      base2: { base2: shift(statement.base2) },
      public2: { public2: shift(statement.public2) },
      "label and context boundary": { label: "test/dle", context: utf8("psession 1, sender 2") },
    }
    for (const [field, change] of Object.entries(changes)) {
      it(`fails with another ${field}`, () => {
        assert.equal(dleqVerify(group, { ...statement, ...change }, proof), false)
      })
    }

    for (const field of ["challenge", "response"] as const) {
      it(`fails with another ${field}`, () => {
        const changed = { ...proof, [field]: flip(proof[field]) }
        assert.equal(dleqVerify(group, statement, changed), false)
        assert.equal(dleqVerify(group, statement, { ...proof, [field]: group.zero }), false)
      })
    }

    it("fails for unequal logarithms, even when made with either of them", () => {
      const other = scalarOf(group, "other")
      const lie = { ...statement, public2: group.multiply(statement.base2, other) }
      for (const witness of [secret, other]) {
        const forged = dleqProve(group, { ...lie, secret: witness, randomness })
        assert.equal(dleqVerify(group, lie, forged), false)
      }
    })

    for (const field of ["base", "public", "base2", "public2"] as const) {
      it(`fails when ${field} is the identity`, () => {
        const trivial = { ...statement, [field]: group.identity }
        const forged = dleqProve(group, { ...trivial, secret: group.zero, randomness })
        assert.equal(dleqVerify(group, trivial, forged), false)
      })
    }

    it("fails for the identity on both sides, where every logarithm is equal", () => {
      const trivial = { ...statement, public: group.identity, public2: group.identity }
      const forged = dleqProve(group, { ...trivial, secret: group.zero, randomness })
      assert.equal(dleqVerify(group, trivial, forged), false)
    })

    it("has a nonce that depends on secret, statement and randomness", () => {
      const again = dleqProve(group, { ...statement, secret, randomness })
      assert.deepEqual(again, proof)
      const fresh = dleqProve(group, { ...statement, secret, randomness: new Uint8Array(32) })
      assert.notDeepEqual(fresh, proof)
      // With one nonce for two contexts, (z - z') / (c - c') would be the secret.
      const second = dleqProve(group, { ...statement, context: utf8("2"), secret, randomness })
      assert.notDeepEqual(recover(group, proof, second), secret)
    })

    it("hashes the whole statement into challenge and nonce, the secret into the nonce", () => {
      const open = [
        prefixed(utf8(group.name)),
        prefixed(utf8(statement.label)),
        prefixed(statement.context),
        statement.base,
        statement.public,
        statement.base2,
        statement.public2,
      ]
      const commitment = (base: Element, image: Element) =>
        group.subtract(group.multiply(base, proof.response), group.multiply(image, proof.challenge))
      const challenge = scalarFrom(group, "lockkeeper/dleq/challenge", [
        ...open,
        commitment(statement.base, statement.public),
        commitment(statement.base2, statement.public2),
      ])
      assert.deepEqual(proof.challenge, challenge)
      const inputs = [secret, randomness, ...open, group.identity, group.identity]
      const nonce = scalarFrom(group, "lockkeeper/dleq/nonce", inputs)
      assert.deepEqual(proof.response, respond(group, nonce, challenge, secret))
    })

    it("takes exactly 32 bytes of randomness", () => {
      for (const length of [0, 31, 33]) {
        const prove = () =>
          dleqProve(group, { ...statement, secret, randomness: new Uint8Array(length) })
        assert.throws(prove, { name: "RangeError", message: "randomness is not 32 bytes" })
      }
    })
  })

  describe(`a proof of possession over ${group.name}`, () => {
    const secret = scalarOf(group, "possessed")
    const randomness = new Uint8Array(32).fill(9)
    const statement: PossessionStatement = {
      label: "test/possession",
      context: utf8("session 1, sender 2"),
      public: group.multiplyBase(secret),
    }
    const proof = provePossession(group, { ...statement, secret, randomness })

    it("verifies for its statement", () => {
      assert.equal(verifyPossession(group, statement, proof), true)
      const codec = possessionProofCodec(group)
      assert.deepEqual(decode(codec, encode(codec, proof)), proof)
    })

    const changes: Record<string, Partial<PossessionStatement>> = {
      label: { label: "test/posession" },
      "session or sender": { context: utf8("session 1, sender 3") },
      "public element": { public: shift(statement.public) },
    }
    for (const [field, change] of Object.entries(changes)) {
      it(`fails with another ${field}`, () => {
        assert.equal(verifyPossession(group, { ...statement, ...change }, proof), false)
      })
    }

    for (const field of ["challenge", "response"] as const) {
      it(`fails with another ${field}`, () => {
        const changed = { ...proof, [field]: flip(proof[field]) }
        assert.equal(verifyPossession(group, statement, changed), false)
      })
    }

    it("hashes the whole statement into challenge and nonce, the secret into the nonce", () => {
      const open = [
        prefixed(utf8(group.name)),
        prefixed(utf8(statement.label)),
        prefixed(statement.context),
        statement.public,
      ]
      const commitment = group.subtract(
        group.multiplyBase(proof.response),
        group.multiply(statement.public, proof.challenge),
      )
      const challenge = scalarFrom(group, "lockkeeper/possession/challenge", [...open, commitment])
      assert.deepEqual(proof.challenge, challenge)
      const inputs = [secret, randomness, ...open, group.identity]
      const nonce = scalarFrom(group, "lockkeeper/possession/nonce", inputs)
      assert.deepEqual(proof.response, respond(group, nonce, challenge, secret))
    })

    it("fails without the secret and for the identity", () => {
      const forged = provePossession(group, { ...statement, secret: flip(secret), randomness })
      assert.equal(verifyPossession(group, statement, forged), false)
      const trivial = { ...statement, public: group.identity }
      const empty = provePossession(group, { ...trivial, secret: group.zero, randomness })
      assert.equal(verifyPossession(group, trivial, empty), false)
    })

    it("has a nonce of its own for every context, and takes 32 bytes of randomness", () => {
      const second = provePossession(group, {
        ...statement,
        context: utf8("2"),
        secret,
        randomness,
      })
      assert.notDeepEqual(recover(group, proof, second), secret)
      assert.throws(
        () => provePossession(group, { ...statement, secret, randomness: new Uint8Array(16) }),
        { name: "RangeError", message: "randomness is not 32 bytes" },
      )
    })
  })
}

it("a DLEQ proof over one group does not verify over another of the same encoding length", () => {
  const { secret, statement } = dleqCase(ristretto255)
  const proof = dleqProve(ristretto255, { ...statement, secret, randomness: new Uint8Array(32) })
  const { statement: elsewhere } = dleqCase(edwards25519)
  assert.equal(dleqVerify(edwards25519, elsewhere, proof), false)
})

interface Proof {
  readonly challenge: Scalar
  readonly response: Scalar
}

/** What two proofs with one nonce would give away. */
function recover(group: Group, a: Proof, b: Proof): Scalar {
  const numerator = group.subtractScalars(a.response, b.response)
  const denominator = group.subtractScalars(a.challenge, b.challenge)
  return group.multiplyScalars(numerator, group.invertScalar(denominator))
}

/** The bytes behind their u32 length, as the codec writes variable fields. */
function prefixed(field: Uint8Array): Bytes {
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, field.length)
  return concat(length, field)
}

/** What `hashValueToScalar` must give over these fields, written out. */
function scalarFrom(group: Group, label: string, fields: readonly Uint8Array[]): Scalar {
  return group.scalarFromUniform(sha512(prefixed(utf8(label)), ...fields))
}

/** z = r + c * s */
function respond(group: Group, nonce: Scalar, challenge: Scalar, secret: Scalar): Scalar {
  return group.addScalars(nonce, group.multiplyScalars(challenge, secret))
}
