import assert from "node:assert/strict"
import { test } from "node:test"
import { sha256, verifySignature } from "@lockkeeper/crypto"
import { type Bytes, utf8 } from "@lockkeeper/encoding"
import { frost, verifyKeyCertificate } from "@lockkeeper/protocols"
import { signWith } from "./flows.ts"
import { goOnTo, holdersOfKey, logIn, move, type Shape, shownAt, startMoves } from "./move-flows.ts"
import { verifyKeysOf } from "./reshare-flows.ts"
import { subsets } from "./subsets.ts"

const CHANGES: readonly (readonly [string, Shape, Shape])[] = [
  [
    "2 of 3 to three others",
    { holders: [1, 2, 3], minSigners: 2 },
    { holders: [4, 5, 6], minSigners: 2 },
  ],
  [
    "2 of 3 to 3 of 5",
    { holders: [1, 2, 3], minSigners: 2 },
    { holders: [1, 2, 3, 4, 5], minSigners: 3 },
  ],
  [
    "3 of 5 to 2 of 3",
    { holders: [1, 2, 3, 4, 5], minSigners: 3 },
    { holders: [1, 2, 6], minSigners: 2 },
  ],
]

for (const [name, from, to] of CHANGES) {
  test(`keys move from ${name}, and every new set of signers signs with them`, async () => {
    const world = await startMoves(from, ["ed25519", "bip340"])
    await goOnTo(world, to)
    await move(world)
    const sessions = await logIn(world, to.holders)
    for (const { public: pkg } of world.certificates) {
      assert.deepEqual(await holdersOfKey(world, pkg.keyId), [...to.holders])
      const [first] = sessions
      assert.ok(first)
      const certificate = await shownAt(world, first, pkg.keyId)
      assert.ok(verifyKeyCertificate(certificate, verifyKeysOf(world)).ok)
      assert.deepEqual(certificate.public.verifyingKey, pkg.verifyingKey)
      assert.equal(certificate.public.minSigners, to.minSigners)
      for (const some of subsets(sessions, to.minSigners)) {
        const message = sha256(
          utf8(`signed by ${some.map(({ to: { identifier } }) => identifier)}`),
        )
        const signature = await signWith(world.owner, some, certificate, message)
        const publicKey = frost.publicKeyOf(certificate.public) as Bytes
        assert.equal(signature.length, 64)
        if (pkg.keyType === "ed25519") assert.ok(verifySignature(publicKey, message, signature))
      }
    }
  })
}
