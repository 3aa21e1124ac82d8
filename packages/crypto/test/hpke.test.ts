import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type Bytes, fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import fc from "fast-check"
import { hpkeKeySchedule } from "../src/hpke-context.ts"
import {
  HpkeContext,
  hpkeOpen,
  hpkeReceiver,
  hpkeSeal,
  hpkeSender,
  xwingKeyPair,
} from "../src/index.ts"

const randomness = new Uint8Array(64).fill(8)
const alice = xwingKeyPair(new Uint8Array(32).fill(1))
const bob = xwingKeyPair(new Uint8Array(32).fill(2))
const [info, aad, plaintext] = [utf8("info"), utf8("aad"), utf8("hello")]

const flip = (bytes: Bytes, at: number): Bytes =>
  new Uint8Array(bytes.map((byte, i) => (i === at ? byte ^ 1 : byte)))

describe("the HPKE key schedule", () => {
  // RFC 9180 Appendix A.2.1 (DHKEM(X25519), HKDF-SHA256, ChaCha20Poly1305, base mode), from the
  // KEM's shared secret on: everything after it is independent of the KEM but for its identifier.
  const DHKEM_X25519 = 0x0020
  const schedule = () =>
    hpkeKeySchedule(
      DHKEM_X25519,
      fromHex("0bbe78490412b4bbea4812666f7916932b828bba79942424abb65244930d69a7"),
      utf8("Ode on a Grecian Urn"),
    )

  it("gives key and nonce of RFC 9180 Appendix A.2.1", () => {
    const { key, baseNonce } = schedule()
    assert.equal(toHex(key), "ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91")
    assert.equal(toHex(baseNonce), "5c4d98150661b848853b547f")
  })

  it("seals the RFC's five messages to the RFC's bytes, and opens them", () => {
    const expected = new Map([
      [
        0,
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28",
      ],
      [
        1,
        "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c",
      ],
      [
        2,
        "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02b4f10ecac6f48c32f878fae86b",
      ],
      [
        4,
        "63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122bb153495ff0b02e9e54a50dbe16",
      ],
      [
        255,
        "18ab939d63ddec9f6ac2b60d61d36a7375d2070c9b683861110757062c52b8880a5f6b3936da9cd6c23ef2a95c",
      ],
    ])
    const context = () => {
      const { key, baseNonce } = schedule()
      return new HpkeContext(key, baseNonce)
    }
    const [sender, receiver] = [context(), context()]
    const message = utf8("Beauty is truth, truth beauty")
    let ran = 0
    for (let sequence = 0; sequence < 256; sequence++) {
      const count = utf8(`Count-${sequence}`)
      const sealed = sender.seal(count, message)
      assert.deepEqual(receiver.open(count, sealed), message)
      const known = expected.get(sequence)
      if (known === undefined) continue
      assert.equal(toHex(sealed), known, String(sequence))
      ran++
    }
    assert.equal(ran, 5)
  })
})

describe("HPKE with X-Wing", () => {
  it("opens what was sealed to the key, under the same info and aad", () => {
    const bytes = fc.uint8Array({ maxLength: 100 })
    const property = fc.property(bytes, bytes, bytes, (i, a, p) => {
      const { encapsulated, ciphertext } = hpkeSeal(alice.publicKey, i, a, p, randomness)
      const opened = hpkeOpen(alice.secretKey, encapsulated, i, a, ciphertext)
      assert.deepEqual(opened, new Uint8Array(p))
    })
    fc.assert(property, { numRuns: 5 })
  })

  it("opens nothing when key, encapsulation, info, aad or ciphertext differ", () => {
    const { encapsulated, ciphertext } = hpkeSeal(alice.publicKey, info, aad, plaintext, randomness)
    const open = (change: Partial<Record<"key" | "enc" | "info" | "aad" | "ct", unknown>>) =>
      hpkeOpen(
        (change.key as typeof bob.secretKey) ?? alice.secretKey,
        (change.enc as Bytes) ?? encapsulated,
        (change.info as Bytes) ?? info,
        (change.aad as Bytes) ?? aad,
        (change.ct as Bytes) ?? ciphertext,
      )
    assert.deepEqual(open({}), plaintext)
    assert.equal(open({ key: bob.secretKey }), null)
    assert.equal(open({ enc: flip(encapsulated, 0) }), null)
    assert.equal(open({ enc: flip(encapsulated, 1100) }), null)
    assert.equal(open({ enc: encapsulated.subarray(1) }), null)
    assert.equal(open({ info: utf8("inf0") }), null)
    assert.equal(open({ aad: utf8("aae") }), null)
    assert.equal(open({ ct: flip(ciphertext, 0) }), null)
    assert.equal(open({ ct: flip(ciphertext, ciphertext.length - 1) }), null)
    assert.equal(open({ ct: ciphertext.subarray(0, 15) }), null)
  })

  it("carries many messages in order and in that order only", () => {
    const { encapsulated, context } = hpkeSender(alice.publicKey, info, randomness)
    const receiver = hpkeReceiver(alice.secretKey, encapsulated, info)
    assert.ok(receiver)
    const sealed = ["one", "two", "three"].map((word) => context.seal(aad, utf8(word)))
    const [one, two, three] = sealed as [Bytes, Bytes, Bytes]
    assert.equal(receiver.open(aad, two), null)
    assert.deepEqual(receiver.open(aad, one), utf8("one"))
    assert.equal(receiver.open(aad, one), null)
    assert.equal(receiver.open(aad, three), null)
    assert.deepEqual(receiver.open(aad, two), utf8("two"))
    assert.deepEqual(receiver.open(aad, three), utf8("three"))
  })

  it("never repeats a ciphertext for a repeated message", () => {
    const { context } = hpkeSender(alice.publicKey, info, randomness)
    const sealed = Array.from({ length: 20 }, () => toHex(context.seal(aad, plaintext)))
    assert.equal(new Set(sealed).size, 20)
  })

  it("seals nothing after it was wiped", () => {
    const { context } = hpkeSender(alice.publicKey, info, randomness)
    context.wipe()
    assert.throws(() => context.seal(aad, plaintext), { message: "HPKE message limit" })
    assert.throws(() => context.open(aad, plaintext), { message: "HPKE message limit" })
  })

  it("refuses to seal to a malformed key", () => {
    const seal = () => hpkeSeal(new Uint8Array(1216).fill(255), info, aad, plaintext, randomness)
    assert.throws(seal, { name: "RangeError", message: "invalid X-Wing public key" })
  })
})
