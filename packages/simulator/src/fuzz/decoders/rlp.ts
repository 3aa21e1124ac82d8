import { type Bytes, concat } from "@lockkeeper/encoding"
import type { Dice } from "../dice.ts"

/** What RLP stands for: byte strings and lists of these. */
export type Item = Bytes | readonly Item[]

/** The canonical RLP of an item; `wide` writes every length in one byte more than it takes. */
export function rlp(item: Item, wide = false): Bytes {
  if (item instanceof Uint8Array) {
    if (item.length === 1 && (item[0] as number) < 0x80 && !wide) return item
    return concat(head(0x80, item.length, wide), item)
  }
  const payload = concat(...item.map((part) => rlp(part)))
  return concat(head(0xc0, payload.length, wide), payload)
}

function head(kind: number, length: number, wide: boolean): Bytes {
  if (length <= 55 && !wide) return Uint8Array.of(kind + length)
  const digits: number[] = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256)
  if (wide) digits.unshift(0)
  return Uint8Array.of(kind + 55 + digits.length, ...digits)
}

/** The item that canonical RLP stands for, and what is behind it. */
function parse(encoded: Bytes): { item: Item; rest: Bytes } {
  const first = encoded[0] as number
  if (first < 0x80) return { item: encoded.slice(0, 1), rest: encoded.slice(1) }
  const kind = first < 0xc0 ? 0x80 : 0xc0
  const long = Math.max(0, first - kind - 55)
  const length =
    long === 0 ? first - kind : encoded.slice(1, 1 + long).reduce((n, b) => n * 256 + b, 0)
  const payload = encoded.slice(1 + long, 1 + long + length)
  const rest = encoded.slice(1 + long + length)
  if (kind === 0x80) return { item: payload, rest }
  const items: Item[] = []
  for (let left = payload; left.length > 0; ) {
    const next = parse(left)
    items.push(next.item)
    left = next.rest
  }
  return { item: items, rest }
}

/** Canonical RLP, behind a type byte or not, with one item of it changed. */
export function changeRlp(sample: Bytes, dice: Dice): Bytes {
  const type = (sample[0] as number) < 0xc0 ? 1 : 0
  const { item } = parse(sample.slice(type))
  const changed = changeItem(item, dice)
  return concat(sample.subarray(0, type), rlp(changed, dice.once(12)))
}

function changeItem(item: Item, dice: Dice): Item {
  if (!(item instanceof Uint8Array) && item.length > 0 && dice.below(5) > 0) {
    const at = dice.below(item.length)
    return item.map((part, i) => (i === at ? changeItem(part, dice) : part))
  }
  const own = item instanceof Uint8Array ? item : rlp(item)
  return dice.one<() => Item>([
    () => new Uint8Array(0),
    () => Uint8Array.of(0),
    () => dice.bytes(dice.one([1, 8, 9, 20, 21, 32, 33, 55, 56, 300])),
    () => concat(Uint8Array.of(0), own),
    () => own.map((byte, i) => (i === 0 ? byte ^ (1 << dice.below(8)) : byte)),
    () => [item, item],
    () => [],
    () => (item instanceof Uint8Array ? own : [...item, new Uint8Array(0)]),
    () => nested(dice.one([3, 100, 5000])),
  ])()
}

function nested(depth: number): Item {
  let item: Item = []
  for (let i = 0; i < depth && i < 1000; i++) item = [item]
  return item
}
