import type { Bytes } from "@lockkeeper/encoding"
import { EMPTY_ROOT, hashNode } from "./tree-hash.ts"

/** Hashes that a tile's level spans: a tile is a subtree of height 8. */
const TILE_HEIGHT = 8

/** All that appending to a tree needs: the roots of its largest complete subtrees. */
export interface Frontier {
  readonly treeSize: number
  /** One for each bit that is set in `treeSize`, from the largest subtree to the smallest. */
  readonly peaks: readonly Bytes[]
}

export const EMPTY_FRONTIER: Frontier = { treeSize: 0, peaks: [] }

/** The root of a tile that is full: a hash of the tile above it. */
export interface TileRoot {
  /** Level of the tile that the hash stands in, 1 or above. */
  readonly level: number
  /** Place of the hash among all hashes of that level. */
  readonly index: number
  readonly hash: Bytes
}

export interface Grown {
  readonly frontier: Frontier
  /** Tiles that this leaf has filled, from the lowest level up. */
  readonly tileRoots: readonly TileRoot[]
}

const NONE: readonly TileRoot[] = []

/** The frontier after one more leaf. One hash on average, at most one for each level. */
export function grow({ treeSize, peaks }: Frontier, leafHash: Bytes): Grown {
  const next = [...peaks]
  let tileRoots = NONE
  let hash = leafHash
  let height = 0
  let index = treeSize
  // A subtree whose place is odd has a complete left sibling, which is the last peak.
  while (index % 2 === 1) {
    hash = hashNode(next.pop() as Bytes, hash)
    index = (index - 1) / 2
    height += 1
    if (height % TILE_HEIGHT === 0) {
      tileRoots = [...tileRoots, { level: height / TILE_HEIGHT, index, hash }]
    }
  }
  next.push(hash)
  return { frontier: { treeSize: treeSize + 1, peaks: next }, tileRoots }
}

/** The root hash of the tree: MTH of RFC 6962 Section 2.1. */
export function rootOf({ peaks }: Frontier): Bytes {
  if (peaks.length === 0) return EMPTY_ROOT
  return peaks.reduceRight((right, left) => hashNode(left, right))
}
