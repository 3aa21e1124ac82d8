import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { type Bytes, concat, DecodeError, fromHex, toHex } from "@lockkeeper/encoding"
import { evmMessageDigest, evmTransactionDigest } from "@lockkeeper/transactions"
import { RLP } from "micro-eth-signer/core/rlp.js"

type Item = string | bigint | Uint8Array | readonly Item[]

const ADDRESS = fromHex("35".repeat(20))
const HASH = fromHex("ab".repeat(32))
const BLOB = fromHex(`01${"cd".repeat(31)}`)

/** Fields of one valid transaction of each type, by name and in order. */
const valid = {
  legacy: {
    ...{ nonce: 9n, gasPrice: 20_000_000_000n, gasLimit: 21_000n, to: ADDRESS },
    ...{ value: 10n ** 18n, data: "", chainId: 1n, r: "", s: "" },
  },
  1: {
    ...{ chainId: 5n, nonce: 0n, gasPrice: 7n, gasLimit: 30_000n, to: ADDRESS, value: 1n },
    ...{ data: fromHex("a9059cbb"), accessList: [[ADDRESS, [HASH, HASH]]] },
  },
  2: {
    ...{ chainId: 1n, nonce: 300n, maxPriorityFeePerGas: 2n, maxFeePerGas: 9n, gasLimit: 90_000n },
    ...{ to: ADDRESS, value: 0n, data: fromHex("00ff"), accessList: [] },
  },
  3: {
    ...{ chainId: 1n, nonce: 1n, maxPriorityFeePerGas: 2n, maxFeePerGas: 2n, gasLimit: 90_000n },
    ...{ to: ADDRESS, value: 0n, data: "", accessList: [[ADDRESS, []]] },
    ...{ maxFeePerBlobGas: 1n, blobVersionedHashes: [BLOB] },
  },
} as const
type Type = keyof typeof valid
const TYPES = Object.keys(valid) as unknown as Type[]

function serialise(type: string | number, fields: readonly Item[]): Bytes {
  const list = new Uint8Array(RLP.encode(fields as never))
  return type === "legacy" ? list : concat(Uint8Array.of(Number(type)), list)
}

/** The valid transaction of a type with some fields changed. */
const withFields = (type: Type, change: Record<string, Item> = {}) =>
  serialise(type, Object.values({ ...valid[type], ...change }))

function refused(bytes: Uint8Array, what: RegExp, path = ""): void {
  assert.throws(
    () => evmTransactionDigest(bytes),
    (error) => {
      assert.ok(error instanceof DecodeError, String(error))
      assert.match(error.message, what)
      assert.equal(error.path, path)
      return true
    },
  )
}

test("EIP-155's example has the digest that the EIP states", () => {
  const signingData =
    "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
  assert.equal(toHex(withFields("legacy")), signingData)
  assert.equal(
    toHex(evmTransactionDigest(fromHex(signingData))),
    "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53",
  )
})

test("a message's digest is EIP-191's, and begins as no transaction does", () => {
  // The digest of "hello" by geth's accounts.TextHash.
  assert.equal(
    toHex(evmMessageDigest(new TextEncoder().encode("hello"))),
    "50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750",
  )
  refused(Uint8Array.of(0x19, 0x45), /no transaction of type/, "type")
})

test("transactions of every type that is signed are accepted, creations too", () => {
  for (const type of TYPES) assert.equal(evmTransactionDigest(withFields(type)).length, 32)
  for (const type of ["legacy", 1, 2] as const) {
    assert.equal(evmTransactionDigest(withFields(type, { to: "", data: HASH })).length, 32)
  }
})

test("other types, signed transactions and legacy ones without a chain are refused", () => {
  refused(new Uint8Array(0), /empty/)
  for (const type of [0, 4, 5, 0x7f, 0x80, 0xbf]) {
    refused(serialise(type, Object.values(valid[2])), /no transaction of type/, "type")
  }
  for (const type of [1, 2, 3] as const) {
    const fields = Object.values(valid[type])
    refused(serialise(type, [...fields, 1n, HASH, HASH]), /signed already/)
    refused(serialise(type, [...fields, "", "", ""]), /signed already/)
    refused(serialise(type, fields.slice(1)), /fields instead of/)
    refused(serialise(type, [...fields, ""]), /fields instead of/)
  }
  const legacy = Object.values(valid.legacy)
  refused(serialise("legacy", legacy.slice(0, 6)), /valid on every chain/, "chainId")
  refused(serialise("legacy", legacy.slice(0, 8)), /fields instead of/)
  refused(serialise("legacy", [...legacy, ""]), /fields instead of/)
  refused(withFields("legacy", { chainId: 37n, r: HASH, s: HASH }), /signed already/)
  refused(withFields("legacy", { r: HASH }), /signed already/)
  refused(withFields("legacy", { s: 1n }), /signed already/)
  refused(withFields("legacy", { s: [] }), /signed already/)
})

test("bytes where the list of fields should be are refused, as many as there are fields too", () => {
  for (const type of [1, 2, 3] as const) {
    const { length } = Object.values(valid[type])
    const bytes = new Uint8Array(RLP.encode(new Uint8Array(length).fill(1)))
    refused(concat(Uint8Array.of(type), bytes), /not a list/)
  }
})

test("an EIP-4844 transaction with its blobs beside it is refused", () => {
  const payload = Object.values(valid[3])
  refused(serialise(3, [payload, [HASH], [HASH], [HASH]]), /fields instead of/)
})

