import { type Bytes, type Codec, fixedBytes, fromHex, mapped, toHex } from "@lockkeeper/encoding"

export const MAX_UINT256 = (1n << 256n) - 1n

/** Amounts, ids and nonces of every chain: 32 bytes, big-endian. */
export const uint256: Codec<bigint> = mapped(fixedBytes(32), bytesOf, integerOf)

function bytesOf(value: bigint): Bytes {
  if (value < 0n || value > MAX_UINT256) throw new RangeError("integer outside 256 bits")
  return fromHex(value.toString(16).padStart(64, "0"))
}

/** The unsigned integer that big-endian bytes stand for; zero for none. */
export function integerOf(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${toHex(bytes)}`)
}
