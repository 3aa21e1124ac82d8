import { type Bytes, toHex } from "@lockkeeper/encoding"

/** In which order a group writes its integers. */
export type ByteOrder = "little" | "big"

/**
 * Whether a < b as integers of equal length, in time that depends on the length only. Scalars are
 * secret when they come back from storage.
 */
export function isBelow(a: Uint8Array, b: Uint8Array, order: ByteOrder): boolean {
  // The borrow of a - b, from the least significant byte up.
  let borrow = 0
  for (let i = 0; i < a.length; i++) {
    const at = order === "little" ? i : a.length - 1 - i
    borrow = (((a[at] as number) - (b[at] as number) - borrow) >> 8) & 1
  }
  return borrow === 1
}

/** Whether every byte is zero, in time that depends on the length only. */
export function isZero(bytes: Uint8Array): boolean {
  let any = 0
  for (const byte of bytes) any |= byte
  return any === 0
}

/** A non-negative public integer below 2^256 as 32 bytes. */
export function integerToBytes(value: bigint, order: ByteOrder): Bytes {
  const bytes = new Uint8Array(32)
  let rest = value
  for (let i = 0; i < 32; i++) {
    bytes[order === "little" ? i : 31 - i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}

/** The public integer that bytes stand for. */
export function bytesToInteger(bytes: Uint8Array, order: ByteOrder): bigint {
  const bigEndian = order === "big" ? bytes : new Uint8Array(bytes).reverse()
  return BigInt(`0x${toHex(bigEndian)}`)
}
