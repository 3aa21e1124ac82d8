import type { Bytes } from "@lockkeeper/encoding"

// n - 2 in hexadecimal digits, most significant first; public, so it may steer the loop.
const EXPONENT = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd036413f"

type Multiply = (a: Uint8Array, b: Uint8Array) => Bytes

/**
 * a^(n-2) = a^-1 modulo the order n of secp256k1, in four-bit windows. As constant in time as the
 * multiplication it is given; neither library exposes an inversion of its own.
 */
export function fermatInverse(a: Uint8Array, multiply: Multiply): Bytes {
  const powers: Bytes[] = [new Uint8Array(32), new Uint8Array(a)]
  for (let i = 2; i < 16; i++) powers.push(multiply(powers[i - 1] as Bytes, a))
  let result = new Uint8Array(powers[15] as Bytes)
  for (const digit of EXPONENT.slice(1)) {
    for (let i = 0; i < 4; i++) result = multiply(result, result)
    const window = Number.parseInt(digit, 16)
    if (window > 0) result = multiply(result, powers[window] as Bytes)
  }
  for (const power of powers) power.fill(0)
  return result
}
