import { createHash } from "node:crypto"

// BIP340's own words in plain bigints, so that the verdict depends on none of our backends. Public
// values only: nothing here is constant time.

const P = 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const G = {
  x: 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  y: 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
}

interface Point {
  readonly x: bigint
  readonly y: bigint
}

/** Homogeneous: x/z^2, y/z^3. */
interface Jacobian extends Point {
  readonly z: bigint
}

/** BIP340 "Verification". @param message - 32 bytes in Lock Keeper, any length in the BIP. */
export function verifyBip340(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false
  const key = liftX(numberOf(publicKey))
  const [r, s] = [numberOf(signature.subarray(0, 32)), numberOf(signature.subarray(32))]
  if (key === null || r >= P || s >= N) return false
  const e =
    numberOf(taggedHash("BIP0340/challenge", signature.subarray(0, 32), publicKey, message)) % N
  // R = s*G - e*P
  const point = add(multiply(G, s), multiply({ x: key.x, y: P - key.y }, e))
  if (point.z === 0n) return false
  const inverse = power(point.z, P - 2n)
  const x = mod(point.x * inverse * inverse)
  const y = mod(point.y * inverse * inverse * inverse)
  return y % 2n === 0n && x === r
}

function taggedHash(tag: string, ...parts: readonly Uint8Array[]): Uint8Array {
  const tagHash = createHash("sha256").update(tag).digest()
  const hash = createHash("sha256").update(tagHash).update(tagHash)
  for (const part of parts) hash.update(part)
  return hash.digest()
}

function numberOf(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`)
}

function mod(value: bigint): bigint {
  const rest = value % P
  return rest < 0n ? rest + P : rest
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n
  let square = mod(base)
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square)
    square = mod(square * square)
  }
  return result
}

/** The point with this x-coordinate and an even y, or null. */
function liftX(x: bigint): Point | null {
  if (x >= P) return null
  const c = mod(x * x * x + 7n)
  const y = power(c, (P + 1n) / 4n)
  if (mod(y * y) !== c) return null
  return { x, y: y % 2n === 0n ? y : P - y }
}

function double({ x, y, z }: Jacobian): Jacobian {
  const yy = mod(y * y)
  const s = mod(4n * x * yy)
  const m = mod(3n * x * x)
  const x3 = mod(m * m - 2n * s)
  return { x: x3, y: mod(m * (s - x3) - 8n * yy * yy), z: mod(2n * y * z) }
}

function add(a: Jacobian, b: Jacobian): Jacobian {
  if (a.z === 0n) return b
  if (b.z === 0n) return a
  const [aa, bb] = [mod(a.z * a.z), mod(b.z * b.z)]
  const [u1, u2] = [mod(a.x * bb), mod(b.x * aa)]
  const [s1, s2] = [mod(a.y * bb * b.z), mod(b.y * aa * a.z)]
  if (u1 === u2) return s1 === s2 ? double(a) : { x: 1n, y: 1n, z: 0n }
  const [h, r] = [mod(u2 - u1), mod(s2 - s1)]
  const [hh, hhh] = [mod(h * h), mod(h * h * h)]
  const x = mod(r * r - hhh - 2n * u1 * hh)
  return { x, y: mod(r * (u1 * hh - x) - s1 * hhh), z: mod(h * a.z * b.z) }
}

function multiply({ x, y }: Point, scalar: bigint): Jacobian {
  let result: Jacobian = { x: 1n, y: 1n, z: 0n }
  let power2: Jacobian = { x, y, z: 1n }
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, power2)
    power2 = double(power2)
  }
  return result
}
