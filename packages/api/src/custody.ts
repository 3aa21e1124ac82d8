import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, bytes, type Codec, struct, union } from "@lockkeeper/encoding"

/** Who must take part when a key signs. */
export const CUSTODIES = ["custodial", "self"] as const
export type Custody = (typeof CUSTODIES)[number]

/** Identifiers from here on are devices', which hold additive shares; no roster lists them. */
export const FIRST_DEVICE: Identifier = 0xff00

/** The owner's device, under which an owner's share takes part. Another account's has the same. */
export const OWNER_DEVICE: Identifier = 0xff00

/** Bytes of the largest sealed share. */
export const MAX_SEALED_SHARE = 256

/** A key's custody with what servers keep of it for the owner. */
export type KeyCustody =
  | { readonly kind: "custodial" }
  /**
   * The owner's share, sealed by the owner's client and never opened by a server: every holder keeps
   * the same bytes beside its own share, for the owner's other devices.
   */
  | { readonly kind: "self"; readonly sealedShare: Bytes }

/** The position of a kind is its position in `CUSTODIES`. */
export const keyCustody: Codec<KeyCustody> = union<KeyCustody>({
  custodial: struct({}),
  self: struct({ sealedShare: bytes(MAX_SEALED_SHARE) }),
})
