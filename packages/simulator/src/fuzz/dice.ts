import { hashValue } from "@lockkeeper/crypto"
import { type Bytes, list, text } from "@lockkeeper/encoding"

/**
 * Chances that depend on names alone. A generator for a million inputs, not for secrets: sfc32, whose
 * state is a hash of the names.
 */
export class Dice {
  readonly #state: Uint32Array

  constructor(...names: readonly string[]) {
    const digest = hashValue("fuzz/dice", list(text(1024), 16), names)
    this.#state = new Uint32Array(digest.buffer.slice(0, 16))
  }

  #next(): number {
    const state = this.#state as Uint32Array & [number, number, number, number]
    const [a, b, c, counter] = state
    const mixed = (a + b + counter) | 0
    state[3] = counter + 1
    state[0] = b ^ (b >>> 9)
    state[1] = c + (c << 3)
    state[2] = ((c << 21) | (c >>> 11)) + mixed
    return mixed >>> 0
  }

  /** An integer from 0 to `bound` - 1; the bias of the reduction does not matter here. */
  below(bound: number): number {
    return this.#next() % bound
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0
  }

  one<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T
  }

  bytes(length: number): Bytes {
    const words = Uint32Array.from({ length: Math.ceil(length / 4) }, () => this.#next())
    return new Uint8Array(words.buffer, 0, length)
  }
}
