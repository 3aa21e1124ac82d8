import type { Roster } from "@lockkeeper/api"
import type { Element, Identifier, Scalar, Secret, SigningKey } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"

/** What one key server is: its place in the roster and its long-term keys, unsealed in memory. */
export interface ServerSelf {
  readonly identifier: Identifier
  readonly roster: Roster
  /** Canonical bytes of the SignedRoster, as published. */
  readonly signedRoster: Bytes
  readonly identity: SigningKey
  /** X-Wing secret key of the roster's channel key. */
  readonly channelSecret: Secret
  /** OPAQUE long-term key pair, ristretto255. */
  readonly opaqueSecret: Scalar
  readonly opaquePublic: Element
  /** Seed of the answers to unknown names, the same at every server of the roster. */
  readonly enumerationSeed: Secret
}
