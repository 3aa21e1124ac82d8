import fc from "fast-check"
import { type Hex, toHex } from "viem"

const hex = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((bytes) => toHex(bytes))
const u256 = fc.bigInt({ min: 0n, max: (1n << 256n) - 1n })
const fee = fc.bigInt({ min: 0n, max: 1n << 64n })

const base = {
  chainId: fc.integer({ min: 1, max: 2 ** 40 }),
  nonce: fc.integer({ min: 0, max: 2 ** 40 }),
  gas: fc.bigInt({ min: 0n, max: 1n << 40n }),
  value: u256,
  data: fc.uint8Array({ maxLength: 300 }).map((bytes) => toHex(bytes)),
}
const to = fc.option(hex(20), { nil: undefined })
const accessList = fc.array(
  fc.record({ address: hex(20), storageKeys: fc.array(hex(32), { maxLength: 3 }) }),
  { maxLength: 3 },
)
const fees = fc
  .tuple(fee, fee)
  .map(([a, b]) => (a < b ? [a, b] : [b, a]))
  .map(([tip, most]) => ({ maxPriorityFeePerGas: tip as bigint, maxFeePerGas: most as bigint }))

const legacy = fc.record({ ...base, to, gasPrice: fee, type: fc.constant("legacy" as const) })
const eip2930 = fc.record({
  ...{ ...base, to, gasPrice: fee, accessList, type: fc.constant("eip2930" as const) },
})
const eip1559 = fc
  .tuple(fc.record({ ...base, to, accessList, type: fc.constant("eip1559" as const) }), fees)
  .map(([rest, both]) => ({ ...rest, ...both }))
const eip4844 = fc
  .tuple(
    fc.record({
      ...{ ...base, to: hex(20), accessList, type: fc.constant("eip4844" as const) },
      maxFeePerBlobGas: fee.map((n) => n + 1n),
      blobVersionedHashes: fc.array(
        hex(31).map((rest) => `0x01${rest.slice(2)}` as Hex),
        { minLength: 1, maxLength: 3 },
      ),
    }),
    fees,
  )
  .map(([rest, both]) => ({ ...rest, ...both }))

/** Random unsigned transactions of each type, as viem takes them. */
export const transactions = { legacy, eip2930, eip1559, eip4844 }
