import { hashValue, type Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  fixedBytes,
  safeInteger,
  struct,
  text,
  toHex,
  u16,
} from "@lockkeeper/encoding"

/** One thing that happened in a run: on the network, to a disk, to a process. */
export interface TraceEntry {
  readonly time: number
  /** Who asked; empty where nobody did. */
  readonly actor: string
  /** 0 where no server is concerned. */
  readonly server: Identifier | 0
  /** `open`, `call`, and their answers or refusals; faults and crashes by their names. */
  readonly what: string
  readonly content: Bytes
}

/** The same without its content, for people. */
export interface TraceLine extends Omit<TraceEntry, "content"> {
  readonly bytes: number
}

const link = struct<{ readonly previous: Bytes; readonly entry: TraceEntry }>({
  previous: fixedBytes(32),
  entry: struct<TraceEntry>({
    time: safeInteger,
    actor: text(256),
    server: u16,
    what: text(64),
    content: bytes(4_194_304),
  }),
})

/** Most lines that are kept to be read. */
const MAX_LINES = 4096

/**
 * Every byte that crossed the network of a run and every fault, and when: equal hashes mean equal
 * runs.
 */
export class Trace {
  #head: Bytes = new Uint8Array(32)
  #length = 0
  readonly #lines: TraceLine[] = []

  add(entry: TraceEntry): void {
    this.#head = hashValue("simulator/trace", link, { previous: this.#head, entry })
    this.#length++
    const { content, ...line } = entry
    this.#lines.push({ ...line, bytes: content.length })
    if (this.#lines.length > 2 * MAX_LINES) this.#lines.splice(0, MAX_LINES)
  }

  get length(): number {
    return this.#length
  }

  get hash(): string {
    return toHex(this.#head)
  }

  /** The last things that happened, at least 4 096 where there are so many. */
  get lines(): readonly TraceLine[] {
    return this.#lines
  }
}
