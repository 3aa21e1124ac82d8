import { hashValue } from "@lockkeeper/crypto"
import { type Bytes, type Codec, fixedBytes, list, struct, u16 } from "@lockkeeper/encoding"

// A hash tree over the digests of one batch, so that one entry is shown to belong to it without the
// others. Leaves are digests made under labels of their own, and whoever signs a root signs the number
// of leaves with it: no inner node passes for a leaf, and no tree of another size for this one.

const nodeCodec = struct<{ readonly left: Bytes; readonly right: Bytes }>({
  left: fixedBytes(32),
  right: fixedBytes(32),
})

function join(left: Bytes, right: Bytes): Bytes {
  return hashValue("sharing/1/node", nodeCodec, { left, right })
}

/** The level above: pairs are joined, a last one without a partner moves up as it is. */
function above(level: readonly Bytes[]): Bytes[] {
  const next: Bytes[] = []
  for (let i = 0; i < level.length; i += 2) {
    const right = level[i + 1]
    next.push(right === undefined ? level[i]! : join(level[i]!, right))
  }
  return next
}

/** @throws RangeError on an empty batch. */
export function rootOf(leaves: readonly Bytes[]): Bytes {
  if (leaves.length === 0) throw new RangeError("a tree without leaves")
  let level = leaves
  while (level.length > 1) level = above(level)
  return level[0]!
}

/** For each leaf the siblings on its way to the root. */
export function pathsOf(leaves: readonly Bytes[]): Bytes[][] {
  const paths: Bytes[][] = leaves.map(() => [])
  let level = leaves
  for (let height = 0; level.length > 1; height++) {
    paths.forEach((path, leaf) => {
      const sibling = level[(leaf >> height) ^ 1]
      if (sibling) path.push(sibling)
    })
    level = above(level)
  }
  return paths
}

/** Where a leaf stands, with the siblings on its way to the root. */
export interface TreePlace {
  readonly index: number
  readonly size: number
  readonly path: readonly Bytes[]
}

/** Levels of a tree over as many leaves as an index counts. */
const MAX_DEPTH = 16

export const pathCodec: Codec<readonly Bytes[]> = list(fixedBytes(32), MAX_DEPTH)

export const treePlaceCodec: Codec<TreePlace> = struct<TreePlace>({
  index: u16,
  size: u16,
  path: pathCodec,
})

/** The root that a leaf and its path lead to, or null when the path does not fit the place. */
export function rootFrom(leaf: Bytes, { index, size, path }: TreePlace): Bytes | null {
  if (index >= size) return null
  let node = leaf
  let used = 0
  for (let at = index, width = size; width > 1; at >>= 1, width = (width + 1) >> 1) {
    if ((at ^ 1) >= width) continue
    const sibling = path[used++]
    if (!sibling) return null
    node = at & 1 ? join(sibling, node) : join(node, sibling)
  }
  return used === path.length ? node : null
}
