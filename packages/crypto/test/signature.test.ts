import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { inspect } from "node:util"
import { type Bytes, concat, fromHex, utf8 } from "@lockkeeper/encoding"
import { ed25519 } from "@noble/curves/ed25519.js"
import fc from "fast-check"
import { symmetric as browser } from "../src/backends/symmetric-browser.ts"
import { symmetric as node } from "../src/backends/symmetric-node.ts"
import { edwards25519, Secret, sha512, signingKeyFromSeed, verifySignature } from "../src/index.ts"
import { verifyStrictly } from "../src/signature.ts"
import { torsionGenerator } from "./noble-groups.ts"

const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })
const message = utf8("message")
const key = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(1)))
const signature = key.sign(message)

// The lenient rules, by which these forgeries are valid.
const ZIP215 = { zip215: true }

const flip = (bytes: Bytes, at: number): Bytes =>
  new Uint8Array(bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)))

/** On every backend, which must agree. */
function verifies(publicKey: Uint8Array, signed: Uint8Array, by: Uint8Array): boolean {
  const answers = [node, browser].map((backend) => verifyStrictly(backend, publicKey, signed, by))
  assert.equal(answers[0], answers[1])
  assert.equal(verifySignature(publicKey, signed, by), answers[0])
  return answers[0] === true
}

describe("identity signatures", () => {
  it("are Ed25519, the same on both platforms and in noble", () => {
    const property = fc.property(seed, fc.uint8Array({ maxLength: 200 }), (s, m) => {
      const [ours, theirs] = [node.ed25519Signer(s), browser.ed25519Signer(s)]
      assert.deepEqual(ours.publicKey, theirs.publicKey)
      assert.deepEqual(ours.publicKey, ed25519.getPublicKey(s))
      assert.deepEqual(ours.sign(m), theirs.sign(m))
      assert.deepEqual(ours.sign(m), ed25519.sign(m, s))
      assert.equal(verifies(ours.publicKey, m, ours.sign(m)), true)
    })
    fc.assert(property, { numRuns: 10 })
  })

  it("verify for this key, message and signature only", () => {
    assert.equal(verifies(key.publicKey, message, signature), true)
    const other = signingKeyFromSeed(new Secret(new Uint8Array(32).fill(2)))
    assert.equal(verifies(other.publicKey, message, signature), false)
    assert.equal(verifies(key.publicKey, utf8("massage"), signature), false)
    for (let at = 0; at < 64; at++) {
      assert.equal(verifies(key.publicKey, message, flip(signature, at)), false, `byte ${at}`)
    }
  })

  it("have one length, and so have keys", () => {
    assert.equal(verifies(key.publicKey, message, signature.subarray(1)), false)
    assert.equal(verifies(key.publicKey, message, concat(signature, Uint8Array.of(0))), false)
    assert.equal(verifies(key.publicKey.subarray(1), message, signature), false)
    assert.equal(verifies(new Uint8Array(0), message, signature), false)
  })

  it("fail with S raised by the order, which would be a second signature", () => {
    const s = edwards25519.scalarToInteger(edwards25519.decodeScalar(signature.subarray(32)))
    const raised = (s + edwards25519.order).toString(16).padStart(64, "0")
    const malleable = concat(signature.subarray(0, 32), fromHex(raised).reverse())
    const lenient = { ...node, ed25519Verify: () => true }
    assert.equal(verifyStrictly(lenient, key.publicKey, message, malleable), false)
    assert.equal(verifies(key.publicKey, message, malleable), false)
  })

  const encodedIdentities = {
    "of order one": "01".padEnd(64, "0"),
    "of order one, y not reduced": "ee".padEnd(62, "f").concat("7f"),
    "of order one, a sign on x = 0": "01".padEnd(62, "0").concat("80"),
  }
  for (const [name, hex] of Object.entries(encodedIdentities)) {
    it(`fail for keys ${name}, under which R = S * B fits every message`, () => {
      const s = edwards25519.scalarFromInteger(1234)
      const forged = concat(edwards25519.multiplyBase(s), s)
      assert.equal(ed25519.verify(forged, message, fromHex(hex), ZIP215), true)
      assert.equal(verifies(fromHex(hex), message, forged), false)
    })
  }

  it("fail for R of small order, though the signer made S for it", () => {
    const secret = edwards25519.scalarFromInteger(77)
    const publicKey = edwards25519.multiplyBase(secret)
    const R = edwards25519.identity
    // S = h * a with h = SHA-512(R || A || M), for r = 0.
    const h = edwards25519.scalarFromUniform(sha512(R, publicKey, message))
    const made = concat(R, edwards25519.multiplyScalars(h, secret))
    assert.equal(ed25519.verify(made, message, publicKey, ZIP215), true)
    assert.equal(verifies(publicKey, message, made), false)
  })

  it("fail before any library is asked, when malformed", () => {
    const lenient = { ...node, ed25519Verify: () => true }
    const accepts = (by: Uint8Array, publicKey: Uint8Array = key.publicKey) =>
      verifyStrictly(lenient, publicKey, message, by)
    assert.equal(accepts(signature), true)
    const [R, S] = [signature.subarray(0, 32), signature.subarray(32)]
    const torsion = ed25519.Point.fromBytes(torsionGenerator)
    for (let k = 1n; k <= 8n; k++) {
      const small = (k === 8n ? ed25519.Point.ZERO : torsion.multiply(k)).toBytes()
      assert.equal(accepts(signature, small), false, `key of small order ${k}`)
      assert.equal(accepts(concat(small, S)), false, `R of small order ${k}`)
    }
    for (const y of ["ed", "ee", "f0", "ff"]) {
      for (const top of ["7f", "ff"]) {
        const unreduced = fromHex(y.padEnd(62, "f").concat(top))
        assert.equal(accepts(signature, unreduced), false)
        assert.equal(accepts(concat(unreduced, S)), false)
      }
    }
    assert.equal(accepts(concat(R, new Uint8Array(32).fill(255))), false)
  })

  it("come from 32-byte seeds, which no printing of the key shows", () => {
    for (const length of [0, 31, 33]) {
      const make = () => signingKeyFromSeed(new Secret(new Uint8Array(length)))
      assert.throws(make, { name: "RangeError", message: "signing seed is not 32 bytes" })
    }
    const canary = new TextEncoder().encode("0123456789abcdef0123456789abcdef")
    for (const signer of [node, browser].map((backend) => backend.ed25519Signer(canary))) {
      const printed = inspect(signer, { depth: 9, showHidden: true }) + JSON.stringify(signer)
      assert.equal(printed.includes("48, 49, 50"), false)
      assert.equal(printed.includes("0123456789"), false)
    }
  })

  it("survive wiping the seed that the key was made of", () => {
    const secret = new Secret(new Uint8Array(32).fill(1))
    const kept = signingKeyFromSeed(secret)
    secret.wipe()
    assert.deepEqual(kept.sign(message), signature)
  })
})
