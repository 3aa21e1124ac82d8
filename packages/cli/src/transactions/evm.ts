import { type Bytes, concat, Reader } from "@lockkeeper/encoding"

/** An ECDSA signature as an EVM transaction carries it. */
export interface EvmSignature {
  /** r || s, 64 bytes. */
  readonly signature: Bytes
  /** 0 or 1. */
  readonly recovery: number
}

/** Fields of a legacy transaction before EIP-155's (chainId, 0, 0). */
const LEGACY_FIELDS = 6

/** First byte of an RLP list; typed transactions (EIP-2718) begin with a smaller one. */
const LIST = 0xc0
const STRING = 0x80
/** Up to this many bytes a length stands in the first byte. */
const SHORT = 55

/**
 * The signed transaction as nodes take it, from an unsigned one that was read in full before
 * (`evmTransactionDigest`): its signature is put behind its fields. EIP-2718 types get (yParity, r,
 * s), legacy transactions EIP-155's v in place of (chainId, 0, 0).
 *
 * @throws DecodeError when `unsigned` is no list of fields.
 */
export function signedEvmTransaction(
  unsigned: Bytes,
  { signature, recovery }: EvmSignature,
): Bytes {
  const r = integer(signature.subarray(0, 32))
  const s = integer(signature.subarray(32))
  const isLegacy = (unsigned[0] ?? 0) >= LIST
  const type = isLegacy ? new Uint8Array(0) : unsigned.slice(0, 1)
  const fields = itemsOf(unsigned.subarray(type.length))
  if (!isLegacy) return concat(type, list(concat(...fields, bigInteger(BigInt(recovery)), r, s)))
  const chainId = numberOf(fields[LEGACY_FIELDS] ?? new Uint8Array(0))
  // EIP-155: v = {0, 1} + chainId * 2 + 35
  const v = bigInteger(chainId * 2n + 35n + BigInt(recovery))
  return list(concat(...fields.slice(0, LEGACY_FIELDS), v, r, s))
}

/** The encoded items of an RLP list, each with its own header. */
function itemsOf(encoded: Bytes): readonly Bytes[] {
  const outer = new Reader(encoded)
  const payload = readPayload(outer, LIST)
  outer.end()
  const reader = new Reader(payload)
  const items: Bytes[] = []
  while (reader.remaining > 0) {
    const start = reader.offset
    const first = payload[start] ?? 0
    if (first < STRING) reader.u8()
    else readPayload(reader, first < LIST ? STRING : LIST)
    items.push(payload.slice(start, reader.offset))
  }
  return items
}

/** What is behind the header of a string or list. */
function readPayload(reader: Reader, kind: typeof STRING | typeof LIST): Bytes {
  const first = reader.u8() - kind
  if (first < 0) return reader.fail("no RLP list", 0)
  if (first <= SHORT) return reader.bytes(first)
  return reader.bytes(reader.bytes(first - SHORT).reduce((sum, byte) => sum * 256 + byte, 0))
}

function numberOf(item: Bytes): bigint {
  const digits = (item[0] ?? 0) < STRING ? item : item.subarray(1)
  return digits.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
}

/** An unsigned integer in RLP: big-endian, without leading zeros. */
function integer(bigEndian: Uint8Array): Bytes {
  const start = bigEndian.findIndex((byte) => byte !== 0)
  const digits = start < 0 ? new Uint8Array(0) : bigEndian.slice(start)
  if (digits.length === 1 && (digits[0] ?? 0) < STRING) return digits
  return concat(Uint8Array.of(STRING + digits.length), digits)
}

function bigInteger(value: bigint): Bytes {
  const bytes = new Uint8Array(32)
  for (let i = 31, rest = value; rest > 0n; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn)
  return integer(bytes)
}

function list(payload: Bytes): Bytes {
  if (payload.length <= SHORT) return concat(Uint8Array.of(LIST + payload.length), payload)
  const digits: number[] = []
  for (let rest = payload.length; rest > 0; rest = Math.floor(rest / 256)) {
    digits.unshift(rest % 256)
  }
  return concat(Uint8Array.of(LIST + SHORT + digits.length, ...digits), payload)
}
