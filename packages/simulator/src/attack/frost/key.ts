import {
  type Element,
  evaluatePolynomial,
  groupByName,
  type Identifier,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import {
  confirmAddition,
  confirmKey,
  groupOf,
  type KeyCertificate,
  type KeyPackage,
  type KeyType,
  type PublicKeyPackage,
} from "@lockkeeper/protocols"
import { identityOf, seeded } from "../seeded.ts"

export const ROSTER_EPOCH = 7

/** A key dealt for the attack, which everyone has confirmed. */
export interface DealtKey {
  readonly certificate: KeyCertificate
  readonly keys: ReadonlyMap<Identifier, KeyPackage>
}

export function dealKey(
  keyType: KeyType,
  holders: readonly Identifier[],
  minSigners: number,
  name = "key",
  devices: readonly Identifier[] = [],
): DealtKey {
  const group = groupByName(groupOf(keyType))
  const coefficients = Array.from({ length: minSigners }, (_, i) =>
    group.scalarFromUniform(seeded(`${keyType}/${name}/${i}`, 64)),
  )
  const share = (holder: Identifier): Scalar =>
    devices.includes(holder)
      ? group.scalarFromUniform(seeded(`${keyType}/${name}/device/${holder}`, 64))
      : evaluatePolynomial(group, coefficients, holder)
  const imageOf = (holder: Identifier) => group.multiplyBase(share(holder))
  const shared = group.multiplyBase(coefficients[0] as Scalar)
  const pkg: PublicKeyPackage = {
    keyId: seeded(`${keyType}/${name}/id`),
    keyType,
    group: groupOf(keyType),
    keyEpoch: 1,
    rosterEpoch: ROSTER_EPOCH,
    minSigners,
    verifyingKey: devices.reduce((sum, one) => group.add(sum, imageOf(one)), shared),
    verifyingShares: new Map<Identifier, Element>(holders.map((i) => [i, imageOf(i)])),
    additive: new Map(
      devices.map((i) => [i, { publicShare: imageOf(i), identityKey: identityOf(i).publicKey }]),
    ),
  }
  const everyone = [...holders, ...devices]
  const confirmations = new Map<Identifier, Bytes>(
    everyone.map((i) => {
      const confirm = devices.includes(i) ? confirmAddition : confirmKey
      return [i, confirm(identityOf(i), pkg)]
    }),
  )
  const keys = new Map<Identifier, KeyPackage>(
    everyone.map((identifier) => {
      const signingShare = new Secret(share(identifier))
      return [identifier, { identifier, signingShare, public: pkg }]
    }),
  )
  return { certificate: { public: pkg, confirmations }, keys }
}
