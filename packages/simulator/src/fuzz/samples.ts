import { type Bytes, type Codec, encode, toHex } from "@lockkeeper/encoding"
import type { Codecs } from "./codecs.ts"
import type { Inside } from "./inside.ts"

/** Most samples of one codec that a run leaves. */
const MAX_SAMPLES = 24

/** Longer encodings are left out: changing each of their parts takes more frames than there are. */
const MAX_LENGTH = 200_000

/** What went through each codec while it was listened to. */
export class Samples {
  readonly #codecs: Codecs
  readonly #kept = new Map<Codec<unknown>, Map<string, Bytes>>()

  constructor(codecs: Codecs) {
    this.#codecs = codecs
  }

  of(codec: Codec<unknown>): readonly Bytes[] {
    return [...(this.#kept.get(codec)?.values() ?? [])]
  }

  #keep(codec: Codec<unknown>, encoded: Bytes): void {
    const kept = this.#kept.get(codec) ?? new Map<string, Bytes>()
    if (encoded.length <= MAX_LENGTH) kept.set(toHex(encoded.subarray(0, 300)), encoded)
    this.#kept.set(codec, kept)
  }

  /**
   * Runs `work` and keeps what it writes and reads, also as a part of something else. Codecs that are
   * passed to `encode` or `decode` and that nobody knew yet are added, named by their caller.
   */
  async listen<T>(inside: Inside, work: () => Promise<T>): Promise<T> {
    const known = new Set(this.#codecs.values())
    const plain = new Map<Codec<unknown>, Codec<unknown>>()
    let writing = false
    const note = (codec: Codec<unknown>, value: unknown) => {
      if (writing || (this.#kept.get(codec)?.size ?? 0) >= MAX_SAMPLES) return
      writing = true
      try {
        this.#keep(codec, encode(plain.get(codec) as Codec<unknown>, value))
      } catch (error) {
        // A value that its writer refuses: whoever passed it is told the same.
        if (!(error instanceof RangeError)) throw error
      } finally {
        writing = false
      }
    }
    const wrap = (codec: Codec<unknown>) => {
      const own = { read: codec.read, write: codec.write }
      plain.set(codec, own)
      codec.write = (writer, value) => {
        note(codec, value)
        own.write.call(codec, writer, value)
      }
      codec.read = (reader) => {
        const value = own.read.call(codec, reader)
        note(codec, value)
        return value
      }
    }
    for (const codec of known) wrap(codec)
    inside.onCodec = (codec) => {
      if (writing || known.has(codec)) return
      known.add(codec)
      const name = callerName()
      // One that is made anew at every call counts once.
      if (this.#codecs.has(name)) return
      this.#codecs.set(name, codec)
      wrap(codec)
    }
    try {
      return await work()
    } finally {
      inside.onCodec = null
      for (const [codec, own] of plain) Object.assign(codec, own)
    }
  }
}

/** The path and function that called `encode` or `decode`, as in the names of other codecs. */
function callerName(): string {
  const lines = (new Error().stack ?? "").split("\n").slice(3)
  const line = lines.find((text) => !/src\/fuzz\/|encoding\/src\//.test(text)) ?? ""
  const [, caller = "?", path = line.trim()] =
    /at (?:async )?(\S+) .*\/(packages\/[^:]+)/.exec(line) ?? []
  return `${path}:${caller}()`
}
