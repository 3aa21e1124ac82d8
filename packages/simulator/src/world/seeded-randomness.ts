import { type Cipheriv, createCipheriv } from "node:crypto"
import { hashValue } from "@lockkeeper/crypto"
import { type Bytes, struct, text } from "@lockkeeper/encoding"

const streamFields = struct<{ readonly seed: string; readonly actor: string }>({
  seed: text(256),
  actor: text(256),
})

/** Uniform bytes that depend on the seed, the actor and how much it drew before. */
export class SeededRandomness {
  readonly #stream: Cipheriv

  constructor(seed: string, actor: string) {
    const key = hashValue("simulator/randomness", streamFields, { seed, actor })
    this.#stream = createCipheriv("aes-256-ctr", key, new Uint8Array(16))
  }

  bytes(length: number): Bytes {
    return new Uint8Array(this.#stream.update(new Uint8Array(length)))
  }

  /** An integer from 0 to `bound` - 1; the bias of the reduction does not matter here. */
  below(bound: number): number {
    return new DataView(this.bytes(4).buffer).getUint32(0) % bound
  }

  /** True with this probability; draws nothing where that is certain. */
  chance(probability: number): boolean {
    if (probability <= 0) return false
    if (probability >= 1) return true
    return new DataView(this.bytes(4).buffer).getUint32(0) < probability * 2 ** 32
  }
}
