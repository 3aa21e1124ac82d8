import { DecodeError } from "@lockkeeper/encoding"

/** Hashes of a full tile, and entries of a full bundle. */
export const TILE_WIDTH = 256

/** Level 6 spans 2^56 leaves, more than a tree here can have. */
const MAX_LEVEL = 6

/** One resource of a tiled log: a tile, or the bundle of the entries below a tile of level 0. */
export interface TilePlace {
  readonly level: number | "entries"
  readonly index: number
  /** 1 to 256; less than 256 of a partial one. */
  readonly width: number
}

/** How many hashes there are at a level of a tree: floor(s / 256^l). */
export function hashesAt(level: number, treeSize: number): number {
  return Math.floor(treeSize / TILE_WIDTH ** level)
}

/** The resource at `index` as a tree of this size has it, or null while it has nothing there. */
export function placeIn(
  treeSize: number,
  level: number | "entries",
  index: number,
): TilePlace | null {
  const hashes = hashesAt(level === "entries" ? 0 : level, treeSize)
  const width = Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH)
  return width > 0 ? { level, index, width } : null
}

/** The path of tlog-tiles: `tile/0/x001/234/067`, `tile/entries/000.p/5`. */
export function tilePath({ level, index, width }: TilePlace): string {
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, "0")
  const groups = padded.match(/.{3}/g) as string[]
  const last = groups.pop() as string
  const parts = [...groups.map((group) => `x${group}`), last]
  const suffix = width === TILE_WIDTH ? "" : `.p/${width}`
  return `tile/${level}/${parts.join("/")}${suffix}`
}

const PATH = /^tile\/(entries|\d)\/((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/

/** Longest path: 2^53 has 16 digits, and so six groups. */
const MAX_PATH = 64

/** The resource that a path names. @throws DecodeError on anything but the one path of one. */
export function parseTilePath(path: string): TilePlace {
  const refuse = (what: string): never => {
    throw new DecodeError(what, 0, "tile path")
  }
  if (path.length > MAX_PATH) return refuse(`longer than ${MAX_PATH} characters`)
  const match = PATH.exec(path)
  if (match === null) return refuse("no path of a tile")
  const [, level = "", groups = "", partial] = match
  const index = Number(groups.replaceAll(/[x/]/g, ""))
  if (!Number.isSafeInteger(index)) return refuse("index above 2^53 - 1")
  const width = partial === undefined ? TILE_WIDTH : Number(partial)
  if (partial !== undefined && width >= TILE_WIDTH) return refuse("a partial tile of full width")
  const place = { level: level === "entries" ? level : Number(level), index, width } as const
  if (place.level !== "entries" && place.level > MAX_LEVEL) return refuse("level above 6")
  if (tilePath(place) !== path) return refuse("padding in front of the index")
  return place
}
