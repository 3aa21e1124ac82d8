import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"
import {
  encodeEntryBundle,
  type LogHead,
  type NodeReader,
  nodesOf,
  placeIn,
  TILE_WIDTH,
  type TileReader,
  tileOfEntries,
  tilePath,
} from "../src/index.ts"
import { hashLeaf, hashNode } from "../src/merkle/tree-hash.ts"

/** MTH of RFC 6962 Section 2.1 as it stands there, over leaf hashes. */
export function merkleTreeHash(leaves: readonly Bytes[]): Bytes {
  if (leaves.length === 1) return leaves[0] as Bytes
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return hashNode(merkleTreeHash(leaves.slice(0, k)), merkleTreeHash(leaves.slice(k)))
}

export function entryNumber(n: number): Bytes {
  return utf8(`entry ${n}`)
}

export function entriesTo(count: number): Bytes[] {
  return Array.from({ length: count }, (_, i) => entryNumber(i))
}

export function headOf(entries: readonly Bytes[]): LogHead {
  return { treeSize: entries.length, rootHash: merkleTreeHash(entries.map(hashLeaf)) }
}

/** All resources of a log by their paths, made from its entries alone. */
export function writeLog(entries: readonly Bytes[]): Map<string, Bytes> {
  const files = new Map<string, Bytes>()
  const bundles = Math.ceil(entries.length / TILE_WIDTH)
  for (let index = 0; index < bundles; index++) {
    const place = placeIn(entries.length, "entries", index)
    if (place === null) throw new Error("no such bundle")
    const own = entries.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH)
    files.set(tilePath(place), encodeEntryBundle(own))
    files.set(tilePath({ ...place, level: 0 }), tileOfEntries(own))
  }
  let hashes = entries.map(hashLeaf)
  for (let level = 1; hashes.length >= TILE_WIDTH; level++) {
    const full = Math.floor(hashes.length / TILE_WIDTH)
    const below = hashes
    hashes = Array.from({ length: full }, (_, i) =>
      merkleTreeHash(below.slice(i * TILE_WIDTH, (i + 1) * TILE_WIDTH)),
    )
    for (let index = 0; index * TILE_WIDTH < full; index++) {
      const place = placeIn(entries.length, level, index)
      if (place === null) throw new Error("no such tile")
      const own = hashes.slice(index * TILE_WIDTH, (index + 1) * TILE_WIDTH)
      files.set(tilePath(place), concat(...own))
    }
  }
  return files
}

export function readerOf(files: ReadonlyMap<string, Bytes>): TileReader {
  return (place) => files.get(tilePath(place)) ?? null
}

export function nodesIn(entries: readonly Bytes[]): NodeReader {
  return nodesOf(readerOf(writeLog(entries)), entries.length)
}
