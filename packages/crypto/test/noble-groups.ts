import { type Bytes, concat } from "@lockkeeper/encoding"
import { ed25519, ristretto255 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import type { Engine } from "../src/groups/engine.ts"
import type { Group, GroupName } from "../src/groups/group.ts"
import { groupOver } from "../src/groups/group-over.ts"
import { bytesToInteger, integerToBytes } from "../src/groups/scalar-bytes.ts"

interface NoblePoint {
  add(other: NoblePoint): NoblePoint
  negate(): NoblePoint
  multiply(scalar: bigint): NoblePoint
  is0(): boolean
  isTorsionFree?(): boolean
  toBytes(): Uint8Array
}

interface NobleCurve {
  readonly BASE: NoblePoint
  readonly ZERO: NoblePoint
  readonly Fn: { readonly ORDER: bigint; inv(a: bigint): bigint }
  fromBytes(bytes: Uint8Array): NoblePoint
}

/** One of our groups computed by noble's bigints: the oracle that the fast backends must equal. */
function nobleGroup(name: GroupName, curve: NobleCurve): Group {
  const big = name === "secp256k1"
  const byteOrder = big ? "big" : "little"
  const identity = big ? new Uint8Array(33) : (curve.ZERO.toBytes() as Bytes)
  const order = curve.Fn.ORDER
  const integer = (bytes: Uint8Array) => bytesToInteger(bytes, byteOrder)
  const scalar = (value: bigint) => integerToBytes(((value % order) + order) % order, byteOrder)
  const out = (point: NoblePoint) => (point.is0() ? identity : (point.toBytes() as Bytes))
  const multiply = (element: Uint8Array, by: Uint8Array) =>
    out(curve.fromBytes(element).multiply(integer(by)))
  const engine: Engine = {
    name,
    backend: "noble",
    order,
    byteOrder,
    elementLength: big ? 33 : 32,
    generator: curve.BASE.toBytes() as Bytes,
    identity,
    isElement(bytes) {
      try {
        return curve.fromBytes(bytes).isTorsionFree?.() ?? true
      } catch {
        return false
      }
    },
    reduceUniform: (bytes) => scalar(integer(bytes)),
    addScalars: (a, b) => scalar(integer(a) + integer(b)),
    multiplyScalars: (a, b) => scalar(integer(a) * integer(b)),
    negateScalar: (a) => scalar(-integer(a)),
    invertScalar: (a) => scalar(curve.Fn.inv(integer(a))),
    multiplyBase: (by) => out(curve.BASE.multiply(integer(by))),
    multiply,
    multiplyPublic: multiply,
    sum: (elements) =>
      out(elements.reduce((total, e) => total.add(curve.fromBytes(e)), curve.ZERO)),
    negate: (element) => out(curve.fromBytes(element).negate()),
  }
  return groupOver(engine)
}

export const nobleGroups: Readonly<Record<GroupName, Group>> = {
  edwards25519: nobleGroup("edwards25519", ed25519.Point as unknown as NobleCurve),
  ristretto255: nobleGroup("ristretto255", ristretto255.Point as unknown as NobleCurve),
  secp256k1: nobleGroup("secp256k1", secp256k1.Point as unknown as NobleCurve),
}

/** The order-8 point of edwards25519 that generates its torsion subgroup. */
export const torsionGenerator: Bytes = concat(
  Uint8Array.from(
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a".match(/../g) ?? [],
    (byte) => Number.parseInt(byte, 16),
  ),
)
