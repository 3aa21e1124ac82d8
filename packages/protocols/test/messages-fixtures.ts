import {
  type Identifier,
  Secret,
  type SigningKey,
  sha256,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, decode, utf8 } from "@lockkeeper/encoding"
import {
  BROADCAST,
  type Header,
  headerCodec,
  type Message,
  partDigest,
  type Signer,
  signHeader,
} from "../src/index.ts"

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

/** What a dishonest sender signs instead: parts not mentioned in `header` get their true digests. */
export interface Rewrite {
  readonly header?: Partial<Header>
  readonly broadcast?: Bytes
  readonly sealed?: ReadonlyMap<Identifier, Bytes>
}

/** The message again with some fields replaced, correctly signed by `signer`. */
export function rewrite(message: Message, signer: Signer, change: Rewrite): Message {
  const original = decode(headerCodec, message.header.bytes)
  const place = { ...original, ...change.header }
  const broadcast = change.broadcast ?? message.broadcast
  const sealed = change.sealed ?? message.sealed
  const parts = new Map([[BROADCAST, partDigest(place, BROADCAST, broadcast)]])
  for (const [to, part] of sealed) parts.set(to, partDigest(place, to, part))
  const header = signHeader(signer, { ...place, parts, ...change.header })
  return { header, broadcast, sealed }
}

/** The bytes with one bit of one byte flipped; negative positions count from the end. */
export function flip(bytes: Uint8Array, position: number): Bytes {
  const flipped = new Uint8Array(bytes)
  const at = position < 0 ? bytes.length + position : position
  flipped[at] = (flipped[at] as number) ^ 1
  return flipped
}
