import {
  chacha20Poly1305,
  type Element,
  hkdfSha256Expand,
  hkdfSha256Extract,
  type Identifier,
  identifierCodec,
  type Scalar,
  Secret,
  secp256k1,
} from "@lockkeeper/crypto"
import { type Bytes, type Codec, concat, encode, struct, text, u8 } from "@lockkeeper/encoding"
import { LABELS } from "../labels.ts"
import type { PresignStep } from "../types.ts"

/**
 * What the two ends of a pair seal with in one run: from the secret of their setup, and from a key of
 * each that the run alone has. Whoever records a run and steals the setup afterwards opens nothing of it,
 * for with both it would read the shares that were multiplied, those from before a refresh among them.
 */
export function runSecret(
  pairSecret: Secret,
  sessionId: Bytes,
  ephemeral: Scalar,
  other: Element,
): Secret {
  const shared = secp256k1.multiply(other, ephemeral)
  const input = concat(pairSecret.expose(), shared)
  const secret = hkdfSha256Extract(sessionId, input)
  for (const spent of [shared, input]) spent.fill(0)
  return new Secret(secret)
}

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

function keyFor(secret: Secret, { sessionId, step, sender, recipient }: SealingPlace): Bytes {
  const pseudorandomKey = hkdfSha256Extract(sessionId, secret.expose())
  const info = encode(placeCodec, { label: LABELS.sealing, step, sender, recipient })
  const key = hkdfSha256Expand(pseudorandomKey, info, chacha20Poly1305.keyLength)
  pseudorandomKey.fill(0)
  return key
}

/** Seals to the other end of a pair what the coordinator is not to see before it is used. */
export function sealPart(secret: Secret, place: SealingPlace, plaintext: Bytes): Bytes {
  const key = keyFor(secret, place)
  const part = chacha20Poly1305.seal(key, NONCE, NO_DATA, plaintext)
  key.fill(0)
  return part
}

/** Null when the part is not what the other end of the pair seals. */
export function openPart(secret: Secret, place: SealingPlace, part: Bytes): Bytes | null {
  const key = keyFor(secret, place)
  const plaintext = chacha20Poly1305.open(key, NONCE, NO_DATA, part)
  key.fill(0)
  return plaintext
}
