import fc from "fast-check"
import {
  bool,
  bytes,
  type Codec,
  constant,
  fixedBytes,
  list,
  mapped,
  nullable,
  numberMap,
  oneOf,
  safeInteger,
  struct,
  text,
  u8,
  u16,
  u32,
  u64,
  union,
} from "../src/index.ts"

/** A codec with values that it can carry. */
export interface Sample<T = unknown> {
  readonly name: string
  readonly codec: Codec<T>
  readonly value: fc.Arbitrary<T>
}

const sample = <T>(name: string, codec: Codec<T>, value: fc.Arbitrary<T>): Sample =>
  ({ name, codec, value }) as unknown as Sample

// decode gives plain objects, and strict equality sees prototypes.
const PLAIN = { noNullPrototype: true } as const

const array = (constraints: fc.IntArrayConstraints) =>
  fc.uint8Array(constraints).map((drawn) => new Uint8Array(drawn))

const even: Codec<number> = mapped(
  u16,
  (value: number) => value / 2,
  (raw) => raw * 2,
)

type Shape =
  | { readonly kind: "empty" }
  | { readonly kind: "numbered"; readonly n: number }
  | { readonly kind: "named"; readonly name: string; readonly nick: string | null }

const shape: Codec<Shape> = union<Shape>({
  empty: struct({}),
  numbered: struct({ n: u16 }),
  named: struct<{ name: string; nick: string | null }>({
    name: text(1000),
    nick: nullable(text(9)),
  }),
})

const shapes: fc.Arbitrary<Shape> = fc.oneof(
  fc.constant<Shape>({ kind: "empty" }),
  fc.record({ kind: fc.constant("numbered" as const), n: fc.nat({ max: 0xffff }) }, PLAIN),
  fc.record(
    {
      kind: fc.constant("named" as const),
      name: fc.string({ unit: "grapheme", maxLength: 3 }),
      nick: fc.option(fc.string({ maxLength: 9 }), { nil: null }),
    },
    PLAIN,
  ),
)

/** Every combinator without parts. */
export const leaves: readonly Sample[] = [
  sample("u8", u8, fc.nat({ max: 0xff })),
  sample("u16", u16, fc.nat({ max: 0xffff })),
  sample("u32", u32, fc.nat({ max: 0xffff_ffff })),
  sample("u64", u64, fc.bigInt({ min: 0n, max: (1n << 64n) - 1n })),
  sample("safeInteger", safeInteger, fc.maxSafeNat()),
  sample("bool", bool, fc.boolean()),
  sample("fixedBytes", fixedBytes(5), array({ minLength: 5, maxLength: 5 })),
  sample("bytes", bytes(300), array({ maxLength: 300, size: "max" })),
  sample("text", text(1000), fc.string({ unit: "grapheme", maxLength: 4 })),
  sample("oneOf", oneOf("red", "green", "blue"), fc.constantFrom("red", "green", "blue")),
  sample("constant", constant(Uint8Array.of(1, 2, 3)), fc.constant(null)),
  sample(
    "mapped",
    even,
    fc.nat({ max: 0x7fff }).map((half) => half * 2),
  ),
  sample("union", shape, shapes),
]

/** A value is told from null by being one: a nullable of null-carrying codecs would not be. */
const carriesNull = (part: Sample) => /constant|nullable/.test(part.name.split(" of ")[0] ?? "")

function combine(parts: readonly [Sample, Sample], which: number): Sample {
  const [a, b] = parts
  if (which === 0) {
    const codec = struct<{ a: unknown; b: unknown }>({ a: a.codec, b: b.codec })
    return sample(
      `struct of ${a.name}, ${b.name}`,
      codec,
      fc.record({ a: a.value, b: b.value }, PLAIN),
    )
  }
  if (which === 1) {
    const values = fc.array(a.value, { maxLength: 4 })
    return sample(`list of ${a.name}`, list(a.codec, 4), values)
  }
  if (which === 2 && !carriesNull(a)) {
    const value = fc.option(a.value, { nil: null })
    return sample(`nullable of ${a.name}`, nullable(a.codec), value)
  }
  const key = fc.nat({ max: 0xffff })
  const entries = fc.uniqueArray(fc.tuple(key, b.value), { selector: ([k]) => k, maxLength: 4 })
  const sorted = entries.map((drawn) => new Map(drawn.sort(([x], [y]) => x - y)))
  return sample(`numberMap of ${b.name}`, numberMap(u16, b.codec, 4), sorted)
}

/** Random compositions of combinators up to `depth` levels. */
export function compositions(depth: number): fc.Arbitrary<Sample> {
  const leaf = fc.constantFrom(...leaves)
  if (depth === 0) return leaf
  const part = compositions(depth - 1)
  const combined = fc
    .tuple(part, part, fc.nat({ max: 3 }))
    .map(([a, b, which]) => combine([a, b], which))
  return fc.oneof({ weight: 1, arbitrary: leaf }, { weight: 4, arbitrary: combined })
}
