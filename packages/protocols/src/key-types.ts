import type { GroupName } from "@lockkeeper/crypto"
import { type Codec, oneOf } from "@lockkeeper/encoding"

/**
 * What a key can do; append only. `bip340` keys live on secp256k1; their verifyingKey keeps its y
 * parity here, and FROST negates at signing time where BIP340 wants an even y. The two `frost-` types
 * are RFC 9591's own ciphersuites. `ecdsa-secp256k1` keys sign with DKLs23 and with nothing else.
 */
export const KEY_TYPES = [
  "ed25519",
  "bip340",
  "frost-ristretto255",
  "frost-secp256k1",
  "ecdsa-secp256k1",
] as const
export type KeyType = (typeof KEY_TYPES)[number]
export const keyTypeCodec: Codec<KeyType> = oneOf(...KEY_TYPES)

const GROUP_OF: Readonly<Record<KeyType, GroupName>> = {
  ed25519: "edwards25519",
  bip340: "secp256k1",
  "frost-ristretto255": "ristretto255",
  "frost-secp256k1": "secp256k1",
  "ecdsa-secp256k1": "secp256k1",
}

export function groupOf(keyType: KeyType): GroupName {
  return GROUP_OF[keyType]
}
