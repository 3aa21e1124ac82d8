import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type AccountListing,
  accountListing,
  changePasswordBody,
  LAST_ACCOUNT_ID,
  LockKeeperError,
  type OpenPayload,
} from "@lockkeeper/api"
import { decode, encode } from "@lockkeeper/encoding"
import { opaque, type reshare } from "@lockkeeper/protocols"
import { readAccount, readActiveAccount, readKnownAccount } from "../src/accounts.ts"
import { leaveAccount } from "../src/resharing/account-records.ts"
import { sharingOfAccountRow } from "../src/resharing/accounts.ts"
import { moveUnknownNames } from "../src/unknown-names.ts"
import { follow, inTransition, startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner } from "./owner.ts"
import { act, changePassword } from "./password-flows.ts"

const PASS = { after: null, to: LAST_ACCOUNT_ID, generation: 1_699_999_000 }

/** A later generation of what a server holds, which is not its any more. */
async function laterOf({ store }: TestServer, owner: TestOwner, epochs = 1) {
  const row = await readAccount(store, owner.accountId)
  const held = sharingOfAccountRow(row!.value)!
  // Of a later roster the same number would be a later generation.
  const rosterEpoch = epochs === 0 ? held.rosterEpoch : 2
  const later = { ...held, keyEpoch: held.keyEpoch + epochs, rosterEpoch }
  return { sharing: later } as reshare.ReshareCertificate
}

/** Accounts of servers 1 to 3, which have moved away from server 3 under a roster that it leaves. */
async function scene() {
  const before = await startCluster()
  await new TestOwner(before).register("right")
  const cluster = await follow(before, inTransition(before, [1, 2, 4], 2))
  const owner = new TestOwner(cluster)
  const three = cluster.servers.get(3)!
  const certificate = await laterOf(three, owner)
  const gone = { minSigners: 2, standing: "gone" } as const
  await three.store.commit([
    ...(await leaveAccount(three.store, owner.accountId, certificate)),
    ...(await moveUnknownNames(three.deps, PASS, [owner.accountId], gone)),
  ])
  return { cluster, owner, three, nobody: new TestOwner(cluster, "nobody") }
}

function isOnItsWay(error: unknown): boolean {
  return (
    error instanceof LockKeeperError && error.code === "unavailable" && error.field === "accounts"
  )
}

async function refusalOf(owner: TestOwner, to: TestServer, payload: OpenPayload) {
  const { answer } = await owner.open(to, payload)
  assert.ok(answer.kind === "refused")
  const { code, message, field } = LockKeeperError.fromBody(answer.error)
  return { code, message, field }
}

test("an account that has left leaves whose it is, and nothing to log in with", async () => {
  const { owner, three } = await scene()
  assert.equal(await readActiveAccount(three.store, owner.accountId), null)
  const { value } = (await readKnownAccount(three.store, owner.accountId))!
  assert.deepEqual([value.active, value.previous, value.pending], [null, null, null])
  assert.deepEqual([value.name, value.owner.opaqueVersion], ["alice", 1])
  assert.deepEqual(await leaveAccount(three.store, owner.accountId, {} as never), [])
})

test("its owner resumes sessions and asks there as before, but does not log in", async () => {
  const { cluster, owner, three } = await scene()
  await owner.login("right", [cluster.servers.get(1)!, cluster.servers.get(2)!])
  const session = await owner.resume(three)
  const request = owner.sign(owner.request("account.show", new Uint8Array(0), { servers: [3] }))
  const shown: AccountListing = decode(
    accountListing,
    await act(session, request, 1, new Uint8Array(0)),
  )
  assert.deepEqual([shown.name, shown.opaqueVersion], ["alice", 1])
  const { registration, dealings } = owner.deal("new", 2, owner.keys!)
  const registrationDigest = opaque.registrationDigest(registration)
  const body = encode(changePasswordBody, { opaqueVersion: 2, registrationDigest })
  const change = owner.sign(owner.request("account.change-password", body, { servers: [3] }))
  const dealing = encode(opaque.accountDealingCodec, dealings.get(1)!)
  await assert.rejects(act(session, change, 1, dealing), isOnItsWay)
})

test("who logs in, registers or resumes there is refused alike, whether the name exists or not", async () => {
  const { owner, three, nobody, cluster } = await scene()
  const { time: issuedAt } = cluster.clock
  const fields = { code: "unavailable", field: "accounts" }
  const refusals = []
  for (const one of [owner, nobody]) {
    const { opened } = await one.startLogin("guess", [three])
    const [login] = opened
    assert.ok(login?.answer.kind === "refused")
    const { code, message, field } = LockKeeperError.fromBody(login.answer.error)
    const { accountId } = one
    const signature = new Uint8Array(64)
    const resume = { kind: "resume", issuedAt, accountId, statements: [], signature } as const
    const resumed = await refusalOf(one, three, resume)
    const { session } = await one.open(three, { kind: "register", issuedAt, name: one.name })
    const activation = { kind: "register-activate", confirmations: new Uint8Array(2) } as const
    const registered = await session.call(activation)
    assert.ok(registered.kind === "refused")
    refusals.push([{ code, message, field }, resumed, registered.error])
    assert.deepEqual({ code, field }, fields)
    assert.deepEqual({ code: resumed.code, field: resumed.field }, fields)
  }
  assert.deepEqual(refusals[0], refusals[1])
})

test("an account leaves on a later generation of its own sharing alone", async () => {
  const before = await startCluster()
  const owner = new TestOwner(before)
  await owner.register("right")
  const other = new TestOwner(before, "bob")
  await other.register("right")
  const three = before.servers.get(3)!
  for (const certificate of [await laterOf(three, owner, 0), await laterOf(three, other)]) {
    assert.deepEqual(await leaveAccount(three.store, owner.accountId, certificate), [])
  }
  assert.equal(
    (await leaveAccount(three.store, owner.accountId, await laterOf(three, owner))).length,
    1,
  )
})

test("where accounts have yet to move no new one is dealt, and no password changes", async () => {
  const before = await startCluster()
  await new TestOwner(before).register("right")
  const cluster = await follow(before, inTransition(before, [1, 2, 3, 4], 2))
  const owner = new TestOwner(cluster)
  await assert.rejects(new TestOwner(cluster, "bob").register("right"), isOnItsWay)
  const sessions = await owner.login("right", owner.servers.slice(0, 3))
  const none = { version: 2, activateAt: [], finaliseAt: [] }
  await assert.rejects(changePassword(owner, sessions.slice(0, 1), "new", none), isOnItsWay)
  await assert.rejects(
    owner.startLogin("right", [cluster.servers.get(4)!]).then(({ opened }) => {
      const { answer } = opened[0]!
      if (answer.kind === "refused") throw LockKeeperError.fromBody(answer.error)
    }),
    isOnItsWay,
  )
})
