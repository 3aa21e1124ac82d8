import assert from "node:assert/strict"
import { test } from "node:test"
import { secp256k1 } from "@lockkeeper/crypto"
import { concat } from "@lockkeeper/encoding"
import { deriveChild } from "../src/child-keys.ts"
import { encodeEvidence, verifyEvidence } from "../src/evidence/evidence.ts"
import { publicKeyOf, verify } from "../src/frost/aggregate.ts"
import { commit } from "../src/frost/commitment.ts"
import { openCommitment, openPackage, preparePackage } from "../src/frost/package.ts"
import { FROST_KEY_TYPES } from "../src/frost/suites.ts"
import { NO_TWEAK } from "../src/frost/taproot.ts"
import { KEY_TYPES } from "../src/key-types.ts"
import type { Message } from "../src/messages/message.ts"
import {
  assertAbort,
  makeCluster,
  makeSession,
  participant,
  ROSTER_EPOCH,
  seeded,
} from "./frost-fixture.ts"
import { resign } from "./frost-tamper.ts"

const ecdsa = makeCluster({ keyType: "ecdsa-secp256k1" })

test("FROST signs for every type of key but that of threshold ECDSA", () => {
  assert.deepEqual(
    KEY_TYPES.filter((keyType) => !(FROST_KEY_TYPES as readonly string[]).includes(keyType)),
    ["ecdsa-secp256k1"],
  )
})

test("an ECDSA key commits to no nonces", () => {
  const { key, identity } = participant(ecdsa, 1)
  const randomness = seeded("nonces", 96)
  assert.throws(() => commit({ key, identity, rosterEpoch: ROSTER_EPOCH, randomness }), {
    name: "RangeError",
    message: "FROST does not sign for ecdsa-secp256k1 keys",
  })
})

test("no package is made or opened under an ECDSA key", () => {
  const { cluster, package: pkg } = makeSession(makeCluster(), [1, 2])
  const { keyId, keyEpoch } = ecdsa.public
  const context = { public: ecdsa.public, verifyKeys: cluster.verifyKeys }
  const outcome = openPackage({ ...pkg, keyId, keyEpoch, commitments: [] }, context)
  assert.equal(assertAbort(outcome, "wrong-key-type").field, "keyId")
  assertAbort(preparePackage(pkg, ecdsa.public, []), "wrong-key-type")
})

test("a commitment that says it is for an ECDSA key is refused, and proves nothing", () => {
  const cluster = makeCluster({ keyType: "bip340" })
  const [, honest] = makeSession(cluster, [1, 2]).package.commitments as [Message, Message]
  const type = KEY_TYPES.indexOf("ecdsa-secp256k1")
  for (const tail of [honest.broadcast.slice(1), new Uint8Array(5)]) {
    const broadcast = concat(Uint8Array.of(type), tail)
    const claims = resign(cluster, 2, honest, { broadcast })
    const { verifyKeys } = cluster
    const rosterEpoch = ROSTER_EPOCH
    for (const key of [
      cluster.public,
      { ...cluster.public, keyType: "ecdsa-secp256k1" },
    ] as const) {
      const opened = openCommitment(claims, { public: key, verifyKeys, rosterEpoch })
      assertAbort(opened, "wrong-key")
    }
    const file = encodeEvidence({ kind: "frost-commitment", commitment: claims })
    assert.deepEqual(verifyEvidence(file, verifyKeys), {
      valid: false,
      why: "the commitment is for a key type that FROST does not sign for in this version",
    })
  }
})

test("no FROST signature verifies under an ECDSA key, whatever scheme made it", () => {
  assert.equal(verify(ecdsa.public, seeded("m"), new Uint8Array(64)), false)
  assert.equal(verify(ecdsa.public, seeded("m"), new Uint8Array(65), NO_TWEAK, [0]), false)
})

test("an ECDSA key is known by its compressed point, and has children but no tweak", () => {
  const { public: pkg } = ecdsa
  assert.deepEqual(publicKeyOf(pkg), pkg.verifyingKey)
  assert.deepEqual(publicKeyOf(pkg, NO_TWEAK, [0, 5]), deriveChild(pkg, [0, 5]).verifyingKey)
  assert.equal(publicKeyOf(pkg)?.length, secp256k1.elementLength)
  assert.equal(publicKeyOf(pkg, { kind: "key-path" }), null)
})
