import { edwards25519, ristretto255, secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, type Codec, decode, encode, type Field, layoutOf } from "@lockkeeper/encoding"
import { type Codecs, findCodecs } from "./codecs.ts"
import type { Decoder } from "./decoder.ts"
import { Dice } from "./dice.ts"
import type { Inside } from "./inside.ts"
import { invent } from "./invent.ts"
import { Samples } from "./samples.ts"

/** As many encodings of each codec as are invented where fewer were seen. */
const ENOUGH = 6

/** Byte strings of one length that inventing chooses from. */
const MAX_KNOWN = 60

/** An encoding of this length takes as long as all else of a frame. */
const USUAL_LENGTH = 1024

type Known = Map<number, Bytes[]>

function addKnown(known: Known, bytes: Uint8Array): void {
  const same = known.get(bytes.length) ?? []
  if (same.length < MAX_KNOWN) same.push(new Uint8Array(bytes))
  known.set(bytes.length, same)
}

/** Constants, scalars and points: what a codec may ask for and chance does not find. */
function knownStrings(inside: Inside): Known {
  const known: Known = new Map()
  for (const constant of inside.constants) addKnown(known, constant)
  for (const group of [secp256k1, edwards25519, ristretto255]) {
    for (let i = 1; i <= 5; i++) {
      const scalar = group.scalarFromUniform(new Uint8Array(64).fill(i))
      addKnown(known, scalar)
      addKnown(known, group.multiplyBase(scalar))
    }
  }
  return known
}

/** A decoder for every codec there is, with what `work` writes and reads as samples. */
export async function codecDecoders<T>(
  { inside, root, seed }: { readonly inside: Inside; readonly root: string; readonly seed: string },
  work: () => Promise<T>,
): Promise<{ readonly decoders: readonly Decoder[]; readonly result: T }> {
  const codecs: Codecs = findCodecs(inside, root)
  const samples = new Samples(codecs)
  const result = await samples.listen(inside, work)
  const known = knownStrings(inside)
  const decoders = [...codecs]
    .map(([name, codec]) => {
      const seen = samples.of(codec)
      const dice = new Dice("invent", seed, name)
      const missing = Math.max(1, ENOUGH - seen.length)
      const invented = Array.from({ length: missing }, () => invent(codec, known, dice))
      return codecDecoder(name, codec, distinct([...seen, ...invented.filter((b) => b !== null)]))
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  return { decoders, result }
}

function distinct(encodings: readonly Bytes[]): readonly Bytes[] {
  const texts = new Map(encodings.map((bytes) => [Buffer.from(bytes).toString("latin1"), bytes]))
  return [...texts.values()]
}

/** A codec as a decoder: what it takes has to be the one encoding of what it means. */
export function codecDecoder(
  name: string,
  codec: Codec<unknown>,
  samples: readonly Bytes[],
): Decoder {
  const layouts = new Map<Bytes, readonly Field[]>()
  const mean = samples.reduce((sum, { length }) => sum + length, 0) / (samples.length || 1)
  return {
    name,
    samples,
    weight: 1 / (1 + mean / USUAL_LENGTH),
    change: null,
    read: (input) => ({ accepted: true, again: encode(codec, decode(codec, input)) }),
    layout(sample) {
      const layout = layouts.get(sample) ?? layoutOf(codec, sample)
      layouts.set(sample, layout)
      return layout
    },
  }
}
