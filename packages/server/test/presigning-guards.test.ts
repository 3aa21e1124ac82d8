import assert from "node:assert/strict"
import { test } from "node:test"
import {
  decodeRequest,
  deriveBody,
  LockKeeperError,
  type Operation,
  poolStatus,
  preparedEcdsa,
  prepareEcdsaBody,
  presignBody,
  type Request,
  showKeyBody,
} from "@lockkeeper/api"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { readKnownAccount } from "../src/accounts.ts"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import { Incidents } from "../src/incidents/incidents.ts"
import { putKey, readKey, readListing } from "../src/keys.ts"
import { showPool } from "../src/operations/pool-status.ts"
import { prepareEcdsa } from "../src/operations/prepare-ecdsa.ts"
import { signEcdsa } from "../src/operations/sign-ecdsa.ts"
import { PresigningRoom } from "../src/presigning/room.ts"
import { sessionEvent } from "../src/request/events.ts"
import type { OwnerStep } from "../src/request/step.ts"
import {
  actAt,
  at,
  type EcdsaWorld,
  EMPTY,
  inputFor,
  NO_MESSAGES,
  prepareSet,
  presignAt,
  presignRequest,
  refusal,
  runBulk,
  shareAt,
  signInput,
  signRequestOf,
  startEcdsa,
  statusAt,
} from "./ecdsa-flows.ts"

/** Puts the key's row of server 1 again, in another state. */
async function putState(world: EcdsaWorld, state: "active" | "suspended"): Promise<void> {
  const { store } = at(world.sessions, 1).to
  const { keyId } = world.certificate.public
  const { accountId } = world.owner
  const { value, version } = await readKey(store, accountId, keyId)
  const listing = await readListing(store, accountId, keyId)
  const [change] = putKey({ ...value, state }, listing)
  assert.ok(change?.kind === "put")
  await store.commit([{ ...change, ifVersion: version }])
}

test("a key that is not active is not derived, presigned, prepared or signed with", async () => {
  const world = await startEcdsa()
  await presignAt(world, [1, 2])
  const prepared = await prepareSet(world, [1, 2])
  const running = presignRequest(world, [1, 2])
  const { outputs } = await runBulk(world.sessions, [1, 2], running, { last: 1 })
  await putState(world, "suspended")
  const { owner, certificate } = world
  const { keyId } = certificate.public
  const first = at(world.sessions, 1)
  const ask = (operation: Operation, body: Bytes) =>
    refusal(actAt(first, owner.sign(owner.request(operation, body))))
  const denied = "permission-denied keyId"
  assert.equal(await ask("keys.derive", encode(deriveBody, { keyId, path: [1] })), denied)
  assert.equal(await ask("pool.status", encode(showKeyBody, { keyId })), denied)
  const prepare = encode(prepareEcdsaBody, { keyId, keyEpoch: 1, signers: [1, 2], count: 1 })
  assert.equal(await ask("ecdsa.prepare", prepare), denied)
  assert.equal(await refusal(shareAt(world, 1, signRequestOf(world), prepared)), denied)
  const opening = actAt(first, presignRequest(world, [1, 2]), 1, NO_MESSAGES)
  assert.equal(await refusal(opening), denied)
  const next = actAt(first, running, 2, inputFor(1, outputs))
  assert.equal(await refusal(next), denied)
  await putState(world, "active")
  await shareAt(world, 1, signRequestOf(world), prepared)
})

/** Does something else first, when told to. */
class RacingRows extends MemoryRowStore {
  first: (() => Promise<void>) | null = null

  override async commit(batch: Parameters<MemoryRowStore["commit"]>[0]) {
    const first = this.first
    this.first = null
    await first?.()
    return super.commit(batch)
  }
}

test("presignatures of a key that changed while they were made are not kept", async () => {
  const rows = new RacingRows()
  const world = await startEcdsa({ rows: (id) => (id === 1 ? rows : new MemoryRowStore()) })
  const request = presignRequest(world, [1, 2])
  const { outputs } = await runBulk(world.sessions, [1, 2], request, { last: 4 })
  rows.first = () => putState(world, "active")
  const last = actAt(at(world.sessions, 1), request, 5, inputFor(1, outputs))
  assert.equal(await refusal(last), "conflict ")
  assert.deepEqual(await at(world.sessions, 1).to.store.scan("presignatures", "", "", 9), [])
  assert.equal((await statusAt(world, 1)).sets.length, 0)
})

