import { type Bytes, DecodeError, fromBase64url, toBase64url } from "@lockkeeper/encoding"

/** Padded base64, RFC 4648 Section 4: what signed notes use. */
export function toBase64(bytes: Uint8Array): string {
  const text = toBase64url(bytes).replaceAll("-", "+").replaceAll("_", "/")
  return text.padEnd(Math.ceil(text.length / 4) * 4, "=")
}

/** Bytes of padded base64; anything but their one spelling is refused. @throws DecodeError */
export function fromBase64(text: string): Bytes {
  if (text.length % 4 !== 0) throw new DecodeError("base64 has an impossible length", text.length)
  if (/[-_]/.test(text)) throw new DecodeError("not base64", text.search(/[-_]/))
  const unpadded = text
    .replace(/={1,2}$/, "")
    .replaceAll("+", "-")
    .replaceAll("/", "_")
  return fromBase64url(unpadded)
}

/** A hash of 32 bytes in base64. @throws DecodeError */
export function hashFromBase64(text: string): Bytes {
  const hash = fromBase64(text)
  if (hash.length !== 32) throw new DecodeError("hash is not 32 bytes", 0)
  return hash
}

/** A tree size or index as notes spell it, without leading zeroes. @throws DecodeError */
export function sizeFromDecimal(text: string): number {
  if (!/^(?:0|[1-9]\d{0,15})$/.test(text)) throw new DecodeError("not a decimal size", 0)
  const size = Number(text)
  if (!Number.isSafeInteger(size)) throw new DecodeError("size above 2^53 - 1", 0)
  return size
}
