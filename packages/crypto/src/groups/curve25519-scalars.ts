import type { Bytes } from "@lockkeeper/encoding"
import { sodium } from "../backends/sodium.ts"
import type { Engine } from "./engine.ts"

/** 2^252 + 27742317777372353535851937790883648493, of edwards25519 and ristretto255 alike. */
export const EDWARDS_ORDER = 0x1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3edn

/** Scalar arithmetic modulo the order of edwards25519, constant time. */
export const curve25519Scalars = {
  order: EDWARDS_ORDER,
  byteOrder: "little",
  elementLength: 32,
  backend: `libsodium ${sodium.SODIUM_VERSION_STRING} (WASM)`,
  reduceUniform: (bytes) => sodium.crypto_core_ed25519_scalar_reduce(bytes) as Bytes,
  addScalars: (a, b) => sodium.crypto_core_ed25519_scalar_add(a, b) as Bytes,
  multiplyScalars: (a, b) => sodium.crypto_core_ed25519_scalar_mul(a, b) as Bytes,
  negateScalar: (a) => sodium.crypto_core_ed25519_scalar_negate(a) as Bytes,
  invertScalar: (a) => sodium.crypto_core_ed25519_scalar_invert(a) as Bytes,
} satisfies Partial<Engine>
