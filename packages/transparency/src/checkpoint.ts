import { type SigningKey, verifySignature } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  constant,
  encode,
  equalBytes,
  fixedBytes,
  safeInteger,
  struct,
  text,
  utf8,
} from "@lockkeeper/encoding"
import type { LogHead } from "./chain.ts"

/** A log's head with its name and the time of the statement. */
export interface Checkpoint extends LogHead {
  /** Names one log of one server for ever: `lockkeeper/<identity key, hex>`. */
  readonly origin: string
  /** Milliseconds since the Unix epoch. */
  readonly time: number
}

export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint
  /** Ed25519 by the server's identity key, 64 bytes. */
  readonly signature: Bytes
}

const checkpointCodec: Codec<Checkpoint> = struct<Checkpoint>({
  origin: text(128),
  treeSize: safeInteger,
  rootHash: fixedBytes(32),
  time: safeInteger,
})

export const signedCheckpointCodec: Codec<SignedCheckpoint> = struct<SignedCheckpoint>({
  checkpoint: checkpointCodec,
  signature: fixedBytes(64),
})

const signatureInput = struct<{ label: null; checkpoint: Checkpoint }>({
  label: constant(utf8("lockkeeper/checkpoint/v1")),
  checkpoint: checkpointCodec,
})

function signedBytes(checkpoint: Checkpoint): Bytes {
  return encode(signatureInput, { label: null, checkpoint })
}

/** The server's word that its log had this head. Signing two different ones is a provable fork. */
export function signCheckpoint(checkpoint: Checkpoint, identity: SigningKey): SignedCheckpoint {
  return { checkpoint, signature: identity.sign(signedBytes(checkpoint)) }
}

/** Whether the holder of `identityKey` said this of the log called `origin`. */
export function verifyCheckpoint(
  { checkpoint, signature }: SignedCheckpoint,
  origin: string,
  identityKey: Bytes,
): boolean {
  if (checkpoint.origin !== origin) return false
  return verifySignature(identityKey, signedBytes(checkpoint), signature)
}

/** What a witness that remembers `known` makes of a later statement by the same log. */
export type WitnessVerdict = "same" | "grown" | "rolled-back" | "forked"

/**
 * Compares sizes and roots only: `grown` still has to be shown with the leaves in between, and
 * `forked` is two signed statements of one size, which prove the fork to anyone.
 */
export function compareCheckpoints(known: Checkpoint, later: Checkpoint): WitnessVerdict {
  if (later.treeSize < known.treeSize) return "rolled-back"
  if (later.treeSize > known.treeSize) return "grown"
  return equalBytes(known.rootHash, later.rootHash) ? "same" : "forked"
}
