import { hashValue, type Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  equalBytes,
  fixedBytes,
  numberMap,
  struct,
  u8,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { abort, done, type Outcome } from "../outcome.ts"
import {
  BROADCAST,
  type Header,
  headerDigest,
  openHeader,
  protocolCodec,
  type SignedHeader,
  type Slot,
  SUITE,
  signedHeaderCodec,
  signHeader,
} from "./header.ts"
import { LIMITS } from "./limits.ts"
import type { Signer } from "./signature.ts"

/** A header with the parts it names: all of them from the sender, fewer once delivered. */
export interface Message {
  readonly header: SignedHeader
  readonly broadcast: Bytes
  /** Ciphertext by recipient. */
  readonly sealed: ReadonlyMap<Identifier, Bytes>
}

export const messageCodec: Codec<Message> = struct<Message>({
  header: signedHeaderCodec,
  broadcast: bytes(LIMITS.broadcast),
  sealed: numberMap(u16, bytes(LIMITS.sealed), LIMITS.participants),
})

/** A message whose header is signed by its sender and whose parts are the ones it signed. */
export interface Received {
  readonly header: Header
  readonly signed: SignedHeader
  /** `headerDigest(signed)`. */
  readonly digest: Bytes
  readonly broadcast: Bytes
  readonly sealed: ReadonlyMap<Identifier, Bytes>
}

interface Part extends Slot {
  readonly recipient: number
  readonly payload: Bytes
}

const partCodec = struct<Part>({
  protocol: protocolCodec,
  step: u8,
  attempt: u32,
  sessionId: fixedBytes(32),
  rosterEpoch: u32,
  sender: u16,
  recipient: u16,
  payload: bytes(LIMITS.bulk),
})

/** Digest of one part: bound to its place, so that a part is nobody else's and no other step's. */
export function partDigest(slot: Slot, recipient: number, payload: Bytes): Bytes {
  return hashValue("message-part", partCodec, { ...slot, recipient, payload })
}

export interface Draft {
  readonly previousDigest: Bytes
  readonly broadcast: Bytes
  readonly sealed?: ReadonlyMap<Identifier, Bytes>
}

/** Signs what this participant says in this step. Sign a slot once: two headers are equivocation. */
export function signMessage(signer: Signer, slot: Slot, draft: Draft): Message {
  const { previousDigest, broadcast, sealed = new Map<Identifier, Bytes>() } = draft
  const parts = new Map<number, Bytes>([[BROADCAST, partDigest(slot, BROADCAST, broadcast)]])
  for (const [recipient, ciphertext] of sealed) {
    parts.set(recipient, partDigest(slot, recipient, ciphertext))
  }
  const { protocol, step, attempt, sessionId, rosterEpoch, sender } = slot
  const place = { protocol, step, attempt, sessionId, rosterEpoch, sender }
  const header = signHeader(signer, { suite: SUITE, ...place, previousDigest, parts })
  return { header, broadcast, sealed }
}

/** What the coordinator forwards to one recipient: the header, the broadcast, and its own part. */
export function deliver(message: Message, recipient: Identifier): Message {
  const own = message.sealed.get(recipient)
  const sealed = own === undefined ? new Map<Identifier, Bytes>() : new Map([[recipient, own]])
  return { header: message.header, broadcast: message.broadcast, sealed }
}

/** Who opens a message: one recipient, the relay that must hold every part, or an auditor. */
export type Reader = Identifier | "all-parts" | "some-parts"

/**
 * Checks the signature and that every part present is the one that was signed. `reader` says which
 * parts must be there. Aborts blame nobody: a relay may have altered or withheld anything.
 */
export function openMessage(
  message: Message,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
  reader: Reader,
): Outcome<Received> {
  const opened = openHeader(message.header, verifyKeys)
  if (!opened.ok) return opened
  const header = opened.value
  const isPart = (recipient: number, payload: Bytes): boolean => {
    const digest = header.parts.get(recipient)
    return digest !== undefined && equalBytes(partDigest(header, recipient, payload), digest)
  }
  if (!isPart(BROADCAST, message.broadcast)) return abort("part-mismatch", { field: "broadcast" })
  for (const [recipient, ciphertext] of message.sealed) {
    const field = `sealed.${recipient}`
    if (recipient === BROADCAST || !header.parts.has(recipient)) {
      return abort("unexpected-part", { field })
    }
    if (!isPart(recipient, ciphertext)) return abort("part-mismatch", { field })
  }
  for (const recipient of header.parts.keys()) {
    if (recipient === BROADCAST || reader === "some-parts") continue
    const needed = reader === "all-parts" || reader === recipient
    if (needed && !message.sealed.has(recipient)) {
      return abort("missing-part", { field: `sealed.${recipient}` })
    }
  }
  const { broadcast, sealed, header: signed } = message
  return done({ header, signed, digest: headerDigest(signed), broadcast, sealed })
}
