import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import { integerOf } from "../intent/uint256.ts"

/** The types of the ABI that known functions take. */
export type AbiType =
  | "address"
  | "bool"
  | "uint8"
  | "uint48"
  | "uint160"
  | "uint256"
  | "bytes32"
  | "bytes"
  | "uint256[]"

export type AbiValue = bigint | boolean | Bytes | readonly bigint[]

export interface AbiParameter {
  readonly name: string
  readonly type: AbiType
}

const WORD = 32
const BITS: Readonly<Partial<Record<AbiType, number>>> = {
  uint8: 8,
  uint48: 48,
  address: 160,
  uint160: 160,
  uint256: 256,
}

/**
 * Reads arguments of a call in the one encoding that the ABI's own encoder writes: no bits outside
 * their types, tails in their order without gaps, zeros for padding, nothing behind the last.
 *
 * @param data - what follows the selector.
 * @throws DecodeError with the path of the parameter, behind `path`, and its offset in `data`.
 */
export function decodeArguments(
  parameters: readonly AbiParameter[],
  data: Uint8Array,
  path: string,
): readonly AbiValue[] {
  const reader = new ArgumentReader(data, parameters.length * WORD)
  const values = parameters.map(({ name, type }, index) =>
    reader.argument(type, index * WORD, `${path}.${name}`),
  )
  reader.end(path)
  return values
}

class ArgumentReader {
  readonly #data: Uint8Array
  /** Where the next tail has to begin. */
  #tail: number

  constructor(data: Uint8Array, head: number) {
    this.#data = data
    this.#tail = head
  }

  argument(type: AbiType, at: number, path: string): AbiValue {
    if (type === "bytes32") return this.#word(at, path)
    if (type === "bytes" || type === "uint256[]") {
      if (this.#integer(at, 256, path) !== BigInt(this.#tail)) {
        throw new DecodeError("not where its tail belongs", at, path)
      }
      return type === "bytes" ? this.#bytes(path) : this.#integers(path)
    }
    if (type !== "bool") return this.#integer(at, BITS[type] ?? 0, path)
    const value = this.#integer(at, 256, path)
    if (value > 1n) throw new DecodeError("neither true nor false", at, path)
    return value === 1n
  }

  end(path: string): void {
    const rest = this.#data.length - this.#tail
    if (rest > 0) throw new DecodeError(`${rest} bytes behind the arguments`, this.#tail, path)
  }

  #word(at: number, path: string): Bytes {
    if (at + WORD > this.#data.length) throw new DecodeError("ends early", at, path)
    return new Uint8Array(this.#data.subarray(at, at + WORD))
  }

  #integer(at: number, bits: number, path: string): bigint {
    const value = integerOf(this.#word(at, path))
    if (value >> BigInt(bits) === 0n) return value
    throw new DecodeError(`more than ${bits} bits`, at, path)
  }

  /** The length in front of a tail, of which `left` items at most can follow. */
  #length(left: number, path: string): number {
    const length = this.#integer(this.#tail, 256, path)
    if (length > BigInt(Math.max(0, left))) throw new DecodeError("ends early", this.#tail, path)
    this.#tail += WORD
    return Number(length)
  }

  #bytes(path: string): Bytes {
    const length = this.#length(this.#data.length - this.#tail - WORD, path)
    const start = this.#tail
    const padded = Math.ceil(length / WORD) * WORD
    if (start + padded > this.#data.length) throw new DecodeError("ends early", start, path)
    const padding = this.#data.subarray(start + length, start + padded)
    if (padding.some((byte) => byte !== 0)) {
      throw new DecodeError("padding that is not zero", start + length, path)
    }
    this.#tail = start + padded
    return new Uint8Array(this.#data.subarray(start, start + length))
  }

  #integers(path: string): readonly bigint[] {
    const left = Math.floor((this.#data.length - this.#tail) / WORD) - 1
    const count = this.#length(left, path)
    const start = this.#tail
    this.#tail = start + count * WORD
    return Array.from({ length: count }, (_, i) =>
      this.#integer(start + i * WORD, 256, `${path}.${i}`),
    )
  }
}
