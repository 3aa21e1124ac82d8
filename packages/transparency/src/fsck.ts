import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import { EMPTY_FRONTIER, type Frontier, grow, rootOf, type TileRoot } from "./merkle/frontier.ts"
import { hashLeaf } from "./merkle/tree-hash.ts"
import type { LogHead } from "./merkle/verify.ts"
import { decodeEntryBundle } from "./tiles/entry-bundle.ts"
import { placeIn, TILE_WIDTH, tilePath } from "./tiles/layout.ts"
import { BadTile, hashIn, readTile, type TileReader } from "./tiles/tile-nodes.ts"

export type LogFault =
  /** A tile or bundle that this size has to have is not there. */
  | "missing"
  /** A tile is longer or shorter than its place says. */
  | "length"
  /** A bundle cannot be read, or has more or fewer entries than its place says. */
  | "bundle"
  /** An entry is not what the tile above it was made of. */
  | "entry-mismatch"
  /** A hash of a higher tile is not the root of the tile below it. */
  | "node-mismatch"
  /** The entries make another root than a head that was signed for this size. */
  | "root-mismatch"
  /** The heads given are not ordered by size, or the first is not of the empty tree. */
  | "heads"

export type LogVerdict =
  | { readonly valid: true; readonly entries: number }
  | {
      readonly valid: false
      readonly reason: LogFault
      /** The first entry that the fault concerns; for a root, the one after the last good head. */
      readonly index: number
      /** Path of the resource, or `checkpoint` with its size. */
      readonly at: string
    }

class Found extends Error {
  readonly verdict: LogVerdict

  constructor(reason: LogFault, index: number, at: string) {
    super(reason)
    this.verdict = { valid: false, reason, index, at }
  }
}

/**
 * Checks a whole log: every entry against its tile, every tile against the one above, and the root at
 * every head given. Only the last of these says what the log has to be; the earlier a head was signed,
 * the closer it brings a fault whose tiles were made anew to match.
 *
 * @param heads - verified ones, by size; the last is the log's.
 */
export function checkLog(reader: TileReader, heads: readonly LogHead[]): LogVerdict {
  try {
    return { valid: true, entries: walk(reader, heads) }
  } catch (error) {
    if (error instanceof Found) return error.verdict
    throw error
  }
}

function walk(reader: TileReader, heads: readonly LogHead[]): number {
  const treeSize = heads.at(-1)?.treeSize ?? 0
  const above = new UpperTiles(reader, treeSize)
  let frontier: Frontier = EMPTY_FRONTIER
  let good = 0
  for (const head of heads) {
    if (head.treeSize < frontier.treeSize) throw new Found("heads", head.treeSize, nameOf(head))
    while (frontier.treeSize < head.treeSize) {
      const tile = lowestTile(reader, treeSize, Math.floor(frontier.treeSize / TILE_WIDTH))
      const until = Math.min(head.treeSize - tile.start, tile.hashes.length)
      for (let i = frontier.treeSize - tile.start; i < until; i++) {
        const grown = grow(frontier, tile.hashes[i] as Bytes)
        for (const root of grown.tileRoots) above.check(root)
        frontier = grown.frontier
      }
    }
    if (!equalBytes(rootOf(frontier), head.rootHash)) {
      throw new Found("root-mismatch", good, nameOf(head))
    }
    good = head.treeSize
  }
  return treeSize
}

function nameOf({ treeSize }: LogHead): string {
  return `checkpoint ${treeSize}`
}

interface LowestTile {
  readonly start: number
  readonly hashes: readonly Bytes[]
}

/** Leaf hashes of one bundle, which its tile has to have, too. */
function lowestTile(reader: TileReader, treeSize: number, index: number): LowestTile {
  const start = index * TILE_WIDTH
  const place = placeIn(treeSize, 0, index)
  const bundlePlace = placeIn(treeSize, "entries", index)
  if (place === null || bundlePlace === null) throw new RangeError("past the end of the log")
  const bundle = reader(bundlePlace)
  if (bundle === null) throw new Found("missing", start, tilePath(bundlePlace))
  const entries = entriesOf(bundle)
  if (typeof entries === "number") throw new Found("bundle", start + entries, tilePath(bundlePlace))
  const tile = found(start, () => readTile(reader, place))
  const hashes = entries.slice(0, place.width).map(hashLeaf)
  hashes.forEach((hash, i) => {
    if (!equalBytes(hash, hashIn(tile, i))) {
      throw new Found("entry-mismatch", start + i, tilePath(bundlePlace))
    }
  })
  if (entries.length !== place.width) {
    const first = start + Math.min(entries.length, place.width)
    throw new Found("bundle", first, tilePath(bundlePlace))
  }
  return { start, hashes }
}

/** The entries, or the number of the first that cannot be read. */
function entriesOf(bundle: Bytes): readonly Bytes[] | number {
  try {
    return decodeEntryBundle(bundle)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return Number.parseInt(error.path, 10) || 0
  }
}

function found<T>(index: number, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof BadTile)) throw error
    throw new Found(error.reason, index, tilePath(error.place))
  }
}

/** Tiles of level 1 and above, one of each level at a time. */
class UpperTiles {
  readonly #reader: TileReader
  readonly #treeSize: number
  readonly #current = new Map<number, { readonly index: number; readonly tile: Bytes }>()

  constructor(reader: TileReader, treeSize: number) {
    this.#reader = reader
    this.#treeSize = treeSize
  }

  check({ level, index, hash }: TileRoot): void {
    const tileIndex = Math.floor(index / TILE_WIDTH)
    const first = index * TILE_WIDTH ** level
    const tile = this.#tile(level, tileIndex, first)
    if (equalBytes(hashIn(tile, index % TILE_WIDTH), hash)) return
    const place = placeIn(this.#treeSize, level, tileIndex)
    throw new Found("node-mismatch", first, place === null ? "" : tilePath(place))
  }

  #tile(level: number, index: number, first: number): Bytes {
    const current = this.#current.get(level)
    if (current?.index === index) return current.tile
    const place = placeIn(this.#treeSize, level, index)
    if (place === null) throw new RangeError("past the end of the log")
    const tile = found(first, () => readTile(this.#reader, place))
    this.#current.set(level, { index, tile })
    return tile
  }
}
