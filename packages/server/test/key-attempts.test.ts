import assert from "node:assert/strict"
import { test } from "node:test"
import { type CallAnswer, createKeyBody, protocolStepInput } from "@lockkeeper/api"
import { type Bytes, encode, toHex } from "@lockkeeper/encoding"
import { restart, startCluster } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"

const NO_MESSAGES = encode(protocolStepInput, { messages: [] })

/** One step of one attempt at one server. */
function step(
  owner: TestOwner,
  session: TestSession,
  keyId: Bytes,
  attempt: number,
  number = 1,
): Promise<CallAnswer> {
  const { minSigners } = owner.cluster.roster
  const holders = owner.servers.map(({ identifier }) => identifier)
  const facts = { keyId, keyType: "ed25519", custody: { kind: "custodial" }, label: "" } as const
  const body = encode(createKeyBody, { ...facts, minSigners, holders, attempt })
  const request = owner.sign(owner.request("keys.create", body))
  return session.call({ kind: "act", request, step: number, input: NO_MESSAGES })
}

function outcome(answer: CallAnswer): string {
  return answer.kind === "refused" ? answer.error.code : answer.kind
}

async function loggedIn(name: string, cluster = startCluster()) {
  const owner = new TestOwner(await cluster, name)
  await owner.register("right")
  const [session] = await owner.login("right")
  return { owner, session: session as TestSession }
}

test("an attempt is opened once, and a later one ends it", async () => {
  const { owner, session } = await loggedIn("alice")
  const keyId = owner.randomness.bytes(32)
  assert.equal(outcome(await step(owner, session, keyId, 1)), "act")
  assert.equal(outcome(await step(owner, session, keyId, 1)), "already-exists")
  assert.equal(outcome(await step(owner, session, keyId, 2)), "act")
  assert.equal(outcome(await step(owner, session, keyId, 1, 2)), "out-of-order")
  assert.equal(outcome(await step(owner, session, keyId, 1)), "already-exists")
})

test("an attempt stays opened across a restart, and leaves one small row behind", async () => {
  const { owner, session } = await loggedIn("alice")
  const keyId = owner.randomness.bytes(32)
  assert.equal(outcome(await step(owner, session, keyId, 3)), "act")
  const { store } = await restart(owner.cluster, 1)
  const [again] = await owner.login("right")
  assert.equal(outcome(await step(owner, again as TestSession, keyId, 3)), "already-exists")
  const rows = await store.scan("protocol-sessions", "", "", 256)
  assert.deepEqual(
    rows.map(({ id }) => id),
    [`opened-${toHex(keyId)}`],
  )
})

test("another account cannot take over a key id, nor end its run", async () => {
  const cluster = startCluster()
  const alice = await loggedIn("alice", cluster)
  const mallory = await loggedIn("mallory", cluster)
  const keyId = alice.owner.randomness.bytes(32)
  assert.equal(outcome(await step(alice.owner, alice.session, keyId, 1)), "act")
  assert.equal(outcome(await step(mallory.owner, mallory.session, keyId, 2)), "already-exists")
  // The run still waits: what it refuses now is the missing messages, not the step.
  assert.equal(outcome(await step(alice.owner, alice.session, keyId, 1, 2)), "aborted")
})
