import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { concat, fromHex, toHex } from "@lockkeeper/encoding"
import { symmetric as browser } from "../src/backends/symmetric-browser.ts"
import { symmetric as node } from "../src/backends/symmetric-node.ts"
import {
  aes256Gcm,
  hkdfSha256Expand,
  hkdfSha256Extract,
  hmacSha256,
  verifySignature,
} from "../src/index.ts"
import { verifyStrictly } from "../src/signature.ts"
import { readVectors, type Wycheproof } from "./vectors.ts"

const backends = [node, browser]

describe("Wycheproof Ed25519", () => {
  const file = readVectors<Wycheproof<{ publicKey: { pk: string } }, { msg: string; sig: string }>>(
    "wycheproof/ed25519_test.json",
  )
  for (const backend of backends) {
    it(`has 151 cases, all as expected on ${backend.name}`, () => {
      let [valid, invalid] = [0, 0]
      for (const { publicKey, tests } of file.testGroups) {
        for (const { tcId, comment, msg, sig, result } of tests) {
          const accepted = verifyStrictly(
            backend,
            fromHex(publicKey.pk),
            fromHex(msg),
            fromHex(sig),
          )
          assert.equal(accepted, result === "valid", `${tcId} ${comment}`)
          if (accepted) valid++
          else invalid++
        }
      }
      assert.deepEqual({ valid, invalid }, { valid: 88, invalid: 63 })
      assert.equal(file.numberOfTests, 151)
    })
  }

  it("is verified by the exported function in the same way", () => {
    const [group] = file.testGroups
    const [first] = group?.tests ?? []
    assert.ok(group && first?.result === "valid")
    const [key, message, signature] = [group.publicKey.pk, first.msg, first.sig].map(fromHex)
    assert.ok(key && message && signature)
    assert.equal(verifySignature(key, message, signature), true)
  })
})

interface GcmCase {
  readonly key: string
  readonly iv: string
  readonly aad: string
  readonly msg: string
  readonly ct: string
  readonly tag: string
}

describe("Wycheproof AES-GCM", () => {
  const file = readVectors<
    Wycheproof<{ keySize: number; ivSize: number; tagSize: number }, GcmCase>
  >("wycheproof/aes_gcm_test.json")
  // noble refuses nonces below eight bytes, OpenSSL above 128; Lock Keeper uses 96 bits only. Such
  // valid cases must then be refused with an error, and are counted.
  for (const { backend, counts: expected, refuses } of [
    {
      backend: node,
      counts: { ran: 313, refused: 3 },
      refuses: (ivSize: number) => ivSize > 1024,
    },
    {
      backend: browser,
      counts: { ran: 292, refused: 24 },
      refuses: (ivSize: number) => ivSize > 0 && ivSize < 64,
    },
  ]) {
    it(`has 316 cases, all as expected on ${backend.name} but for unusable nonce lengths`, () => {
      const counts = { ran: 0, refused: 0 }
      for (const { ivSize, tagSize, tests } of file.testGroups) {
        assert.equal(tagSize, 128)
        for (const test of tests) {
          const [key, iv, aad] = [test.key, test.iv, test.aad].map(fromHex)
          const sealed = concat(fromHex(test.ct), fromHex(test.tag))
          assert.ok(key && iv && aad)
          const name = `${test.tcId} ${test.comment}`
          if (refuses(ivSize)) {
            assert.throws(() => backend.aesGcmSeal(key, iv, aad, fromHex(test.msg)), Error, name)
            counts.refused++
            continue
          }
          counts.ran++
          const opened = attempt(() => backend.aesGcmOpen(key, iv, aad, sealed))
          const plaintext = test.result === "valid" ? test.msg : null
          assert.equal(opened && toHex(opened), plaintext, name)
          if (plaintext === null) continue
          assert.equal(
            toHex(backend.aesGcmSeal(key, iv, aad, fromHex(test.msg))),
            toHex(sealed),
            name,
          )
        }
      }
      assert.deepEqual(counts, expected)
    })
  }

  it("has 66 cases for the exported AEAD, 256-bit keys and 96-bit nonces, all as expected", () => {
    let ran = 0
    for (const { keySize, ivSize, tests } of file.testGroups) {
      for (const test of tests) {
        const [key, iv, aad] = [test.key, test.iv, test.aad].map(fromHex)
        const sealed = concat(fromHex(test.ct), fromHex(test.tag))
        assert.ok(key && iv && aad)
        if (keySize !== 256 || ivSize !== 96) {
          assert.throws(() => aes256Gcm.open(key, iv, aad, sealed), RangeError)
          continue
        }
        ran++
        const opened = aes256Gcm.open(key, iv, aad, sealed)
        assert.equal(opened && toHex(opened), test.result === "valid" ? test.msg : null)
      }
    }
    assert.equal(ran, 66)
  })
})

/** Null also where a library throws on a parameter that it refuses: an empty nonce. */
function attempt<T>(compute: () => T): T | null {
  try {
    return compute()
  } catch {
    return null
  }
}

describe("Wycheproof HKDF-SHA256", () => {
  it("has 86 cases, all as expected", () => {
    const file = readVectors<
      Wycheproof<object, { ikm: string; salt: string; info: string; size: number; okm: string }>
    >("wycheproof/hkdf_sha256_test.json")
    let [valid, invalid] = [0, 0]
    for (const { tests } of file.testGroups) {
      for (const { tcId, ikm, salt, info, size, okm, result } of tests) {
        const key = hkdfSha256Extract(fromHex(salt), fromHex(ikm))
        if (result === "valid") {
          assert.equal(toHex(hkdfSha256Expand(key, fromHex(info), size)), okm, String(tcId))
          valid++
        } else {
          assert.throws(() => hkdfSha256Expand(key, fromHex(info), size), RangeError, String(tcId))
          invalid++
        }
      }
    }
    assert.deepEqual({ valid, invalid }, { valid: 83, invalid: 3 })
  })
})

describe("Wycheproof HMAC-SHA256", () => {
  const file = readVectors<
    Wycheproof<{ tagSize: number }, { key: string; msg: string; tag: string }>
  >("wycheproof/hmac_sha256_test.json")
  for (const backend of backends) {
    it(`has 174 cases, truncated tags included, all as expected on ${backend.name}`, () => {
      let [valid, invalid] = [0, 0]
      for (const { tagSize, tests } of file.testGroups) {
        for (const { tcId, key, msg, tag, result } of tests) {
          const computed = backend.hmac("sha256", fromHex(key), [fromHex(msg)])
          const matches = toHex(computed.subarray(0, tagSize / 8)) === tag
          assert.equal(matches, result === "valid", String(tcId))
          if (matches) valid++
          else invalid++
        }
      }
      assert.deepEqual({ valid, invalid }, { valid: 66, invalid: 108 })
    })
  }

  it("is computed by the exported function over its parts", () => {
    const [group] = file.testGroups
    const [first] = group?.tests ?? []
    assert.ok(first)
    const message = fromHex(first.msg)
    const parts = [message.subarray(0, 1), message.subarray(1)]
    assert.equal(toHex(hmacSha256(fromHex(first.key), ...parts)), first.tag)
  })
})
