import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { type Element, secp256k1, sha256 } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError, fromHex, toHex } from "@lockkeeper/encoding"
import { decodeDer, encodeDer } from "../src/ecdsa/der.ts"
import { type EcdsaSignature, isLowS } from "../src/ecdsa/signature.ts"
import { recoverKey, verifyEcdsa } from "../src/ecdsa/verify.ts"

interface Wycheproof {
  readonly numberOfTests: number
  readonly testGroups: readonly {
    readonly publicKey: { readonly uncompressed: string }
    readonly tests: readonly {
      readonly tcId: number
      readonly comment: string
      readonly flags: readonly string[]
      readonly msg: string
      readonly sig: string
      readonly result: "valid" | "invalid" | "acceptable"
    }[]
  }[]
}

const file = new URL(
  "../../../vectors/wycheproof/ecdsa_secp256k1_sha256_test.json",
  import.meta.url,
)
const vectors = JSON.parse(readFileSync(file, "utf8")) as Wycheproof

/** 04 || x || y as the element it stands for. */
function compressed(uncompressed: string): Element {
  const bytes = fromHex(uncompressed)
  assert.equal(bytes.length, 65)
  const parity = (bytes[64] as number) & 1
  return secp256k1.decodeElement(concat(Uint8Array.of(2 + parity), bytes.slice(1, 33)))
}

function decodeOrNull(der: Bytes): EcdsaSignature | null {
  try {
    return decodeDer(der)
  } catch (error) {
    assert.ok(error instanceof DecodeError)
    return null
  }
}

test("every Wycheproof case of ECDSA over secp256k1 verifies or fails as it says", () => {
  const results = { valid: 0, invalid: 0, acceptable: 0 }
  const seen = { malformed: 0, wellFormed: 0, highS: 0, recovered: 0 }
  for (const { publicKey, tests } of vectors.testGroups) {
    const key = compressed(publicKey.uncompressed)
    for (const { tcId, comment, msg, sig, result } of tests) {
      const digest = sha256(fromHex(msg))
      const signature = decodeOrNull(fromHex(sig))
      const accepted = signature !== null && verifyEcdsa(key, digest, signature)
      assert.equal(accepted, result === "valid", `${tcId} ${comment}`)
      results[result]++
      if (signature === null) {
        seen.malformed++
        continue
      }
      seen.wellFormed++
      assert.equal(toHex(encodeDer(signature)), sig, `${tcId} has one encoding`)
      if (!isLowS(signature)) seen.highS++
      // The key is among those that the signature fits exactly when it verifies.
      const keys = [0, 1, 2, 3].map((recovery) => recoverKey(digest, { ...signature, recovery }))
      const fits = keys.some((found) => found !== null && secp256k1.equal(found, key))
      assert.equal(fits, accepted, `${tcId} ${comment}`)
      if (fits) seen.recovered++
    }
  }
  assert.deepEqual(results, { valid: 168, invalid: 308, acceptable: 0 })
  assert.equal(vectors.numberOfTests, 476)
  assert.deepEqual(seen, { malformed: 286, wellFormed: 190, highS: 80, recovered: 168 })
})
