import { hashValue, sha512 } from "@lockkeeper/crypto"
import { type Bytes, concat, struct, text, u32 } from "@lockkeeper/encoding"

const blockFields = struct<{
  readonly seed: string
  readonly actor: string
  readonly block: number
}>({ seed: text(256), actor: text(256), block: u32 })

/** Uniform bytes that depend on the seed, the actor and how much it drew before. */
export class SeededRandomness {
  readonly #seed: string
  readonly #actor: string
  #block = 0

  constructor(seed: string, actor: string) {
    this.#seed = seed
    this.#actor = actor
  }

  bytes(length: number): Bytes {
    const blocks: Bytes[] = []
    for (let made = 0; made < length; made += 64) {
      const place = { seed: this.#seed, actor: this.#actor, block: this.#block++ }
      blocks.push(sha512(hashValue("simulator/randomness", blockFields, place)))
    }
    return concat(...blocks).slice(0, length)
  }

  /** An integer from 0 to `bound` - 1; the bias of the reduction does not matter here. */
  below(bound: number): number {
    return new DataView(this.bytes(4).buffer).getUint32(0) % bound
  }
}
