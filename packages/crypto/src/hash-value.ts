import { type Bytes, type Codec, encode, utf8, Writer } from "@lockkeeper/encoding"
import type { Group, Scalar } from "./groups/group.ts"
import { sha256, sha512 } from "./hash.ts"

/** The u32 length of `lockkeeper/<label>` and the label itself: no label is another's prefix. */
function prefix(label: string): Bytes {
  const name = utf8(`lockkeeper/${label}`)
  const prefixed = new Uint8Array(4 + name.length)
  new DataView(prefixed.buffer).setUint32(0, name.length)
  prefixed.set(name, 4)
  return prefixed
}

/**
 * SHA-256 over the length-prefixed label and the canonical encoding of `value`. The only way that
 * protocol code hashes structures: the codec makes it injective, the label separates uses.
 */
export function hashValue<T>(label: string, codec: Codec<T>, value: T): Bytes {
  const writer = new Writer()
  writer.bytes(prefix(label))
  codec.write(writer, value)
  const digest = sha256(...writer.parts())
  writer.wipe()
  return digest
}

/** Like `hashValue`, with SHA-512 reduced to a scalar of `group` (bias below 2^-250). */
export function hashValueToScalar<T>(
  group: Group,
  label: string,
  codec: Codec<T>,
  value: T,
): Scalar {
  const encoded = encode(codec, value)
  const wide = sha512(prefix(label), encoded)
  const scalar = group.scalarFromUniform(wide)
  // Nonces are derived this way from structures that hold a secret.
  encoded.fill(0)
  wide.fill(0)
  return scalar
}
