import assert from "node:assert/strict"
import { test } from "node:test"
import { groupByName } from "@lockkeeper/crypto"
import { verify } from "../src/frost/aggregate.ts"
import { FROST_KEY_TYPES } from "../src/frost/suites.ts"
import type { Tweak } from "../src/frost/taproot.ts"
import { groupOf } from "../src/key-types.ts"
import { type KeyCertificate, verifyKeyCertificate } from "../src/keys.ts"
import { driveHonest, paramsFor } from "./dkg-cluster.ts"
import { aggregateSession, type Cluster, makeSession, value } from "./frost-fixture.ts"
import { identity, rosterOf } from "./messages-fixtures.ts"

test("keys of every type that no process ever held are signed with by every signer set", () => {
  const participants = [1, 2, 3]
  const tweaks: readonly Tweak[] = [{ kind: "none" }, { kind: "key-path" }]
  let signatures = 0
  for (const keyType of FROST_KEY_TYPES) {
    const { keys, certificates } = driveHonest(paramsFor(2, participants, keyType), "sign")
    const certificate = certificates[0] as KeyCertificate
    const verifyKeys = rosterOf(participants)
    const cluster: Cluster = {
      participants: new Map([...keys].map(([id, key]) => [id, { key, identity: identity(id) }])),
      public: value(verifyKeyCertificate(certificate, verifyKeys)),
      certificate,
      verifyKeys,
      secretKey: groupByName(groupOf(keyType)).zero,
    }
    for (const signers of [[1, 2], [1, 3], [2, 3], participants]) {
      for (const tweak of keyType === "bip340" ? tweaks : tweaks.slice(0, 1)) {
        for (const path of [[], [0, 5]]) {
          const session = makeSession(cluster, signers, { tweak, path, seed: signers.join() })
          const signature = value(aggregateSession(session))
          assert.ok(verify(cluster.public, session.package.message, signature, tweak, path))
          signatures++
        }
      }
    }
  }
  assert.equal(signatures, 40)
})
