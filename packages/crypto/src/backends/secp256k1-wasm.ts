import type { Bytes } from "@lockkeeper/encoding"
import { secp256k1 as noble } from "@noble/curves/secp256k1.js"
import * as tiny from "tiny-secp256k1"
import { fermatInverse } from "./fermat-inverse.ts"
import type { Secp256k1Backend } from "./secp256k1.ts"

const { Fn } = noble.Point

// The WebAssembly build exports no scalar multiplication: a bigint product, not constant in time.
const multiplyScalars = (a: Uint8Array, b: Uint8Array) =>
  Fn.toBytes(Fn.mul(Fn.fromBytes(a), Fn.fromBytes(b))) as Bytes

function multiply(point: Uint8Array, scalar: Uint8Array): Bytes {
  const product = tiny.pointMultiply(point, scalar, true)
  if (product === null) throw new Error("libsecp256k1 (WASM) refused a valid multiplication")
  return product as Bytes
}

/** libsecp256k1 in WebAssembly: secret variable-base multiplications are variable time. */
export const backend: Secp256k1Backend = {
  name: "libsecp256k1 (WASM; secret multiplications are variable time)",
  isPoint: (bytes) => tiny.isPointCompressed(bytes),
  addScalars: (a, b) => tiny.privateAdd(a, b) as Bytes | null,
  multiplyScalars,
  negateScalar: (a) => tiny.privateNegate(a) as Bytes,
  invertScalar: (a) => fermatInverse(a, multiplyScalars),
  multiplyBase(scalar) {
    const point = tiny.pointFromScalar(scalar, true)
    if (point === null) throw new Error("libsecp256k1 (WASM) refused a valid scalar")
    return point as Bytes
  },
  multiply,
  multiplyPublic: multiply,
  sumPoints(points) {
    let total: Bytes | null = null
    for (const point of points) {
      total = (total === null ? point : tiny.pointAdd(total, point, true)) as Bytes | null
    }
    return total
  },
}
