import assert from "node:assert/strict"
import { test } from "node:test"
import {
  groupByName,
  type Identifier,
  interpolate,
  type Scalar,
  sha256,
  verifySignature,
} from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { frost, type KeyCertificate, verifyKeyCertificate } from "@lockkeeper/protocols"
import { signWith } from "./flows.ts"
import {
  goOnTo,
  holdersOfKey,
  logIn,
  move,
  rowAt,
  type Shape,
  settle,
  shownAt,
  startMoves,
} from "./move-flows.ts"
import { type ReshareWorld, refusalOf, verifyKeysOf } from "./reshare-flows.ts"
import { subsets } from "./subsets.ts"

const A: Shape = { holders: [1, 2, 3], minSigners: 2 }
const B: Shape = { holders: [4, 5, 6], minSigners: 2 }

const CHANGES: readonly (readonly [string, Shape, Shape])[] = [
  ["2 of 3 to three others", A, B],
  ["2 of 3 to 3 of 5", A, { holders: [1, 2, 3, 4, 5], minSigners: 3 }],
  [
    "3 of 5 to 2 of 3",
    { holders: [1, 2, 3, 4, 5], minSigners: 3 },
    { holders: [1, 2, 6], minSigners: 2 },
  ],
]

type Share = readonly [Identifier, Bytes]

async function sharesOf(world: ReshareWorld, keyId: Bytes): Promise<readonly Share[]> {
  const shares: Share[] = []
  for (const id of await holdersOfKey(world, keyId)) {
    const row = await rowAt(world, id, keyId)
    assert.ok(row)
    shares.push([id, row.keyPackage.signingShare.expose().slice()])
  }
  return shares
}

function keyOf({ public: { group } }: KeyCertificate, shares: readonly Share[]): Bytes {
  const points = new Map(shares.map(([id, share]) => [id, share as Scalar]))
  return groupByName(group).multiplyBase(interpolate(groupByName(group), points))
}

/** Every set of new shares makes the key; no mixture makes it that t - 1 and t' - 1 could bring together. */
function assertApart(
  certificate: KeyCertificate,
  [old, oldMin]: readonly [readonly Share[], number],
  [now, nowMin]: readonly [readonly Share[], number],
): number {
  const { verifyingKey } = certificate.public
  for (const some of subsets(now, nowMin)) assert.deepEqual(keyOf(certificate, some), verifyingKey)
  let tried = 0
  for (const before of subsets(old, oldMin - 1)) {
    for (const after of subsets(now, nowMin - 1)) {
      for (const points of mixtures([...before, ...after])) {
        assert.notDeepEqual(keyOf(certificate, points), verifyingKey)
        tried++
      }
    }
  }
  return tried
}

/** Every set of them in which no identifier stands twice. */
function mixtures(shares: readonly Share[]): Share[][] {
  const sizes = shares.map((_, i) => i + 1)
  const all = sizes.flatMap((size) => subsets(shares, size))
  return all.filter((some) => new Set(some.map(([id]) => id)).size === some.length)
}

/** Every new set of signers signs with the key as it was, and shows the same public key. */
async function assertSigns(world: ReshareWorld, { holders, minSigners }: Shape): Promise<void> {
  const sessions = await logIn(world, holders)
  const [first] = sessions
  assert.ok(first)
  for (const { public: pkg } of world.certificates) {
    if (pkg.keyType === "ecdsa-secp256k1") continue
    const certificate = await shownAt(world, first, pkg.keyId)
    assert.ok(verifyKeyCertificate(certificate, verifyKeysOf(world)).ok)
    assert.deepEqual(certificate.public.verifyingKey, pkg.verifyingKey)
    assert.equal(certificate.public.minSigners, minSigners)
    for (const some of subsets(sessions, minSigners)) {
      const message = sha256(utf8(`signed by ${some.map(({ to }) => to.identifier)}`))
      const signature = await signWith(world.owner, some, certificate, message)
      const publicKey = frost.publicKeyOf(certificate.public) as Bytes
      assert.equal(signature.length, 64)
      if (pkg.keyType === "ed25519") assert.ok(verifySignature(publicKey, message, signature))
    }
  }
}

for (const [name, from, to] of CHANGES) {
  test(`keys of every type move from ${name}: new shares sign, and none with old ones`, async () => {
    const world = await startMoves(from)
    const old = new Map<KeyCertificate, readonly Share[]>()
    for (const one of world.certificates) old.set(one, await sharesOf(world, one.public.keyId))
    await goOnTo(world, to)
    await move(world)
    for (const certificate of world.certificates) {
      const now = await sharesOf(world, certificate.public.keyId)
      assert.deepEqual(
        now.map(([id]) => id),
        to.holders,
      )
      const before = old.get(certificate) as readonly Share[]
      const tried = assertApart(certificate, [before, from.minSigners], [now, to.minSigners])
      assert.ok(tried > 0)
    }
    await assertSigns(world, to)
  })
}

test("keys that come back to their first holders are in no generation of before", async () => {
  const world = await startMoves(A, ["ed25519"])
  const [certificate] = world.certificates
  assert.ok(certificate)
  const { keyId } = certificate.public
  const first = await sharesOf(world, keyId)
  await goOnTo(world, B)
  await move(world)
  const second = await sharesOf(world, keyId)
  await assertSigns(world, B)
  await settle(world)
  await goOnTo(world, A)
  world.cluster.clock.time += 1000
  await move(world)
  assert.deepEqual(await holdersOfKey(world, keyId), [1, 2, 3])
  const third = await sharesOf(world, keyId)
  for (const before of [first, second]) assertApart(certificate, [before, 2], [third, 2])
  await assertSigns(world, A)
  assert.equal((await rowAt(world, 1, keyId))?.keyPackage.public.keyEpoch, 3)
  // Where the share has left, the owner is told where it is, and nothing is signed.
  const [left] = await logIn(world, [4, 5])
  assert.ok(left)
  const shown = await shownAt(world, left, keyId)
  assert.deepEqual([...shown.public.verifyingShares.keys()], [1, 2, 3])
  const message = sha256(utf8("too late"))
  const signing = signWith(world.owner, [left], shown, message)
  assert.equal(await refusalOf(signing), "conflict keyEpoch")
})
