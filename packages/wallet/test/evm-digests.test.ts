import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError } from "@lockkeeper/encoding"
import { evmMessageDigest, evmTransactionDigest } from "@lockkeeper/transactions"
import { hashMessage as hashWithEthers, Transaction } from "ethers"
import fc from "fast-check"
import {
  type Hex,
  hashMessage as hashWithViem,
  hexToBytes,
  keccak256,
  serializeTransaction,
  type TransactionSerializable,
  toHex,
} from "viem"
import { transactions } from "./evm-arbitraries.ts"

/** The unsigned bytes by viem; ethers must read them and have the same digest to sign. */
function unsigned(transaction: TransactionSerializable): { bytes: Uint8Array; digest: Hex } {
  const serialised = serializeTransaction(transaction)
  const digest = keccak256(serialised)
  assert.equal(Transaction.from(serialised).unsignedHash, digest)
  return { bytes: hexToBytes(serialised), digest }
}

for (const [name, ofType] of Object.entries(transactions)) {
  test(`random ${name} transactions of viem and ethers have the same digest here`, () => {
    fc.assert(
      fc.property(ofType as fc.Arbitrary<TransactionSerializable>, (transaction) => {
        const { bytes, digest } = unsigned(transaction)
        assert.equal(toHex(evmTransactionDigest(bytes)), digest)
      }),
      { numRuns: 200 },
    )
  })
}

test("random messages have the same EIP-191 digest in viem and ethers", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (message) => {
      const digest = toHex(evmMessageDigest(message))
      assert.equal(digest, hashWithViem({ raw: message }))
      assert.equal(digest, hashWithEthers(message))
    }),
  )
})

test("every changed byte is refused, or makes another transaction that ethers writes the same way", () => {
  for (const [name, ofType] of Object.entries(transactions)) {
    const [transaction] = fc.sample(ofType as fc.Arbitrary<TransactionSerializable>, {
      numRuns: 1,
      seed: 3,
    })
    const { bytes } = unsigned({ ...transaction, data: "0xa9059cbb" } as TransactionSerializable)
    const digests = new Set([toHex(evmTransactionDigest(bytes))])
    let [accepted, refused] = [0, 0]
    for (let at = 0; at < bytes.length; at++) {
      for (const change of [1, 2, 4, 8, 16, 32, 64, 128, 0x3f, 0x7f, 0x81, 0xff]) {
        const changed = Uint8Array.from(bytes)
        changed[at] = (changed[at] as number) ^ change
        try {
          digests.add(toHex(evmTransactionDigest(changed)))
          accepted += 1
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error))
          refused += 1
          continue
        }
        const hex = toHex(changed)
        assert.equal(Transaction.from(hex).unsignedSerialized, hex)
      }
    }
    assert.equal(digests.size, accepted + 1, name)
    assert.ok(refused > 50 && accepted > 100, `${name}: ${refused} refused, ${accepted} not`)
  }
})
