import assert from "node:assert/strict"
import { test } from "node:test"
import { evmTypedDataDigest } from "@lockkeeper/transactions"
import { TypedDataEncoder } from "ethers"
import fc from "fast-check"
import { getAddress, hashTypedData, toHex } from "viem"

const hex = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => toHex(bytes))

const types = {
  Leaf: [
    { name: "flag", type: "bool" },
    { name: "small", type: "uint8" },
    { name: "negative", type: "int16" },
    { name: "deep", type: "int256" },
    { name: "word", type: "bytes32" },
    { name: "four", type: "bytes4" },
  ],
  Branch: [
    { name: "leaves", type: "Leaf[]" },
    { name: "pair", type: "Leaf[2]" },
    { name: "matrix", type: "uint256[][2]" },
    { name: "text", type: "string" },
  ],
  Root: [
    { name: "branch", type: "Branch" },
    { name: "owner", type: "address" },
    { name: "amount", type: "uint256" },
    { name: "data", type: "bytes" },
    { name: "names", type: "string[]" },
    { name: "leaf", type: "Leaf" },
  ],
}

const domainFields = [
  { name: "name", type: "string" },
  { name: "version", type: "string" },
  { name: "chainId", type: "uint256" },
  { name: "verifyingContract", type: "address" },
  { name: "salt", type: "bytes32" },
]

const u256 = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n })
const text = fc.string({ unit: "grapheme", maxLength: 20 })
const address = hex(20).map((digits) => getAddress(digits))
const leaf = fc.record({
  flag: fc.boolean(),
  small: fc.integer({ min: 0, max: 255 }),
  negative: fc.integer({ min: -32768, max: 32767 }),
  deep: fc.bigInt({ min: -(1n << 255n), max: (1n << 255n) - 1n }),
  word: hex(32),
  four: hex(4),
})
const row = fc.array(u256, { maxLength: 3 })
const root = fc.record({
  branch: fc.record({
    leaves: fc.array(leaf, { maxLength: 3 }),
    pair: fc.tuple(leaf, leaf),
    matrix: fc.tuple(row, row),
    text,
  }),
  owner: address,
  amount: u256,
  data: fc.uint8Array({ maxLength: 80 }).map((bytes) => toHex(bytes)),
  names: fc.array(text, { maxLength: 3 }),
  leaf,
})
const domain = fc.record(
  {
    name: text,
    version: text,
    chainId: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
    verifyingContract: address,
    salt: hex(32),
  },
  { requiredKeys: ["name"] },
)

/** Integers as text, as wallets are handed them. */
const json = (value: unknown) =>
  JSON.stringify(value, (_, item) => (typeof item === "bigint" ? item.toString() : item))

test("random typed data has the same EIP-712 digest in viem and ethers", () => {
  fc.assert(
    fc.property(domain, root, (domain, message) => {
      const present = domainFields.filter(({ name }) => name in domain)
      const typedData = json({
        types: { EIP712Domain: present, ...types },
        primaryType: "Root",
        domain,
        message,
      })
      const digest = toHex(evmTypedDataDigest(typedData))
      assert.equal(digest, TypedDataEncoder.hash(domain, types, message))
      assert.equal(digest, hashTypedData({ types, primaryType: "Root", domain, message } as never))
    }),
    { numRuns: 200 },
  )
})
