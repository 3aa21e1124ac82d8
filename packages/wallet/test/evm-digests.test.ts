import assert from "node:assert/strict"
import { test } from "node:test"
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
