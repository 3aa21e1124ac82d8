import { type Bytes, concat, DecodeError, Reader, Writer } from "@lockkeeper/encoding"
import { hashLeaf } from "../merkle/tree-hash.ts"
import { TILE_WIDTH } from "./layout.ts"

/** Longest entry, bytes: lengths in bundles have 16 bits. */
const MAX_ENTRY = 0xffff

/** Entries behind 16-bit lengths, as tlog-tiles has them. @throws RangeError outside its limits. */
export function encodeEntryBundle(entries: readonly Bytes[]): Bytes {
  if (entries.length < 1 || entries.length > TILE_WIDTH) {
    throw new RangeError(`a bundle has 1 to ${TILE_WIDTH} entries`)
  }
  const writer = new Writer()
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY) throw new RangeError(`an entry has at most ${MAX_ENTRY} bytes`)
    writer.u16(entry.length)
    writer.bytes(entry)
  }
  return writer.finish()
}

/** The entries of a bundle of any width. @throws DecodeError naming the entry. */
export function decodeEntryBundle(bundle: Uint8Array): readonly Bytes[] {
  const reader = new Reader(bundle)
  const entries: Bytes[] = []
  while (reader.offset < bundle.length) {
    if (entries.length === TILE_WIDTH) reader.fail(`more than ${TILE_WIDTH} entries`)
    entries.push(reader.within(String(entries.length), () => reader.bytes(reader.u16())))
  }
  if (entries.length === 0) throw new DecodeError("no entries", 0)
  return entries
}

/** The tile of level 0 over these entries. */
export function tileOfEntries(entries: readonly Bytes[]): Bytes {
  return concat(...entries.map(hashLeaf))
}
