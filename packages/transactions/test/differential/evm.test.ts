import assert from "node:assert/strict"
import { test } from "node:test"
import { equalBytes } from "@lockkeeper/encoding"
import { type Action, evmTransactionIntent } from "@lockkeeper/transactions"
import { Transaction } from "ethers"
import fc from "fast-check"
import {
  encodeFunctionData,
  getAddress,
  type Hex,
  hexToBytes,
  keccak256,
  serializeTransaction,
  type TransactionSerializable,
  toHex,
} from "viem"
import { type Known, knownAbi, knownCalls } from "./evm-calls.ts"
import { encodingOf, readOrRefused, runs, TRANSACTIONS } from "./runs.ts"

const hex = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => toHex(bytes))
const u256 = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n })
const fee = fc.bigInt({ min: 0n, max: 1n << 64n })

interface Payload {
  readonly data: Hex
  /** What the data means where a standard says so. */
  readonly known: Known | null
}

const payload: fc.Arbitrary<Payload> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ data: "0x" as Hex, known: null }) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 200 }).map((b) => ({ data: toHex(b), known: null })),
  },
  {
    weight: 4,
    arbitrary: knownCalls.map((known) => ({ data: encodeFunctionData(known.call), known })),
  },
)

const base = {
  chainId: fc.integer({ min: 1, max: 2 ** 40 }),
  nonce: fc.integer({ min: 0, max: 2 ** 40 }),
  gas: fc.bigInt({ min: 0n, max: 1n << 40n }),
  value: fc.oneof(fc.constant(0n), u256),
}
const accessList = fc.array(
  fc.record({ address: hex(20), storageKeys: fc.array(hex(32), { maxLength: 3 }) }),
  { maxLength: 2 },
)
const fees = fc
  .tuple(fee, fee)
  .map(([a, b]) => (a < b ? [a, b] : [b, a]))
  .map(([tip, most]) => ({ maxPriorityFeePerGas: tip as bigint, maxFeePerGas: most as bigint }))
const blobs = {
  maxFeePerBlobGas: fee.map((n) => n + 1n),
  blobVersionedHashes: fc.array(
    hex(31).map((rest) => `0x01${rest.slice(2)}` as Hex),
    { minLength: 1, maxLength: 3 },
  ),
}
const signatureNumber = fc.bigInt({ min: 1n, max: (1n << 252n) - 1n })
const authorizationList = fc.array(
  fc.record({
    chainId: fc.integer({ min: 0, max: 2 ** 31 }),
    address: hex(20),
    nonce: fc.integer({ min: 0, max: 2 ** 31 }),
    yParity: fc.integer({ min: 0, max: 1 }),
    r: signatureNumber.map((n) => toHex(n)),
    s: signatureNumber.map((n) => toHex(n)),
  }),
  { minLength: 1, maxLength: 3 },
)

const dynamic = fc.tuple(fc.record({ ...base, to: hex(20), accessList }), fees)
const fieldsOf: Record<string, fc.Arbitrary<object>> = {
  legacy: fc.record({ ...base, to: fc.option(hex(20), { nil: undefined }), gasPrice: fee }),
  eip2930: fc.record({ ...base, to: hex(20), gasPrice: fee, accessList }),
  eip1559: dynamic.map(([rest, both]) => ({ ...rest, ...both })),
  eip4844: fc.tuple(dynamic, fc.record(blobs)).map(([[a, b], c]) => ({ ...a, ...b, ...c })),
  eip7702: fc
    .tuple(dynamic, authorizationList)
    .map(([[a, b], list]) => ({ ...a, ...b, authorizationList: list })),
}

interface Made {
  readonly bytes: Uint8Array
  readonly known: Known | null
}

const made: fc.Arbitrary<Made> = fc
  .constantFrom(...Object.keys(fieldsOf))
  .chain((type) => fc.tuple(fc.constant(type), fieldsOf[type] as fc.Arbitrary<object>, payload))
  .map(([type, fields, { data, known }]) => {
    const transaction = { ...fields, type, data } as TransactionSerializable
    return { bytes: hexToBytes(serializeTransaction(transaction)), known }
  })

