import { type Bytes, type Codec, concat, DecodeError, Reader } from "@lockkeeper/encoding"
import type { Dice } from "./dice.ts"

const MAX_ATTEMPTS = 4000

/** Longest byte string that is invented. */
const MAX_BYTES = 100_000

/** Answers every read with a guess and keeps what was guessed. */
class InventingReader extends Reader {
  readonly guesses: Bytes[] = []
  readonly #kept: readonly Bytes[]
  readonly #guess: (length: number, isInteger: boolean) => Bytes
  #length = 0

  constructor(kept: readonly Bytes[], guess: (length: number, isInteger: boolean) => Bytes) {
    super(new Uint8Array(0))
    this.#kept = kept
    this.#guess = guess
  }

  override get offset(): number {
    return this.#length
  }

  override get remaining(): number {
    return MAX_BYTES
  }

  #read(length: number, isInteger: boolean): Bytes {
    if (length > MAX_BYTES) this.fail("longer than what is invented")
    const kept = this.#kept[this.guesses.length]
    const bytes = kept?.length === length ? kept : this.#guess(length, isInteger)
    this.guesses.push(bytes)
    this.#length += length
    return bytes.slice()
  }

  #integer(length: number): bigint {
    return this.#read(length, true).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  }

  override u8(): number {
    return Number(this.#integer(1))
  }

  override u16(): number {
    return Number(this.#integer(2))
  }

  override u32(): number {
    return Number(this.#integer(4))
  }

  override u64(): bigint {
    return this.#integer(8)
  }

  override bytes(length: number): Bytes {
    return this.#read(length, false)
  }
}

/**
 * An encoding that the codec takes, found by letting the codec read guesses: where it refuses one,
 * what came before is kept and the last guesses are made anew. Null when none was found.
 *
 * @param known - byte strings that may be asked for: constants, points, keys.
 */
export function invent(
  codec: Codec<unknown>,
  known: ReadonlyMap<number, readonly Bytes[]>,
  dice: Dice,
): Bytes | null {
  const guess = (length: number, isInteger: boolean): Bytes => {
    if (isInteger) {
      const bytes = new Uint8Array(length)
      bytes[length - 1] = dice.one([0, 1, 1, 2, 2, 3, dice.below(8), dice.below(256)])
      return bytes
    }
    const candidates = known.get(length)
    if (candidates !== undefined && dice.below(8) > 0) return dice.one(candidates)
    const bytes = dice.bytes(length)
    // Text has to be UTF-8, scalars have to be below the order.
    return dice.once(2) ? bytes.map((byte) => 97 + (byte % 26)) : bytes
  }
  let kept: readonly Bytes[] = []
  let failures = 0
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const reader = new InventingReader(kept, guess)
    try {
      codec.read(reader)
      return concat(...reader.guesses)
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      failures++
      // The longer nothing helps, the further back the reason is looked for.
      const back = 1 + dice.below(1 + Math.floor(failures / 20))
      kept = reader.guesses.slice(0, Math.max(0, reader.guesses.length - back))
    }
  }
  return null
}