/** A step at server 1 over its rows, as after a change of the roster. */
async function stepOf(
  world: EcdsaWorld,
  operation: Operation,
  body: Bytes,
  input: Bytes = EMPTY,
): Promise<OwnerStep> {
  const { deps, self, server } = at(world.sessions, 1).to
  const roster = { ...self.roster, rosterEpoch: 2 }
  const { counters } = server
  const next = { ...self, roster }
  const presigning = new PresigningRoom(next, deps, counters, 1000)
  await presigning.start("orderly", server.poolDigest())
  const request: Request = world.owner.request(operation, body, { rosterEpoch: 2 })
  const event = () => sessionEvent(operation, null)
  const account = await readKnownAccount(deps.store, request.accountId)
  if (account === null) throw new Error("an owner without an account")
  return {
    ...{ self: next, deps, counters, presigning, request, input, step: 1, event },
    ...{ account, incidents: new Incidents(next, deps, counters) },
    digest: new Uint8Array(32),
  } as Partial<OwnerStep> as OwnerStep
}

test("presignatures of another roster are burnt, offered to nobody and not signed with", async () => {
  const world = await startEcdsa()
  await presignAt(world, [1, 2], 3)
  const prepared = await prepareSet(world, [1, 2])
  const { keyId } = world.certificate.public
  const status = await showPool(await stepOf(world, "pool.status", encode(showKeyBody, { keyId })))
  assert.deepEqual(decode(poolStatus, status.output).sets, [])
  const body = encode(prepareEcdsaBody, { keyId, keyEpoch: 1, signers: [1, 2], count: 4 })
  const offer = await prepareEcdsa(await stepOf(world, "ecdsa.prepare", body))
  assert.deepEqual(decode(preparedEcdsa, offer.output).presignatures, [])
  for (const { changes } of [status, offer]) {
    assert.deepEqual(
      changes.map((change) => change.kind !== "append" && `${change.kind} ${change.table}`),
      ["take presignatures", "take presignatures", "take presignatures"],
    )
  }
  const signed = signRequestOf(world)
  const { body: asked } = decodeRequest(signed)
  const step = await stepOf(world, "ecdsa.sign", asked, signInput(prepared))
  assert.equal(await refusal(signEcdsa(step)), "conflict input.presignature")
})

test("pairs of an earlier roster are destroyed, and those of this one stay", async () => {
  const world = await startEcdsa()
  const { deps, self, server } = at(world.sessions, 1).to
  const pairs = async () => (await deps.store.scan("pairs", "", "", 9)).map(({ id }) => id)
  const before = await pairs()
  assert.equal(before.length, 2)
  const startIn = async (rosterEpoch: number) => {
    const next = { ...self, roster: { ...self.roster, rosterEpoch } }
    await new PresigningRoom(next, deps, server.counters, 1000).start("unclean", null)
  }
  await startIn(1)
  await startIn(0)
  assert.deepEqual(await pairs(), before)
  await startIn(2)
  assert.deepEqual(await pairs(), [])
})

test("servers say while they are at work on a signature or a batch", async () => {
  const world = await startEcdsa()
  const request = presignRequest(world, [1, 2])
  const [, status] = await Promise.all([
    actAt(at(world.sessions, 1), request, 1, NO_MESSAGES),
    statusAt(world, 1),
  ])
  assert.equal(status.busy, 1)
  assert.equal((await statusAt(world, 1)).busy, 0)
  // Also when what they were at work on is refused.
  const refused = actAt(at(world.sessions, 1), request, 5, NO_MESSAGES)
  assert.equal(await refusal(refused), "out-of-order step")
  assert.equal((await statusAt(world, 1)).busy, 0)
})

test("signer sets that break a placement rule are not presigned or prepared for", async () => {
  const operators = ["one company", "one company", "another"]
  const world = await startEcdsa({ operators, distinctOperators: true })
  const { owner, certificate } = world
  const { keyId } = certificate.public
  const batch = {
    keyId,
    keyEpoch: 1,
    signers: [1, 2],
    count: 1,
    urgency: "now",
    ready: null,
  } as const
  const bodies = [
    ["presign", encode(presignBody, batch), NO_MESSAGES],
    ["ecdsa.prepare", encode(prepareEcdsaBody, batch), EMPTY],
  ] as const
  for (const [operation, body, input] of bodies) {
    for (const server of [1, 2]) {
      const request = owner.sign(owner.request(operation, body, { servers: [1, 2] }))
      await assert.rejects(actAt(at(world.sessions, server), request, 1, input), (error) => {
        assert.ok(error instanceof LockKeeperError)
        assert.equal(error.code, "permission-denied")
        assert.match(error.message, /two servers share the operator "one company"/)
        return true
      })
    }
  }
  await presignAt(world, [1, 3])
})
