import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type Bytes, fromUtf8, utf8 } from "@lockkeeper/encoding"

/** Bytes that must not be found, and what they are. */
export interface Canary {
  readonly name: string
  readonly bytes: Uint8Array
  /** Set where parts of it are no secret: then only the whole is searched. */
  readonly whole?: boolean
}

/** Bytes to be searched, and where they come from. */
export interface Haystack {
  readonly where: string
  readonly bytes: Uint8Array
}

/** Long secrets are searched by pieces of this many bytes, so that half of one is found too. */
const PIECE = 16

/** Every way in which bytes might be written down: raw, hexadecimal, base64, lists of numbers. */
export function spellings(bytes: Uint8Array): readonly (readonly [string, Uint8Array])[] {
  const hex = Buffer.from(bytes).toString("hex")
  const pairs = hex.match(/../g) ?? []
  const numbers = [...bytes]
  const texts: (readonly [string, string])[] = [
    ["hexadecimal", hex],
    ["capital hexadecimal", hex.toUpperCase()],
    ["spaced hexadecimal", pairs.join(" ")],
    ["hexadecimal with colons", pairs.join(":").toUpperCase()],
    ["list of numbers", numbers.join(",")],
    ["spaced list of numbers", numbers.join(", ")],
    ["JSON of a typed array", numbers.map((byte, i) => `"${i}":${byte}`).join(",")],
  ]
  // Inside a longer base64 text the bytes may start at any of three places in a group.
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before), bytes])
    const whole = padded.subarray(0, padded.length - (padded.length % 3)).toString("base64")
    const inner = before === 0 ? whole : whole.slice(4)
    texts.push([`base64 at ${before}`, inner])
    const forUrls = inner.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")
    texts.push([`base64url at ${before}`, forUrls])
  }
  const written = texts.map(([name, text]) => [name, utf8(text)] as const)
  return [["raw", bytes], ...written, ...textSpellings(bytes)]
}

/** What only text can look like. */
function textSpellings(bytes: Uint8Array): (readonly [string, Uint8Array])[] {
  let text: string
  try {
    text = fromUtf8(Uint8Array.from(bytes))
  } catch {
    return []
  }
  if (!/^[\x20-\x7e]+$/.test(text)) return []
  return [
    ["percent-encoded", utf8(encodeURIComponent(text))],
    ["form-encoded", utf8(text.replaceAll(" ", "+"))],
    ["UTF-16", new Uint8Array(Buffer.from(text, "utf16le"))],
  ]
}

function pieces(canary: Canary): Canary[] {
  const { name, bytes } = canary
  if (canary.whole === true || bytes.length <= PIECE) return [canary]
  const starts = Array.from({ length: Math.floor(bytes.length / PIECE) }, (_, i) => i * PIECE)
  return starts.map((at) => ({ name: `${name} from ${at}`, bytes: bytes.subarray(at, at + PIECE) }))
}

/** Each find as a sentence; empty when there is none. */
export function search(haystacks: readonly Haystack[], canaries: readonly Canary[]): string[] {
  const found: string[] = []
  for (const canary of canaries.flatMap(pieces)) {
    for (const [spelling, needle] of spellings(canary.bytes)) {
      for (const { where, bytes } of haystacks) {
        const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(needle)
        if (at >= 0) found.push(`${canary.name}, ${spelling}, in ${where} at ${at}`)
      }
    }
  }
  return found
}

/** Every file below a directory. */
export function filesBelow(directory: string): Haystack[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((where) => ({ where, bytes: new Uint8Array(readFileSync(where)) as Bytes }))
}
