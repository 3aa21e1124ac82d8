import { hashValue, type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  numberMap,
  oneOf,
  struct,
  text,
  u8,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { type AbortReason, abort, done, type Outcome } from "../outcome.ts"
import { LIMITS } from "./limits.ts"
import { type Signer, signatureCodec, signBytes, verifyBytes } from "./signature.ts"

/** Identity signature, KEM and hash of every message. Another suite is another protocol. */
export const SUITE = "lockkeeper-1 Ed25519 X-Wing SHA-256"

/** Append only: the position is what travels. */
export const PROTOCOLS = ["dkg", "frost", "opaque", "refresh", "reshare", "repair", "dkls"] as const
export type Protocol = (typeof PROTOCOLS)[number]

/** The place of one message: a sender signs at most one header for each. */
export interface Slot {
  readonly protocol: Protocol
  readonly step: number
  /** Which try of the same request this is, from 1. */
  readonly attempt: number
  readonly sessionId: Bytes
  readonly rosterEpoch: number
  readonly sender: Identifier
}

/** Recipient number of the part that everyone gets. */
export const BROADCAST = 0

/** What a sender signs once per step: where the message belongs, what it saw, what it says. */
export interface Header extends Slot {
  readonly suite: string
  /** `echoDigest` of all headers of the step before; in a first step what the sender was asked, or zeros. */
  readonly previousDigest: Bytes
  /** Digest of each part by recipient; `BROADCAST` is always there. */
  readonly parts: ReadonlyMap<number, Bytes>
}

/** A header as sent. The signature covers these bytes, never a re-encoding. */
export interface SignedHeader {
  readonly bytes: Bytes
  readonly signature: Bytes
}

export const NO_PREVIOUS: Bytes = new Uint8Array(32)

export const protocolCodec: Codec<Protocol> = oneOf(...PROTOCOLS)

export const headerCodec: Codec<Header> = struct<Header>({
  suite: text(64),
  protocol: protocolCodec,
  step: u8,
  attempt: u32,
  sessionId: fixedBytes(32),
  rosterEpoch: u32,
  sender: identifierCodec,
  previousDigest: fixedBytes(32),
  parts: numberMap(u16, fixedBytes(32), LIMITS.participants + 1),
})

const headerBytes = bytes(LIMITS.header)

export const signedHeaderCodec: Codec<SignedHeader> = struct<SignedHeader>({
  bytes: headerBytes,
  signature: signatureCodec,
})

const LABEL = "message-header"

export function signHeader(signer: Signer, header: Header): SignedHeader {
  const encoded = encode(headerCodec, header)
  return { bytes: encoded, signature: signBytes(signer, LABEL, encoded) }
}

/**
 * The header, when its own sender signed it. The sender is whoever signed: the key is looked up by
 * the signed sender field, and no payload names one. Blames nobody, since a relay can alter bytes.
 */
export function openHeader(
  signed: SignedHeader,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<Header> {
  let header: Header
  try {
    header = decode(headerCodec, signed.bytes)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return abort("malformed-header", { field: error.path })
  }
  if (!header.parts.has(BROADCAST)) return abort("malformed-header", { field: "parts" })
  if (header.suite !== SUITE) return abort("wrong-suite", { field: "suite" })
  const verifyKey = verifyKeys.get(header.sender)
  if (!verifyKey) return abort("unknown-sender", { field: "sender" })
  if (!verifyBytes(verifyKey, LABEL, signed.bytes, signed.signature)) {
    return abort("wrong-signature", { field: "signature" })
  }
  return done(header)
}

const SLOT_CHECKS: readonly (readonly [
  Exclude<keyof Slot, "sender" | "sessionId">,
  AbortReason,
])[] = [
  ["protocol", "wrong-protocol"],
  ["step", "wrong-step"],
  ["attempt", "wrong-attempt"],
  ["rosterEpoch", "wrong-roster-epoch"],
]

/** What makes `header` a message for another place than `slot`, or null; senders are not compared. */
export function slotMismatch(header: Slot, slot: Omit<Slot, "sender">): AbortReason | null {
  for (const [field, reason] of SLOT_CHECKS) if (header[field] !== slot[field]) return reason
  return equalBytes(header.sessionId, slot.sessionId) ? null : "wrong-session"
}

/**
 * Names a header. It covers the signed bytes only, not the signature, so that a sender with several
 * valid signatures on one header cannot split the echo without signing two headers.
 */
export function headerDigest(signed: SignedHeader): Bytes {
  return hashValue("message-header", headerBytes, signed.bytes)
}
