import { type Scalar, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError, Reader } from "@lockkeeper/encoding"
import type { EcdsaSignature } from "./signature.ts"

const SEQUENCE = 0x30
const INTEGER = 0x02

/** An unsigned integer in as few bytes as DER allows, with its tag. */
function encodeInteger(scalar: Scalar): Bytes {
  let start = 0
  while (start < scalar.length - 1 && scalar[start] === 0) start++
  const digits = scalar.subarray(start)
  const padding = (digits[0] as number) & 0x80 ? [0] : []
  const length = padding.length + digits.length
  return concat(Uint8Array.of(INTEGER, length, ...padding), digits)
}

/** Ecdsa-Sig-Value in DER (RFC 3279 Section 2.2.3), as Bitcoin scripts and OpenSSL have it. */
export function encodeDer({ r, s }: EcdsaSignature): Bytes {
  const body = concat(encodeInteger(r), encodeInteger(s))
  return concat(Uint8Array.of(SEQUENCE, body.length), body)
}

/** Lengths of signatures fit one byte; every longer form is one that DER does not allow for them. */
function readHeader(reader: Reader, tag: number, name: string): number {
  const start = reader.offset
  if (reader.u8() !== tag) reader.fail(`${name} has another tag`, start)
  const at = reader.offset
  const length = reader.u8()
  if (length > 0x7f) reader.fail(`${name} has a long length`, at)
  if (length > reader.remaining) reader.fail(`${name} is cut off`, at)
  return length
}

function readInteger(reader: Reader, name: string): Scalar {
  return reader.within(name, () => {
    const length = readHeader(reader, INTEGER, "integer")
    const start = reader.offset
    if (length === 0) reader.fail("integer is empty", start)
    const digits = reader.bytes(length)
    const [first = 0, second = 0] = digits
    if (first & 0x80) reader.fail("integer is negative", start)
    if (first === 0 && length > 1 && !(second & 0x80)) reader.fail("integer is padded", start)
    const unsigned = first === 0 ? digits.subarray(1) : digits
    if (unsigned.length > 32) reader.fail("integer is too long", start)
    const scalar = new Uint8Array(32)
    scalar.set(unsigned, 32 - unsigned.length)
    try {
      return secp256k1.decodeNonZeroScalar(scalar)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      return reader.fail("integer is not between 1 and the order", start)
    }
  })
}

/** The signature in its one DER encoding. @throws DecodeError on anything else, BER included. */
export function decodeDer(der: Bytes): EcdsaSignature {
  const reader = new Reader(der)
  const length = readHeader(reader, SEQUENCE, "sequence")
  if (length !== reader.remaining) reader.fail("bytes after the sequence", 2 + length)
  const r = readInteger(reader, "r")
  const s = readInteger(reader, "s")
  reader.end()
  return { r, s }
}
