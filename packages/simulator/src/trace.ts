import { hashValue, type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  fixedBytes,
  safeInteger,
  struct,
  text,
  toHex,
} from "@lockkeeper/encoding"

/** One thing that happened on the network of a run. */
export interface TraceEntry {
  readonly time: number
  readonly server: Identifier
  /** `open`, `call`, and their answers or refusals. */
  readonly what: string
  readonly content: Bytes
}

const link = struct<{ readonly previous: Bytes; readonly entry: TraceEntry }>({
  previous: fixedBytes(32),
  entry: struct<TraceEntry>({
    time: safeInteger,
    server: identifierCodec,
    what: text(64),
    content: bytes(1_048_576),
  }),
})

/** Every byte that crossed the network of a run and when: equal hashes mean equal runs. */
export class Trace {
  #head: Bytes = new Uint8Array(32)
  #length = 0

  add(entry: TraceEntry): void {
    this.#head = hashValue("simulator/trace", link, { previous: this.#head, entry })
    this.#length++
  }

  get length(): number {
    return this.#length
  }

  get hash(): string {
    return toHex(this.#head)
  }
}
