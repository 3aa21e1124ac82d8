import {
  type Identifier,
  Secret,
  type SigningKey,
  sha256,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"

/** Reproducible bytes: the same label and length always give the same bytes. */
export function seeded(label: string, length: number): Bytes {
  const out = new Uint8Array(length)
  for (let offset = 0, block = 0; offset < length; offset += 32, block++) {
    out.set(sha256(utf8(`${label}/${block}`)).subarray(0, length - offset), offset)
  }
  return out
}

export function identity(identifier: Identifier): SigningKey {
  return signingKeyFromSeed(new Secret(seeded(`identity ${identifier}`, 32)))
}

export function rosterOf(identifiers: readonly Identifier[]): Map<Identifier, Bytes> {
  return new Map(identifiers.map((i) => [i, identity(i).publicKey]))
}
