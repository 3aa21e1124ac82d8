import type { Group, Scalar } from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, type Reader, type Writer } from "@lockkeeper/encoding"

/** Length of a scalar of any of the groups. */
export const SCALAR_LENGTH = 32

/** Exactly these items in this order, without a count: the parameters of the run say how many. */
export function inOrder<T>(items: readonly Codec<T>[]): Codec<readonly T[]> {
  return {
    write(writer: Writer, values) {
      if (values.length !== items.length) throw new RangeError(`expected ${items.length} items`)
      items.forEach((item, i) => {
        item.write(writer, values[i]!)
      })
    },
    read(reader: Reader) {
      return items.map((item, i) => reader.within(String(i), () => item.read(reader)))
    },
  }
}

/** Scalars of one batch, one after the other: a secret, which the caller wipes. */
export function packScalars(scalars: readonly Scalar[]): Bytes {
  const packed = new Uint8Array(scalars.length * SCALAR_LENGTH)
  scalars.forEach((scalar, i) => {
    packed.set(scalar, i * SCALAR_LENGTH)
  })
  return packed
}

/** The scalar at `index`, or null when the bytes there are not reduced. */
export function scalarAt(group: Group, packed: Uint8Array, index: number): Scalar | null {
  const raw = packed.subarray(index * SCALAR_LENGTH, (index + 1) * SCALAR_LENGTH)
  try {
    return group.decodeScalar(raw)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
