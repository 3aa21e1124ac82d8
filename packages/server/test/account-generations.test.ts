import assert from "node:assert/strict"
import { test } from "node:test"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { decode } from "@lockkeeper/encoding"
import { opaque, type reshare } from "@lockkeeper/protocols"
import { readAccount } from "../src/accounts.ts"
import { accountWithSharing, sharingOfAccountRow } from "../src/resharing/accounts.ts"
import { confirmRefresh, refreshAccounts, shareAt } from "./account-refresh.ts"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner } from "./owner.ts"
import { changePassword } from "./password-flows.ts"

const AS_FAR_AS_ACTIVE = { version: 2, activateAt: [1, 2, 3], finaliseAt: [] }

async function ready(options: { servers?: number; minSigners?: number } = {}) {
  const cluster = await startCluster(options)
  const owner = new TestOwner(cluster)
  await owner.register("right")
  return { cluster, owner }
}

const isWrong = (error: unknown) =>
  error instanceof Error && error.message === "wrong-password-or-envelope"

async function rowAt({ store }: TestServer, { accountId }: TestOwner) {
  return (await readAccount(store, accountId))!.value
}

for (const { servers, minSigners } of [
  { servers: 3, minSigners: 2 },
  { servers: 5, minSigners: 3 },
]) {
  test(`${minSigners} of ${servers}: the password logs in after each refresh, with other shares`, async () => {
    const { cluster, owner } = await ready({ servers, minSigners })
    const shares: string[] = []
    for (let keyEpoch = 1; keyEpoch <= 3; keyEpoch++) {
      for (const server of owner.servers) {
        shares.push(await shareAt(server, owner))
        const row = await rowAt(server, owner)
        assert.equal(sharingOfAccountRow(row)?.keyEpoch, keyEpoch)
        assert.equal(row.active?.home, server.identifier)
      }
      assert.equal((await owner.login("right", owner.servers)).length, servers)
      await assert.rejects(owner.login("wrong", owner.servers), isWrong)
      await refreshAccounts(cluster, [owner])
    }
    assert.equal(new Set(shares).size, 3 * servers)
  })
}

test("a refresh gives no guesses back, not to the owner and not to strangers", async () => {
  const { cluster, owner } = await ready()
  const left = async () => {
    const { opened } = await owner.startLogin("guess", owner.servers)
    return opened.map(({ answer }) => (answer.kind === "login" ? answer.guessesRemaining : null))
  }
  const limit = opaque.DEFAULT_GUESS_LIMIT
  for (let taken = 1; taken < limit; taken++) {
    const remaining = limit - taken
    assert.deepEqual(await left(), [remaining, remaining, remaining])
    if (taken % 4 === 0) await refreshAccounts(cluster, [owner])
  }
  assert.deepEqual(await left(), [0, 0, 0])
  await refreshAccounts(cluster, [owner])
  const { opened } = await owner.startLogin("right", owner.servers)
  for (const { answer } of opened) {
    assert.ok(answer.kind === "refused")
    assert.deepEqual([answer.error.code, answer.error.guessesRemaining], ["locked", 0])
  }
})

test("a password change deals anew: its shares are of no later generation, and can be refreshed", async () => {
  const { cluster, owner } = await ready()
  await refreshAccounts(cluster, [owner])
  const sessions = await owner.login("right", owner.servers)
  await changePassword(owner, sessions, "new", AS_FAR_AS_ACTIVE)
  for (const server of owner.servers) {
    const { active, previous } = await rowAt(server, owner)
    assert.equal(active?.oprf, null)
    assert.equal(previous?.oprf?.sharing.keyEpoch, 2)
  }
  assert.equal((await owner.login("new", owner.servers)).length, 3)
  await assert.rejects(owner.login("right", owner.servers), isWrong)
  await refreshAccounts(cluster, [owner])
  assert.equal((await owner.login("new", owner.servers)).length, 3)
  for (const server of owner.servers) {
    const { active, previous } = await rowAt(server, owner)
    assert.deepEqual([active?.oprf?.sharing.keyEpoch, previous], [2, null])
  }
})

test("until a change is final the version before logs in from the generation it had", async () => {
  const { cluster, owner } = await ready()
  await refreshAccounts(cluster, [owner])
  const { opened } = await owner.startLogin("guess", owner.servers.slice(0, 1))
  const [answer] = opened.map((one) => one.answer)
  assert.ok(answer?.kind === "login")
  const { shownVersion } = decode(opaque.loginResponseCodec, answer.response).frame
  const sessions = await owner.login("right", owner.servers)
  await changePassword(owner, sessions, "new", AS_FAR_AS_ACTIVE)
  const { started, opened: again } = await owner.startLogin("right", owner.servers, shownVersion)
  assert.equal((await owner.completeLogin(started, again)).length, 3)
})

test("a refresh that comes into force after a password change leaves the new password alone", async () => {
  const { cluster, owner } = await ready()
  const batch = await confirmRefresh(cluster, [owner])
  const sessions = await owner.login("right", owner.servers)
  await changePassword(owner, sessions, "new", {
    ...AS_FAR_AS_ACTIVE,
    finaliseAt: [1, 2, 3],
  })
  for (const server of owner.servers) {
    assert.deepEqual(await batch.activation(server), [])
    assert.equal((await rowAt(server, owner)).active?.oprf, null)
  }
  assert.equal((await owner.login("new", owner.servers)).length, 3)
})

test("a change that is waiting during a refresh can still be activated, and then counts", async () => {
  const { cluster, owner } = await ready()
  const sessions = await owner.login("right", owner.servers)
  const waiting = await changePassword(owner, sessions, "new", {
    ...AS_FAR_AS_ACTIVE,
    activateAt: [],
  })
  await refreshAccounts(cluster, [owner])
  assert.equal((await owner.login("right", owner.servers)).length, 3)
  const again = await owner.login("right", owner.servers)
  await waiting.activate(again)
  assert.equal((await owner.login("new", owner.servers)).length, 3)
})

test("an account takes no share that is not of its key, its server and a later generation", async () => {
  const { cluster, owner } = await ready()
  const other = new TestOwner(cluster, "bob")
  await other.register("his")
  const taken = new Map<Identifier, reshare.ResharedShare>()
  const rows = new Map<Identifier, Awaited<ReturnType<typeof rowAt>>>()
  for (const server of owner.servers) rows.set(server.identifier, await rowAt(server, owner))
  await refreshAccounts(cluster, [owner])
  for (const server of owner.servers) {
    const { active } = await rowAt(server, owner)
    const { sharing, vector, certificate } = active!.oprf!
    const share = Secret.copyOf(active!.share.expose())
    taken.set(server.identifier, { sharing, vector, certificate, share })
  }
  const mine = taken.get(1)!
  const row = rows.get(1)!
  assert.ok(accountWithSharing(row, mine).ok)
  const unregistered = { ...row, active: null, pending: row.active }
  assert.equal(sharingOfAccountRow(unregistered), null)
  for (const [account, share, reason] of [
    [unregistered, mine, "wrong-account"],
    [await rowAt(other.servers[0]!, other), mine, "wrong-key"],
    [await rowAt(owner.servers[0]!, owner), mine, "wrong-key-epoch"],
    [row, { ...mine, share: taken.get(2)!.share }, "wrong-share"],
    [row, { ...mine, vector: mine.vector.slice(1) }, "wrong-vector-length"],
  ] as const) {
    const outcome = accountWithSharing(account, share)
    assert.equal(outcome.ok ? "" : outcome.abort.reason, reason)
  }
})