/** Everything that ethers reads must be what the intent says, and viem's hash the digest. */
function sameAsEthers(bytes: Uint8Array): readonly Action[] {
  const { intent, digest } = evmTransactionIntent(bytes)
  const theirs = Transaction.from(toHex(bytes))
  assert.equal(theirs.unsignedSerialized, toHex(bytes))
  assert.equal(toHex(digest), keccak256(bytes))
  assert.equal(toHex(digest), theirs.unsignedHash)
  assert.deepEqual(intent.chain, { kind: "evm", chainId: theirs.chainId })
  assert.equal(intent.nonce, BigInt(theirs.nonce))
  const price = theirs.type === null || theirs.type < 2 ? theirs.gasPrice : theirs.maxFeePerGas
  const blobs = BigInt(theirs.blobVersionedHashes?.length ?? 0) * 131_072n
  const most = theirs.gasLimit * (price as bigint) + blobs * (theirs.maxFeePerBlobGas ?? 0n)
  assert.equal(intent.feeCeiling, most)
  const native = intent.actions.filter(({ asset }) => asset?.kind === "native")
  const sent = native.map(({ kind, to, amount }) => ({ kind, to, amount }))
  const amount = theirs.value
  const kind = theirs.to === null ? "create" : "transfer"
  const isCall = theirs.to !== null && theirs.data !== "0x"
  assert.deepEqual(sent, isCall && amount === 0n ? [] : [{ kind, to: theirs.to, amount }])
  const delegations = intent.actions.filter((action) => action.kind === "delegate")
  assert.deepEqual(
    delegations.map(({ to }) => to),
    (theirs.authorizationList ?? []).map(({ address }) => address),
  )
  return intent.actions.filter((action) => !native.includes(action) && action.kind !== "delegate")
}

test("random transactions have viem's and ethers' digest, and do what ethers reads in them", (t) => {
  const seen = new Map<string, number>()
  fc.assert(
    fc.property(made, ({ bytes, known }) => {
      const actions = sameAsEthers(bytes)
      const { to } = Transaction.from(toHex(bytes))
      if (known === null || to === null) return
      const token = { kind: "token", contract: to } as const
      const expected = known.actions(to).map(({ id, ...action }) => ({
        from: null,
        details: [],
        ...action,
        asset: id === undefined ? token : { kind: "nft", contract: to, id },
      }))
      assert.deepEqual(
        actions.map((action) => ({ ...action, details: [] })),
        expected,
      )
      seen.set(known.call.functionName, (seen.get(known.call.functionName) ?? 0) + 1)
    }),
    runs(t),
  )
  assert.equal(seen.size, 9)
})

test("a changed byte is refused, or is ethers' transaction with another digest and intent", (t) => {
  let [accepted, refused] = [0, 0]
  const change = fc.tuple(made, fc.nat(), fc.integer({ min: 1, max: 255 }))
  fc.assert(
    fc.property(change, ([{ bytes }, where, xor]) => {
      const changed = Uint8Array.from(bytes)
      const at = where % bytes.length
      changed[at] = (changed[at] as number) ^ xor
      const before = readOrRefused(() => evmTransactionIntent(bytes))
      const after = readOrRefused(() => evmTransactionIntent(changed))
      if (before === null || after === null) {
        refused += 1
        return
      }
      accepted += 1
      sameAsEthers(changed)
      assert.ok(!equalBytes(before.digest, after.digest))
      assert.ok(!equalBytes(encodingOf(before.intent), encodingOf(after.intent)))
    }),
    runs(t),
  )
  assert.ok(Math.min(refused, accepted) > TRANSACTIONS / 10, `${refused} refused, ${accepted} not`)
})

test("addresses are written as viem writes them", (t) => {
  fc.assert(
    fc.property(hex(20), hex(20), (to, spender) => {
      const call = { abi: knownAbi, functionName: "approve", args: [spender, 1n] } as const
      const fields = { type: "legacy", chainId: 1, to, gas: 1n, gasPrice: 1n } as const
      const bytes = hexToBytes(serializeTransaction({ ...fields, data: encodeFunctionData(call) }))
      const [action] = evmTransactionIntent(bytes).intent.actions
      assert.equal(action?.to, getAddress(spender))
      assert.deepEqual(action?.asset, { kind: "token", contract: getAddress(to) })
    }),
    runs(t, 0.1),
  )
})
