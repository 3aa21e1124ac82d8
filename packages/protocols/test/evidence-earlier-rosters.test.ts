import assert from "node:assert/strict"
import { test } from "node:test"
import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { encodeEvidence, type Message, verifyEvidence } from "../src/index.ts"
import {
  type Cluster,
  makeCluster,
  makeSession,
  participant,
  ROSTER_EPOCH,
  seeded,
  signAs,
  value,
} from "./frost-fixture.ts"
import { rewrite } from "./messages-fixtures.ts"

// A key is older than the roster: since it was made, server 3 was replaced by another of that number.
const before = makeCluster()
const earlier = new Map([[ROSTER_EPOCH, before.verifyKeys]])
const another = signingKeyFromSeed(new Secret(seeded("identity of the new server 3")))
const now: Cluster = {
  ...before,
  participants: new Map(before.participants).set(3, {
    ...participant(before, 3),
    identity: another,
  }),
  verifyKeys: new Map(before.verifyKeys).set(3, another.publicKey),
}

/** Evidence of what a server signed in the place of its share. */
function wrongShareOf(server: number) {
  const session = makeSession(now, [2, 3])
  const [first, second] = [2, 3].map((id) => value(signAs(session, id))) as [Message, Message]
  // The other one's share, under its own name.
  const broadcast = (server === 2 ? second : first).broadcast
  const share = rewrite(server === 2 ? first : second, participant(now, server).identity, {
    broadcast,
  })
  const { certificate } = now
  return encodeEvidence({ kind: "frost-share", certificate, package: session.package, share })
}

test("a server is caught with a key that is older than the roster, whose makers may have left", () => {
  const caught = { valid: true, culprit: 2, reason: "invalid-signature-share" }
  assert.deepEqual(verifyEvidence(wrongShareOf(2), now.verifyKeys, earlier), caught)
})

test("without the roster that the key was made under the same proves nothing", () => {
  const why = "certificate: wrong-confirmation"
  assert.deepEqual(verifyEvidence(wrongShareOf(2), now.verifyKeys), { valid: false, why })
  const others = new Map([[ROSTER_EPOCH - 1, before.verifyKeys]])
  assert.deepEqual(verifyEvidence(wrongShareOf(2), now.verifyKeys, others), { valid: false, why })
})

test("a server is not blamed by the confirmation of the one that had its number before", () => {
  const why = "certificate: not the sender's"
  const found = verifyEvidence(wrongShareOf(3), now.verifyKeys, earlier)
  assert.deepEqual(found, { valid: false, why })
})
