import type { SigningKey } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, toHex } from "@lockkeeper/encoding"
import type { LogHead } from "./merkle/verify.ts"
import { hashFromBase64, sizeFromDecimal, toBase64 } from "./notes/base64.ts"
import type { NoteSignature } from "./notes/note.ts"
import { formatNote, isKeyName, type Note, parseNote } from "./notes/note.ts"
import { cosignText, type NoteKey, noteKey, signText, verifyNote } from "./notes/note-key.ts"

/** A log's head and whose it is: the text of a tlog-checkpoint. */
export interface Checkpoint extends LogHead {
  /** Names one log for ever. */
  readonly origin: string
}

/**
 * The key and origin of a server's log. Nothing else that an identity key signs begins as this name
 * does, so that no other statement passes as a checkpoint.
 */
export function logKeyOf(identityKey: Bytes): NoteKey {
  return noteKey("log", `lockkeeper-log/${toHex(identityKey)}`, identityKey)
}

/** The key of a server as a witness of the others' logs. */
export function witnessKeyOf(identityKey: Bytes): NoteKey {
  return noteKey("witness", `lockkeeper-witness/${toHex(identityKey)}`, identityKey)
}

/** The three lines that a log signs and witnesses cosign. */
export function formatCheckpoint({ origin, treeSize, rootHash }: Checkpoint): string {
  return `${origin}\n${treeSize}\n${toBase64(rootHash)}\n`
}

/**
 * Reads the text of a checkpoint. Extension lines are refused, which the specification allows to be
 * there: nobody audits them, and ours have none.
 *
 * @throws DecodeError naming the line.
 */
export function parseCheckpoint(text: string): Checkpoint {
  const [origin = "", size = "", root = "", end, ...more] = text.split("\n")
  const line = <T>(name: string, read: () => T): T => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw new DecodeError(error.message, 0, name)
    }
  }
  if (!isKeyName(origin)) throw new DecodeError("no name of a log", 0, "origin")
  const treeSize = line("tree size", () => sizeFromDecimal(size))
  const rootHash = line("root hash", () => hashFromBase64(root))
  if (end !== "" || more.length > 0) throw new DecodeError("more than three lines", 0, "extensions")
  return { origin, treeSize, rootHash }
}

/** The log's word that it had this head. Signing two that differ at one size proves a fork. */
export function signCheckpoint(head: LogHead, identity: SigningKey): string {
  const key = logKeyOf(identity.publicKey)
  const text = formatCheckpoint({ origin: key.name, ...head })
  return formatNote({ text, signatures: [signText(text, key, identity)] })
}

/**
 * A witness's word that it has seen this log grow to this head, and to none that it cannot continue.
 * The caller has stored the head before anything of this leaves it.
 */
export function cosignCheckpoint(
  { text }: Note,
  identity: SigningKey,
  seconds: number,
): NoteSignature {
  return cosignText(text, witnessKeyOf(identity.publicKey), identity, seconds)
}

export interface Cosignature {
  readonly witness: NoteKey
  /** Seconds since the Unix epoch, by the witness's clock. */
  readonly seconds: number
}

/** Why a note is no checkpoint of the log that is asked about. */
export type CheckpointFault =
  | "malformed"
  | "other-origin"
  | "not-signed-by-log"
  /** A signature under the log's or a witness's name and id does not verify. */
  | "bad-signature"

export type OpenedCheckpoint =
  | {
      readonly valid: true
      readonly checkpoint: Checkpoint
      readonly note: Note
      /** By the witnesses given, none of them twice, and none by the log's own key. */
      readonly cosignatures: readonly Cosignature[]
    }
  | { readonly valid: false; readonly reason: CheckpointFault }

/** Reads and verifies a checkpoint of the log with this key, and its cosignatures by `witnesses`. */
export function openCheckpoint(
  encoded: string,
  logKey: NoteKey,
  witnesses: readonly NoteKey[] = [],
): OpenedCheckpoint {
  const refuse = (reason: CheckpointFault) => ({ valid: false, reason }) as const
  let note: Note
  let checkpoint: Checkpoint
  try {
    note = parseNote(encoded)
    checkpoint = parseCheckpoint(note.text)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return refuse("malformed")
  }
  if (checkpoint.origin !== logKey.name) return refuse("other-origin")
  const verified = verifyNote(note, [logKey, ...witnesses])
  if (verified === "bad-signature") return refuse("bad-signature")
  if (!verified.some(({ key }) => key === logKey)) return refuse("not-signed-by-log")
  const own = toHex(logKey.publicKey)
  const cosignatures = verified
    .filter(({ key }) => key.type === "witness" && toHex(key.publicKey) !== own)
    .map(({ key, seconds }) => ({ witness: key, seconds }))
  return { valid: true, checkpoint, note, cosignatures }
}
