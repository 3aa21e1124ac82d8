import { type Bytes, concat, DecodeError } from "@lockkeeper/encoding"
import { fromBase64, toBase64 } from "./base64.ts"

/** One line below a note's text. */
export interface NoteSignature {
  /** Name of the key. */
  readonly name: string
  /** The 32-bit key id: with the name it says which key, and of what type. */
  readonly keyId: number
  readonly signature: Bytes
}

/** A signed note of C2SP: text, and signatures over it by anybody. */
export interface Note {
  /** Ends with a newline. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

/** Longest note, characters: ten servers' cosignatures take two thousand. */
export const MAX_NOTE = 16_384

/** Most signatures of a note; the specification wants 16 at the least. */
const MAX_SIGNATURES = 64

/** Longest name of a key, characters. */
const MAX_NAME = 255

const MARK = "— "

/** Whether a key may be called so: not empty, without Unicode spaces, plus or control characters. */
export function isKeyName(name: string): boolean {
  return name.length <= MAX_NAME && /^[^\p{White_Space}\p{Cc}+]+$/u.test(name)
}

/** The line of a signature, newline included. @throws RangeError for a name no key may have. */
export function formatSignatureLine({ name, keyId, signature }: NoteSignature): string {
  if (!isKeyName(name)) throw new RangeError("no key may have this name")
  const id = new Uint8Array(4)
  new DataView(id.buffer).setUint32(0, keyId)
  return `${MARK}${name} ${toBase64(concat(id, signature))}\n`
}

/** The note as it is stored and sent. @throws RangeError where it would not be read again. */
export function formatNote({ text, signatures }: Note): string {
  const note = `${text}\n${signatures.map(formatSignatureLine).join("")}`
  if (signatures.length < 1 || signatures.length > MAX_SIGNATURES || note.length > MAX_NOTE) {
    throw new RangeError(`a note has 1 to ${MAX_SIGNATURES} signatures and ${MAX_NOTE} characters`)
  }
  return note
}

/**
 * Reads a note and verifies nothing. One text has one reading and is what `formatNote` makes of it.
 *
 * @throws DecodeError saying where it stops being one.
 */
export function parseNote(note: string): Note {
  if (note.length > MAX_NOTE) throw new DecodeError(`longer than ${MAX_NOTE} characters`, MAX_NOTE)
  if (!note.isWellFormed()) throw new DecodeError("lone surrogates", 0)
  const control = note.search(/(?!\n)\p{Cc}/u)
  if (control >= 0) throw new DecodeError("control character", control)
  const blank = note.lastIndexOf("\n\n")
  if (blank < 0) throw new DecodeError("no blank line before the signatures", note.length)
  const signatures = parseSignatureLines(note.slice(blank + 2), blank + 2)
  return { text: note.slice(0, blank + 1), signatures }
}

/** Lines as `formatSignatureLine` makes them. @throws DecodeError, with offsets from `start` on. */
export function parseSignatureLines(lines: string, start = 0): readonly NoteSignature[] {
  const signatures: NoteSignature[] = []
  let offset = 0
  while (offset < lines.length) {
    if (signatures.length === MAX_SIGNATURES) {
      throw new DecodeError(`more than ${MAX_SIGNATURES} signatures`, start + offset)
    }
    const end = lines.indexOf("\n", offset)
    if (end < 0) throw new DecodeError("a line does not end", start + lines.length)
    signatures.push(parseSignatureLine(lines.slice(offset, end), start + offset))
    offset = end + 1
  }
  if (signatures.length === 0) throw new DecodeError("no signature", start)
  return signatures
}

function parseSignatureLine(line: string, start: number): NoteSignature {
  if (!line.startsWith(MARK)) throw new DecodeError("no signature line", start)
  const [name = "", encoded = "", ...more] = line.slice(MARK.length).split(" ")
  if (!isKeyName(name) || more.length > 0) throw new DecodeError("no key name and signature", start)
  const bytes = fromBase64(encoded)
  if (bytes.length < 5) throw new DecodeError("no key id and signature", start)
  const keyId = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  return { name, keyId, signature: bytes.slice(4) }
}