test("a field of another form is refused by its name", () => {
  for (const type of TYPES) {
    for (const [name, value] of Object.entries(valid[type])) {
      if (typeof value !== "bigint") continue
      refused(withFields(type, { [name]: fromHex("0001") }), /leading zeros/, name)
      refused(withFields(type, { [name]: fromHex("00") }), /leading zeros/, name)
      refused(withFields(type, { [name]: [] }), /a list instead of bytes/, name)
      refused(withFields(type, { [name]: fromHex("ff".repeat(33)) }), /too large/, name)
    }
    refused(withFields(type, { chainId: 0n }), /no chain/, "chainId")
    refused(withFields(type, { chainId: 1n << 64n }), /too large/, "chainId")
    refused(withFields(type, { nonce: 1n << 64n }), /too large/, "nonce")
    refused(withFields(type, { gasLimit: 1n << 64n }), /too large/, "gasLimit")
    refused(withFields(type, { data: [] }), /a list instead of bytes/, "data")
    for (const length of [1, 19, 21, 32]) {
      refused(withFields(type, { to: new Uint8Array(length) }), /not an address/, "to")
    }
  }
  refused(withFields(3, { to: "" }), /not an address/, "to")
  refused(withFields(2, { maxPriorityFeePerGas: 10n }), /more than/, "maxPriorityFeePerGas")
  // EIP-2681: the last nonce is 2^64 - 2. The limit is the library's to know.
  refused(withFields(2, { nonce: (1n << 64n) - 1n }), /protocol's limits/)
})

test("access lists and blob hashes of another form are refused by their place", () => {
  const list = (accessList: Item) => withFields(2, { accessList })
  refused(list(""), /not a list/, "accessList")
  refused(list([ADDRESS]), /not an address and/, "accessList.0")
  refused(list([[ADDRESS]]), /not an address and/, "accessList.0")
  refused(list([[ADDRESS, [], []]]), /not an address and/, "accessList.0")
  refused(
    list([
      [ADDRESS, []],
      [HASH, []],
    ]),
    /not an address/,
    "accessList.1.address",
  )
  refused(list([["", []]]), /not an address/, "accessList.0.address")
  refused(list([[ADDRESS, HASH]]), /not a list/, "accessList.0.storageKeys")
  refused(list([[ADDRESS, [HASH, ADDRESS]]]), /not 32 bytes/, "accessList.0.storageKeys.1")
  const blobs = (blobVersionedHashes: Item) => withFields(3, { blobVersionedHashes })
  refused(blobs([]), /no blob/, "blobVersionedHashes")
  refused(blobs(HASH), /not a list/, "blobVersionedHashes")
  refused(blobs([BLOB, HASH]), /unknown version/, "blobVersionedHashes")
  refused(blobs([ADDRESS]), /not 32 bytes/, "blobVersionedHashes.0")
})

test("a refusal says where in the bytes the field stands", () => {
  const bytes = withFields(2, { to: new Uint8Array(19).fill(0x77) })
  const at = bytes.indexOf(0x77)
  assert.throws(() => evmTransactionDigest(bytes), { offset: at, path: "to" })
  // Where the input is a view into a larger buffer, too.
  const view = concat(new Uint8Array(5), bytes).subarray(5)
  assert.throws(() => evmTransactionDigest(view), { offset: at, path: "to" })
})

test("trailing bytes, truncations and lengths that are not minimal are refused", () => {
  for (const type of TYPES) {
    const bytes = withFields(type)
    refused(concat(bytes, Uint8Array.of(0)), /RLP/)
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => evmTransactionDigest(bytes.subarray(0, length)), DecodeError)
    }
  }
  // The list's payload behind a longer length, and a byte behind a length of its own.
  const list = RLP.encode(Object.values(valid[2]) as never).subarray(1)
  refused(concat(Uint8Array.of(2, 0xf8, list.length), list), /RLP/)
  const nonce = toHex(withFields("legacy")).replace("ec09", "ed8109")
  refused(fromHex(nonce), /RLP/)
})

interface Vector {
  readonly in: unknown
  readonly out: string
}
const vectorsOf = (name: string): Vector[] => {
  const file = new URL(`../../../vectors/ethereum-rlp/${name}`, import.meta.url)
  return Object.values(JSON.parse(readFileSync(file, "utf8")))
}
const bytesOf = (hex: string) => fromHex(hex.replace(/^0x/, "").toLowerCase())

test("the RLP that transactions are read with passes Ethereum's vectors", () => {
  const input = (value: unknown): never =>
    (Array.isArray(value)
      ? value.map(input)
      : typeof value === "string" && value.startsWith("#")
        ? BigInt(value.slice(1))
        : value) as never
  const good = vectorsOf("rlptest.json")
  for (const vector of good) {
    const encoded = bytesOf(vector.out)
    assert.deepEqual(new Uint8Array(RLP.encode(input(vector.in))), encoded)
    assert.deepEqual(new Uint8Array(RLP.encode(RLP.decode(encoded))), encoded)
  }
  const random = vectorsOf("random/example.json")
  for (const { out } of random) {
    assert.deepEqual(new Uint8Array(RLP.encode(RLP.decode(bytesOf(out)))), bytesOf(out))
  }
  assert.deepEqual([good.length, random.length], [28, 1])
})

test("RLP that Ethereum's vectors call invalid is refused, alone and as a typed transaction", () => {
  const bad = vectorsOf("invalidRLPTest.json")
  for (const { out } of bad) {
    const bytes = bytesOf(out)
    assert.throws(() => RLP.decode(bytes))
    assert.throws(() => evmTransactionDigest(bytes), DecodeError)
    for (const type of [1, 2, 3]) {
      refused(concat(Uint8Array.of(type), bytes), /not canonical RLP/)
    }
  }
  assert.equal(bad.length, 26)
})
