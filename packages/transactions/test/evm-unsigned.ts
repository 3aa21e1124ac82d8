import { type Bytes, concat, fromHex } from "@lockkeeper/encoding"
import { RLP } from "micro-eth-signer/core/rlp.js"

export type Item = string | bigint | Uint8Array | readonly Item[]

export const CONTRACT = "0x3535353535353535353535353535353535353535"
export const RECIPIENT = "0xABaBaBaBABabABabAbAbABAbABabababaBaBABaB"
export const ZERO = `0x${"00".repeat(20)}`

export const addressBytes = (address: string) => fromHex(address.slice(2).toLowerCase())

/** An unsigned transaction of each type, with fields of it changed. */
export function unsigned(
  type: "legacy" | 1 | 2 | 3 | 4,
  change: Readonly<Record<string, Item>> = {},
): Bytes {
  const call = { to: addressBytes(CONTRACT), value: 0n, data: "" }
  const fees = { maxPriorityFeePerGas: 2n, maxFeePerGas: 9n, gasLimit: 90_000n }
  const fields: Record<string, Item> = {
    legacy: {
      ...{ nonce: 9n, gasPrice: 20n, gasLimit: 21_000n, ...call, chainId: 1n, r: "", s: "" },
    },
    1: { chainId: 5n, nonce: 0n, gasPrice: 7n, gasLimit: 30_000n, ...call, accessList: [] },
    2: { chainId: 1n, nonce: 300n, ...fees, ...call, accessList: [] },
    3: {
      ...{ chainId: 1n, nonce: 1n, ...fees, ...call, accessList: [], maxFeePerBlobGas: 3n },
      blobVersionedHashes: [fromHex(`01${"cd".repeat(31)}`)],
    },
    4: { chainId: 1n, nonce: 1n, ...fees, ...call, accessList: [], authorizationList: [] },
  }[type]
  const list = new Uint8Array(RLP.encode(Object.values({ ...fields, ...change }) as never))
  return type === "legacy" ? list : concat(Uint8Array.of(type), list)
}

/** 32 bytes of an integer, or an address on their right. */
export function word(value: bigint | string): string {
  return typeof value === "bigint"
    ? value.toString(16).padStart(64, "0")
    : value.slice(2).toLowerCase().padStart(64, "0")
}

/** A call of the contract with data in hexadecimal. */
export function callWith(data: string, change: Readonly<Record<string, Item>> = {}): Bytes {
  return unsigned(2, { data: fromHex(data), ...change })
}
