import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName, type Identifier, interpolate, type Scalar } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import {
  groupOf,
  KEY_TYPES,
  type KeyPackage,
  type KeyType,
  keyCertificateCodec,
  verifyKeyCertificate,
} from "../src/index.ts"
import { driveHonest, paramsFor } from "./dkg-cluster.ts"
import { rosterOf } from "./messages-fixtures.ts"

function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) =>
    subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]),
  )
}

/** Only a test may do this: whoever interpolates minSigners shares holds the whole key. */
function reconstruct(keyType: KeyType, keys: readonly KeyPackage[]) {
  const group = groupByName(groupOf(keyType))
  const shares = keys.map((key) => [key.identifier, key.signingShare.expose() as Scalar] as const)
  return group.multiplyBase(interpolate(group, new Map(shares)))
}

const SIZES: readonly (readonly [number, readonly Identifier[]])[] = [
  [2, [1, 2]],
  [2, [1, 2, 3]],
  [3, [1, 2, 3]],
  [3, [2, 5, 9, 300, 65535]],
  [4, [1, 2, 3, 4, 5, 6, 7]],
]

for (const keyType of KEY_TYPES) {
  for (const [minSigners, participants] of SIZES) {
    test(`${keyType}: ${minSigners} of ${participants.length} agree on one key`, () => {
      const params = paramsFor(minSigners, participants, keyType)
      const { task, keys, certificates, aborts } = driveHonest(params, "run")
      assert.equal(aborts.size, 0)
      assert.equal(task.kind, "activate")
      assert.equal(keys.size, participants.length)
      const { verifyingKey, verifyingShares } = task.certificate.public
      const group = groupByName(groupOf(keyType))
      for (const [identifier, key] of keys) {
        const share = group.multiplyBase(key.signingShare.expose() as Scalar)
        assert.deepEqual(share, verifyingShares.get(identifier))
      }
      for (const some of subsets([...keys.values()], minSigners)) {
        assert.deepEqual(reconstruct(keyType, some), verifyingKey)
      }
      const fewer = [...keys.values()].slice(1, minSigners)
      assert.notDeepEqual(reconstruct(keyType, fewer), verifyingKey)
      const expected = encode(keyCertificateCodec, task.certificate)
      for (const certificate of certificates) {
        assert.deepEqual(encode(keyCertificateCodec, certificate), expected)
      }
      assert.ok(verifyKeyCertificate(task.certificate, rosterOf(participants)).ok)
    })
  }
}
