import { type SigningKey, sha256, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, concat, DecodeError, utf8 } from "@lockkeeper/encoding"
import { fromBase64, toBase64 } from "./base64.ts"
import { isKeyName, type Note, type NoteSignature } from "./note.ts"

/** What a key's signatures say: `log` the text is mine; `witness` I saw this log grow to it. */
export type NoteKeyType = "log" | "witness"

/** The signature types of signed-note: Ed25519, and the timestamped cosignature/v1. */
const TYPE_BYTES: Readonly<Record<NoteKeyType, number>> = { log: 0x01, witness: 0x04 }

/** A key that notes are verified with. Name and id together say which one signed. */
export interface NoteKey {
  readonly type: NoteKeyType
  readonly name: string
  readonly keyId: number
  /** Ed25519, 32 bytes. */
  readonly publicKey: Bytes
}

/** @throws RangeError for a name no key may have, or a key of another length. */
export function noteKey(type: NoteKeyType, name: string, publicKey: Bytes): NoteKey {
  if (!isKeyName(name)) throw new RangeError("no key may have this name")
  if (publicKey.length !== 32) throw new RangeError("public key is not 32 bytes")
  // key ID = SHA-256(key name || 0x0A || signature type || public key)[:4]
  const digest = sha256(utf8(`${name}\n`), new Uint8Array([TYPE_BYTES[type]]), publicKey)
  return {
    type,
    name,
    keyId: new DataView(digest.buffer, digest.byteOffset).getUint32(0),
    publicKey,
  }
}

/** The verifier key as text, as other tools take it: `<name>+<key id>+<key>`. */
export function formatNoteKey({ type, name, keyId, publicKey }: NoteKey): string {
  const id = keyId.toString(16).padStart(8, "0")
  return `${name}+${id}+${toBase64(concat(new Uint8Array([TYPE_BYTES[type]]), publicKey))}`
}

/** @throws DecodeError on anything but what `formatNoteKey` makes. */
export function parseNoteKey(text: string): NoteKey {
  const refuse = (what: string): never => {
    throw new DecodeError(what, 0, "verifier key")
  }
  const name = text.slice(0, Math.max(0, text.indexOf("+")))
  if (!isKeyName(name)) return refuse("no name")
  const [id = "", encoded = ""] = [
    text.slice(name.length + 1, name.length + 9),
    text.slice(name.length + 10),
  ]
  const bytes = fromBase64(encoded)
  const type = (Object.keys(TYPE_BYTES) as NoteKeyType[]).find((t) => TYPE_BYTES[t] === bytes[0])
  if (type === undefined || bytes.length !== 33) return refuse("unknown type of key")
  const key = noteKey(type, name, bytes.slice(1))
  if (formatNoteKey(key) !== text || id.length !== 8) return refuse("key id of another key")
  return key
}

/** Signs a note's text as a log. */
export function signText(
  text: string,
  { name, keyId }: NoteKey,
  signer: SigningKey,
): NoteSignature {
  return { name, keyId, signature: signer.sign(utf8(text)) }
}

/**
 * Cosigns a checkpoint's text: cosignature/v1 of tlog-cosignature.
 *
 * @param seconds - since the Unix epoch.
 */
export function cosignText(
  text: string,
  { name, keyId }: NoteKey,
  signer: SigningKey,
  seconds: number,
): NoteSignature {
  const timestamp = new Uint8Array(8)
  new DataView(timestamp.buffer).setBigUint64(0, BigInt(seconds))
  const signature = signer.sign(utf8(cosignedText(text, BigInt(seconds))))
  return { name, keyId, signature: concat(timestamp, signature) }
}

function cosignedText(text: string, seconds: bigint): string {
  return `cosignature/v1\ntime ${seconds}\n${text}`
}

/** A signature that verified. */
export interface Verified {
  readonly key: NoteKey
  /** Seconds since the Unix epoch, of a cosignature; 0 of a log's signature. */
  readonly seconds: number
}

/**
 * The known keys that signed. Signatures by unknown ones are passed over; one that claims a known
 * name and id and does not verify spoils the note, as the specification wants.
 */
export function verifyNote(
  { text, signatures }: Note,
  known: readonly NoteKey[],
): readonly Verified[] | "bad-signature" {
  const verified = new Map<NoteKey, Verified>()
  for (const { name, keyId, signature } of signatures) {
    const key = known.find((other) => other.name === name && other.keyId === keyId)
    if (key === undefined) continue
    const seconds = secondsOf(key, text, signature)
    if (seconds === null) return "bad-signature"
    if (!verified.has(key)) verified.set(key, { key, seconds })
  }
  return [...verified.values()]
}

/** The time that a signature states, 0 for none; null when it is not valid. */
function secondsOf(key: NoteKey, text: string, signature: Bytes): number | null {
  if (key.type === "log") {
    return verifySignature(key.publicKey, utf8(text), signature) ? 0 : null
  }
  if (signature.length !== 72) return null
  const seconds = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0)
  if (seconds > BigInt(Number.MAX_SAFE_INTEGER)) return null
  const signed = utf8(cosignedText(text, seconds))
  return verifySignature(key.publicKey, signed, signature.subarray(8)) ? Number(seconds) : null
}
