import type { Bytes } from "@lockkeeper/encoding"
import type { NodeReader } from "../merkle/prove.ts"
import { HASH_LENGTH, hashNode } from "../merkle/tree-hash.ts"
import { placeIn, TILE_WIDTH, type TilePlace, tilePath } from "./layout.ts"

/** The bytes of a resource, or null when there is none: files, a database, another server. */
export type TileReader = (place: TilePlace) => Bytes | null

/** A tile that a tree has to have is not there, or is not one. */
export class BadTile extends Error {
  override readonly name = "BadTile"
  readonly place: TilePlace
  readonly reason: "missing" | "length"

  constructor(place: TilePlace, reason: "missing" | "length") {
    super(`${tilePath(place)} is ${reason === "missing" ? "missing" : "of another length"}`)
    this.place = place
    this.reason = reason
  }
}

/** Reads a tile's hashes. @throws BadTile */
export function readTile(reader: TileReader, place: TilePlace): Bytes {
  const tile = reader(place)
  if (tile === null) throw new BadTile(place, "missing")
  if (tile.length !== place.width * HASH_LENGTH) throw new BadTile(place, "length")
  return tile
}

/** One hash of a tile, a view of it. */
export function hashIn(tile: Bytes, position: number): Bytes {
  return tile.subarray(position * HASH_LENGTH, (position + 1) * HASH_LENGTH)
}

const TILE_HEIGHT = 8

/**
 * The nodes of the tree of the first `treeSize` leaves, from its tiles. Each tile is read once for
 * each reader made here: make one for each proof.
 *
 * @throws BadTile from the reader returned; RangeError for a node that such a tree does not have.
 */
export function nodesOf(reader: TileReader, treeSize: number): NodeReader {
  const tiles = new Map<string, Bytes>()
  const tileAt = (level: number, index: number): Bytes => {
    const key = `${level}/${index}`
    const known = tiles.get(key)
    if (known !== undefined) return known
    const place = placeIn(treeSize, level, index)
    if (place === null) throw new RangeError("the tree has no such node")
    const tile = readTile(reader, place)
    tiles.set(key, tile)
    return tile
  }
  return (height, index) => {
    const level = Math.floor(height / TILE_HEIGHT)
    const count = 2 ** (height % TILE_HEIGHT)
    const first = index * count
    const tile = tileAt(level, Math.floor(first / TILE_WIDTH))
    const offset = first % TILE_WIDTH
    if ((offset + count) * HASH_LENGTH > tile.length) {
      throw new RangeError("the tree has no such node")
    }
    let hashes = Array.from({ length: count }, (_, i) => hashIn(tile, offset + i))
    while (hashes.length > 1) {
      const pairs: Bytes[] = []
      for (let i = 0; i < hashes.length; i += 2) {
        pairs.push(hashNode(hashes[i] as Bytes, hashes[i + 1] as Bytes))
      }
      hashes = pairs
    }
    return (hashes[0] as Bytes).slice()
  }
}
