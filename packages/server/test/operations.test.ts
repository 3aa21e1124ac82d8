import assert from "node:assert/strict"
import { test } from "node:test"
import { accountListing, keyListings, listKeysBody } from "@lockkeeper/api"
import { verifySignature } from "@lockkeeper/crypto"
import { decode, encode, utf8 } from "@lockkeeper/encoding"
import { createKey, signWith } from "./flows.ts"
import { startCluster } from "./memory-cluster.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

const EMPTY = new Uint8Array(0)

test("an owner registers, logs in, makes a key and signs with t servers", async () => {
  const cluster = await startCluster()
  const owner = new TestOwner(cluster)
  await owner.register("correct horse")
  const all = await owner.login("correct horse", owner.servers)
  const shown = owner.sign(owner.request("account.show", EMPTY))
  const account = expectKind(
    await (all[0] as TestSession).call({ kind: "act", request: shown, step: 1, input: EMPTY }),
    "act",
  )
  assert.equal(decode(accountListing, account.output).name, "alice")

  const certificate = await createKey(owner, all, "ed25519")
  const message = utf8("a message")
  const signature = await signWith(owner, all.slice(0, 2), certificate, message)
  assert.ok(verifySignature(certificate.public.verifyingKey, message, signature))

  const list = owner.sign(
    owner.request("keys.list", encode(listKeysBody, { after: null, limit: 10 })),
  )
  const listed = expectKind(
    await (all[1] as TestSession).call({ kind: "act", request: list, step: 1, input: EMPTY }),
    "act",
  )
  assert.equal(decode(keyListings, listed.output).length, 1)
})
