import {
  chacha20Poly1305,
  hkdfSha256Expand,
  hkdfSha256Extract,
  type Identifier,
  identifierCodec,
  type Secret,
} from "@lockkeeper/crypto"
import { type Bytes, type Codec, encode, struct, text, u8 } from "@lockkeeper/encoding"
import { LABELS } from "../labels.ts"
import type { PresignStep } from "../types.ts"

/** Which part of a run: each has a key of its own. */
export interface SealingPlace {
  readonly sessionId: Bytes
  readonly step: PresignStep
  readonly sender: Identifier
  readonly recipient: Identifier
}

const placeCodec = struct<Omit<SealingPlace, "sessionId"> & { readonly label: string }>({
  label: text(64),
  step: u8 as Codec<PresignStep>,
  sender: identifierCodec,
  recipient: identifierCodec,
})

// A key seals one part only, so its nonce may be constant.
const NONCE = new Uint8Array(chacha20Poly1305.nonceLength)
const NO_DATA = new Uint8Array(0)

function keyFor(pairSecret: Secret, { sessionId, step, sender, recipient }: SealingPlace): Bytes {
  const pseudorandomKey = hkdfSha256Extract(sessionId, pairSecret.expose())
  const info = encode(placeCodec, { label: LABELS.sealing, step, sender, recipient })
  const key = hkdfSha256Expand(pseudorandomKey, info, chacha20Poly1305.keyLength)
  pseudorandomKey.fill(0)
  return key
}

/** Seals to the other end of a pair what the coordinator is not to see before it is used. */
export function sealPart(pairSecret: Secret, place: SealingPlace, plaintext: Bytes): Bytes {
  const key = keyFor(pairSecret, place)
  const part = chacha20Poly1305.seal(key, NONCE, NO_DATA, plaintext)
  key.fill(0)
  return part
}

/** Null when the part is not what the other end of the pair seals. */
export function openPart(pairSecret: Secret, place: SealingPlace, part: Bytes): Bytes | null {
  const key = keyFor(pairSecret, place)
  const plaintext = chacha20Poly1305.open(key, NONCE, NO_DATA, part)
  key.fill(0)
  return plaintext
}
