import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Approval,
  activityIdOf,
  decodeApproval,
  type Subject,
  signApproval,
  subjectDigest,
  verifyApproval,
} from "@lockkeeper/api"
import { Secret, signingKeyFromSeed } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import { seeded } from "./fixtures.ts"

const id = seeded("id", 32)
const key = signingKeyFromSeed(new Secret(seeded("key", 32)))

const APPROVAL: Approval = {
  ...{ accountId: id, activityId: id, subject: id, intent: id, charter: id, policyVersion: 1 },
  ...{ expiresAt: 9, verdict: "approve", person: "ada", credential: key.publicKey },
}

test("an approval is the word of the key that it names, over all of it", () => {
  const signed = signApproval(APPROVAL, key)
  assert.deepEqual(decodeApproval(signed), APPROVAL)
  assert.ok(verifyApproval(signed))
  const stranger = signingKeyFromSeed(new Secret(seeded("stranger", 32)))
  assert.equal(verifyApproval(signApproval(APPROVAL, stranger)), false)
  const others: readonly Partial<Approval>[] = [
    ...[{ accountId: seeded("x", 32) }, { activityId: seeded("x", 32) }, { intent: null }],
    ...[{ subject: seeded("x", 32) }, { charter: seeded("x", 32) }, { policyVersion: 2 }],
    ...[{ expiresAt: 10 }, { verdict: "veto" } as const, { person: "bob" }],
  ]
  for (const change of others) {
    const { approval } = signApproval({ ...APPROVAL, ...change }, key)
    assert.equal(verifyApproval({ approval, signature: signed.signature }), false)
  }
})

test("a subject's digest is over its key, path, root and every byte of its content", () => {
  const content = { kind: "message", message: seeded("message", 20) } as const
  const subject = { kind: "sign", keyId: id, path: [1], content, merkleRoot: null } as const
  const subjects: readonly Subject[] = [
    subject,
    { ...subject, keyId: seeded("x", 32) },
    { ...subject, path: [2] },
    { ...subject, path: [] },
    { ...subject, merkleRoot: new Uint8Array(0) },
    { ...subject, content: { kind: "evm-message", message: content.message } },
    { ...subject, content: { kind: "message", message: seeded("other", 20) } },
    { kind: "change-policy", charter: content.message },
  ]
  assert.equal(new Set(subjects.map((one) => toHex(subjectDigest(one)))).size, subjects.length)
  const [clientKey, other] = [seeded("client", 16), seeded("x", 32)]
  assert.notDeepEqual(activityIdOf(id, clientKey), activityIdOf(other, clientKey))
})
