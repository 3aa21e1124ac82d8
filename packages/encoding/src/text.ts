import type { Bytes } from "./bytes.ts"
import { DecodeError } from "./reader.ts"

const HEX = "0123456789abcdef"

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  let text = ""
  for (const byte of bytes) text += HEX.charAt(byte >> 4) + HEX.charAt(byte & 15)
  return text
}

/** Bytes of lower-case hexadecimal; upper case is refused so that a text has one reading. */
export function fromHex(text: string): Bytes {
  if (text.length % 2 !== 0) throw new DecodeError("hex has an odd length", text.length)
  const bytes = new Uint8Array(text.length / 2)
  for (let i = 0; i < text.length; i += 2) {
    const high = HEX.indexOf(text.charAt(i))
    const low = HEX.indexOf(text.charAt(i + 1))
    if (high < 0 || low < 0) throw new DecodeError("not lower-case hex", i)
    bytes[i / 2] = (high << 4) | low
  }
  return bytes
}

const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

/** Unpadded base64url, RFC 4648 Section 5. */
export function toBase64url(bytes: Uint8Array): string {
  let text = ""
  let accumulator = 0
  let bits = 0
  for (const byte of bytes) {
    accumulator = (accumulator << 8) | byte
    bits += 8
    while (bits >= 6) {
      bits -= 6
      text += BASE64URL.charAt((accumulator >> bits) & 63)
    }
    accumulator &= (1 << bits) - 1
  }
  if (bits > 0) text += BASE64URL.charAt((accumulator << (6 - bits)) & 63)
  return text
}

/** Bytes of unpadded base64url; padding, other alphabets and non-zero spare bits are refused. */
export function fromBase64url(text: string): Bytes {
  if (text.length % 4 === 1)
    throw new DecodeError("base64url has an impossible length", text.length)
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8))
  let accumulator = 0
  let bits = 0
  let offset = 0
  for (let i = 0; i < text.length; i++) {
    const value = BASE64URL.indexOf(text.charAt(i))
    if (value < 0) throw new DecodeError("not base64url", i)
    accumulator = (accumulator << 6) | value
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[offset++] = accumulator >> bits
    }
    accumulator &= (1 << bits) - 1
  }
  if (accumulator !== 0) throw new DecodeError("base64url has spare bits set", text.length - 1)
  return bytes
}
