import { randomBytes } from "node:crypto"
import { createRequire } from "node:module"
import type { Bytes } from "@lockkeeper/encoding"
import { fermatInverse } from "./fermat-inverse.ts"
import type { Secp256k1Backend } from "./secp256k1.ts"

/** The part of the native binding that is used here. Its operations write to their first input. */
interface Binding {
  contextRandomize(seed: Uint8Array): void
  privateKeyNegate(key: Uint8Array): Bytes
  privateKeyTweakAdd(key: Uint8Array, tweak: Uint8Array): Bytes
  privateKeyTweakMul(key: Uint8Array, tweak: Uint8Array): Bytes
  publicKeyVerify(key: Uint8Array): boolean
  publicKeyCreate(key: Uint8Array): Bytes
  publicKeyCombine(keys: readonly Uint8Array[]): Bytes
  publicKeyTweakMul(key: Uint8Array, tweak: Uint8Array): Bytes
  ecdh(
    key: Uint8Array,
    scalar: Uint8Array,
    options: { hashfn: (x: Uint8Array, y: Uint8Array) => Uint8Array },
    output: Uint8Array,
  ): Bytes
}

/** Loads the native build itself: the package's index falls back silently to slow JavaScript. */
function loadNative(): Binding | null {
  try {
    return createRequire(import.meta.url)("secp256k1/bindings.js") as Binding
  } catch {
    return null
  }
}

/** The whole point, where ECDH would hash it: libsecp256k1 multiplies in constant time only here. */
function compress(x: Uint8Array, y: Uint8Array): Bytes {
  const point = new Uint8Array(33)
  point[0] = 2 + ((y[31] as number) & 1)
  point.set(x, 1)
  return point
}

/** Null where a sum is zero or the identity, which is all that the binding can object to here. */
function orNull(compute: () => Bytes): Bytes | null {
  try {
    return compute()
  } catch {
    return null
  }
}

function nativeBackend(native: Binding): Secp256k1Backend {
  // Blinds base multiplications against power and timing analysis; changes no result.
  native.contextRandomize(randomBytes(32))
  const multiplyScalars = (a: Uint8Array, b: Uint8Array) =>
    native.privateKeyTweakMul(new Uint8Array(a), b)
  return {
    name: "libsecp256k1 (native)",
    isPoint: (bytes) => native.publicKeyVerify(bytes),
    addScalars: (a, b) => orNull(() => native.privateKeyTweakAdd(new Uint8Array(a), b)),
    multiplyScalars,
    negateScalar: (a) => native.privateKeyNegate(new Uint8Array(a)),
    invertScalar: (a) => fermatInverse(a, multiplyScalars),
    multiplyBase: (scalar) => native.publicKeyCreate(scalar),
    multiply: (point, scalar) =>
      native.ecdh(point, scalar, { hashfn: compress }, new Uint8Array(33)),
    multiplyPublic: (point, scalar) => native.publicKeyTweakMul(point, scalar),
    sumPoints: (points) => orNull(() => native.publicKeyCombine(points)),
  }
}

const native = loadNative()

export const backend: Secp256k1Backend =
  native === null ? (await import("./secp256k1-wasm.ts")).backend : nativeBackend(native)
