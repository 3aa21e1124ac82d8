import { type Bytes, fromHex } from "@lockkeeper/encoding"
import type { Secp256k1Backend } from "../backends/secp256k1.ts"
import type { Engine } from "./engine.ts"
import type { Group, Scalar } from "./group.ts"
import { groupOver } from "./group-over.ts"
import { integerToBytes, isZero } from "./scalar-bytes.ts"

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const TWO_248 = integerToBytes(1n << 248n, "big") as Scalar
const TWO_496 = integerToBytes((1n << 496n) % ORDER, "big") as Scalar
const GENERATOR = fromHex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")

/** `length` big-endian bytes, below 2^248, as a scalar that needs no reduction. */
function chunk(bytes: Uint8Array): Scalar {
  const scalar = new Uint8Array(32)
  scalar.set(bytes, 32 - bytes.length)
  return scalar as Bytes as Scalar
}

/** secp256k1 over one backend, which itself never sees zero or the identity. */
export function secp256k1Over(backend: Secp256k1Backend): Group {
  const zero = () => new Uint8Array(32)
  const addScalars = (a: Scalar, b: Scalar): Bytes => {
    if (isZero(a)) return new Uint8Array(b)
    if (isZero(b)) return new Uint8Array(a)
    return backend.addScalars(a, b) ?? zero()
  }
  const multiplyScalars = (a: Scalar, b: Scalar): Bytes =>
    isZero(a) || isZero(b) ? zero() : backend.multiplyScalars(a, b)

  const engine: Engine = {
    name: "secp256k1",
    backend: backend.name,
    order: ORDER,
    byteOrder: "big",
    elementLength: 33,
    generator: GENERATOR,
    identity: new Uint8Array(33),
    isElement: (bytes) => backend.isPoint(bytes),
    reduceUniform(bytes) {
      // c0 * 2^496 + c1 * 2^248 + c2, each chunk below the order, so no bigint sees a nonce.
      const chunks = [bytes.subarray(0, 2), bytes.subarray(2, 33), bytes.subarray(33)].map(chunk)
      const [c0, c1, c2] = chunks as [Scalar, Scalar, Scalar]
      const high = multiplyScalars(c0, TWO_496) as Scalar
      const middle = multiplyScalars(c1, TWO_248) as Scalar
      const upper = addScalars(high, middle) as Scalar
      const reduced = addScalars(upper, c2)
      for (const part of [...chunks, high, middle, upper]) part.fill(0)
      return reduced
    },
    addScalars,
    multiplyScalars,
    negateScalar: (a) => (isZero(a) ? zero() : backend.negateScalar(a)),
    invertScalar: (a) => backend.invertScalar(a),
    multiplyBase: (scalar) => backend.multiplyBase(scalar),
    multiply: (point, scalar) => backend.multiply(point, scalar),
    multiplyPublic: (point, scalar) => backend.multiplyPublic(point, scalar),
    sum: (points) => backend.sumPoints(points) ?? new Uint8Array(33),
    negate(point) {
      const negated = new Uint8Array(point)
      negated[0] = (negated[0] as number) ^ 1
      return negated
    },
  }
  return groupOver(engine)
}
