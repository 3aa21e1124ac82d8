import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type AccountRange,
  LAST_ACCOUNT_ID,
  rangeEnd,
  reshareActivateOutput,
} from "@lockkeeper/api"
import { type Bytes, compareBytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { opaque, reshare } from "@lockkeeper/protocols"
import { readAccount } from "../src/accounts.ts"
import { Guesses } from "../src/guesses.ts"
import { sharingOfAccountRow } from "../src/resharing/accounts.ts"
import { heldAccounts } from "../src/resharing/held-accounts.ts"
import { reshareRunRow } from "../src/resharing/rows.ts"
import { readRun } from "../src/resharing/runs.ts"
import { generationOf, readUnknownNames } from "../src/unknown-names.ts"
import { shareAt } from "./account-refresh.ts"
import { TestOwner } from "./owner.ts"
import { changePassword } from "./password-flows.ts"
import {
  Coordinator,
  crash,
  drive,
  type ReshareWorld,
  refusalOf,
  runCount,
  serverOf,
  startReshare,
} from "./reshare-flows.ts"

const byId = (a: TestOwner, b: TestOwner) => compareBytes(a.accountId, b.accountId)

/** A world whose owners are in the order of their ids. */
async function withOwners(count: number, options: Parameters<typeof startReshare>[0] = {}) {
  const world = await startReshare(options, [])
  const others = Array.from({ length: count - 1 }, (_, i) => new TestOwner(world.cluster, `${i}`))
  for (const owner of others) await owner.register("right")
  return { world, owners: [world.owner, ...others].sort(byId) }
}

function passwordOf(world: ReshareWorld, owner: TestOwner): string {
  return owner === world.owner ? "correct horse" : "right"
}

/** All ids, in a pass that begins now. */
function everyId({ cluster }: ReshareWorld): AccountRange {
  return { after: null, to: LAST_ACCOUNT_ID, generation: Math.floor(cluster.clock.time / 1000) }
}

async function begin(
  world: ReshareWorld,
  owners: readonly TestOwner[],
  range: AccountRange = everyId(world),
): Promise<Coordinator> {
  const { roster, clock } = world.cluster
  const holders = roster.members.map(({ identifier }) => identifier)
  const keys = await Promise.all(
    owners.map(async ({ accountId }) => {
      const row = await readAccount(serverOf(world, 1).store, accountId)
      assert.ok(row)
      const sharing = sharingOfAccountRow(row.value)
      assert.ok(sharing)
      return { sharing, toKeyEpoch: sharing.keyEpoch + 1 }
    }),
  )
  const { minSigners, rosterEpoch } = roster
  const params: reshare.ReshareParams = {
    ...{ kind: "refresh", dealers: holders.slice(0, minSigners), holders, minSigners, rosterEpoch },
    ...{ attempt: Math.floor(clock.time / 1000), groups: keys.map((key) => key.sharing.group) },
    keys: reshare.keysRoot(keys),
  }
  return new Coordinator(world, { params, keys, leaveOut: [] }, {}, { kind: "accounts", range })
}

async function confirmed(coordinator: Coordinator): Promise<reshare.BatchCertificate> {
  const { task, refusals } = await drive(coordinator)
  assert.deepEqual([...refusals], [])
  assert.ok(task.kind === "confirmed", JSON.stringify(task.kind === "aborted" && task.abort.reason))
  return task.certificate
}

async function epochOf(world: ReshareWorld, id: number, { accountId }: TestOwner) {
  const row = await readAccount(serverOf(world, id).store, accountId)
  return row && sharingOfAccountRow(row.value)?.keyEpoch
}

/** Which pass the unknown names at an id are of, at one server. */
async function passAt(world: ReshareWorld, id: number, accountId: Bytes): Promise<number> {
  return generationOf((await readUnknownNames(serverOf(world, id).store)).value, accountId)
}

/** What a stranger sees of a name at every server. */
async function seen(owner: TestOwner) {
  const { opened } = await owner.startLogin("guess", owner.servers)
  return opened.map(({ answer }) => {
    assert.ok(answer.kind === "login")
    const { frame } = decode(opaque.loginResponseCodec, answer.response)
    const vector = frame.vector.map(toHex).join()
    return { vector, length: answer.response.length, shown: frame.shownVersion }
  })
}

test("a batch comes into force with the names between its accounts, seen alike by strangers", async () => {
  const { world, owners } = await withOwners(3)
  const [one, two, three] = owners as [TestOwner, TestOwner, TestOwner]
  const unknown = Array.from({ length: 3 }, (_, i) => new TestOwner(world.cluster, `nobody ${i}`))
  const to = rangeEnd(two.accountId, three.accountId)
  const range = { ...everyId(world), to }
  const names = [...owners, ...unknown]
  const before = await Promise.all(names.map(seen))
  const coordinator = await begin(world, [one, two], range)
  const certificate = await confirmed(coordinator)
  for (const id of [1, 2, 3]) {
    await coordinator.activate(id, certificate)
    for (const [i, name] of names.entries()) {
      const isIn = compareBytes(name.accountId, to) <= 0
      const after = await seen(name)
      const changed = after.map(({ vector }, k) => vector !== before[i]?.[k]?.vector)
      assert.deepEqual(changed, [isIn, isIn && id > 1, isIn && id > 2], name.name)
      assert.deepEqual(
        after.map(({ length, shown }) => [length, shown]),
        before[i]?.map(({ length, shown }) => [length, shown]),
      )
    }
  }
  for (const owner of owners) await owner.login(passwordOf(world, owner), owner.servers)
})

test("every set of enough servers logs in after refreshes, and old shares do not join new ones", async () => {
  const { world, owners } = await withOwners(1, { servers: 4, minSigners: 2 })
  const [owner] = owners as [TestOwner]
  const old = await shareAt(serverOf(world, 1), owner)
  const { value: oldRow } = (await serverOf(world, 4).store.read(
    "accounts",
    toHex(owner.accountId),
  ))!
  for (let pass = 0; pass < 2; pass++) {
    world.cluster.clock.time += 1000
    const coordinator = await begin(world, owners)
    const certificate = await confirmed(coordinator)
    for (const id of [1, 2, 3, 4]) await coordinator.activate(id, certificate)
  }
  assert.notEqual(await shareAt(serverOf(world, 1), owner), old)
  for (const a of [1, 2, 3, 4]) {
    for (const b of [1, 2, 3, 4].filter((one) => one > a)) {
      const at = [serverOf(world, a), serverOf(world, b)]
      assert.equal((await owner.login("correct horse", at)).length, 2)
    }
  }
  // A thief's copy of one server's old row, beside another's new one.
  const { store } = serverOf(world, 4)
  const { version } = (await store.read("accounts", toHex(owner.accountId)))!
  const id = toHex(owner.accountId)
  await store.commit([{ kind: "put", table: "accounts", id, ifVersion: version, value: oldRow }])
  await assert.rejects(owner.login("correct horse", [serverOf(world, 1), serverOf(world, 4)]))
  await owner.login("correct horse", [serverOf(world, 1), serverOf(world, 2)])
})

test("where a password changes during a run, its account stays and the others come into force", async () => {
  const { world, owners } = await withOwners(2)
  const [first, second] = owners as [TestOwner, TestOwner]
  const coordinator = await begin(world, owners)
  const certificate = await confirmed(coordinator)
  const sessions = await first.login(passwordOf(world, first), first.servers)
  const all = [1, 2, 3]
  await changePassword(first, sessions, "new", { version: 2, activateAt: all, finaliseAt: all })
  const shares = await Promise.all(first.servers.map((server) => shareAt(server, first)))
  for (const id of all) {
    const output = await coordinator.activate(id, certificate)
    assert.deepEqual(decode(reshareActivateOutput, output), { waiting: [] })
  }
  assert.deepEqual(await Promise.all(first.servers.map((at) => shareAt(at, first))), shares)
  for (const id of all) {
    assert.deepEqual([await epochOf(world, id, first), await epochOf(world, id, second)], [1, 2])
    const pass = everyId(world).generation
    assert.equal(await passAt(world, id, new Uint8Array(32)), pass)
  }
  await first.login("new", first.servers)
  await second.login(passwordOf(world, second), second.servers)
  // The account goes on behind the generations that its password before had.
  world.cluster.clock.time += 1000
  const { attempt, of, changes } = await begin(world, [first])
  const [key] = attempt.keys
  assert.ok(key)
  const keys = [{ ...key, toKeyEpoch: 3 }]
  const params = { ...attempt.params, keys: reshare.keysRoot(keys) }
  const next = new Coordinator(world, { ...attempt, params, keys }, changes, of)
  const later = await confirmed(next)
  for (const id of all) await next.activate(id, later)
  assert.equal(await epochOf(world, 3, first), 3)
  await first.login("new", first.servers)
})

test("shares that wait end with the password they are of, when it cannot come back", async () => {
  const { world, owners } = await withOwners(1)
  const [owner] = owners as [TestOwner]
  const coordinator = await begin(world, owners)
  const certificate = await confirmed(coordinator)
  const sessions = await owner.login("correct horse", owner.servers)
  const all = [1, 2, 3]
  await changePassword(owner, sessions, "new", { version: 2, activateAt: all, finaliseAt: [3] })
  // Who brings the certificate is told where it is not in force, however often it comes.
  for (const id of [1, 2, 3, 1, 2]) {
    const output = await coordinator.activate(id, certificate)
    assert.deepEqual(decode(reshareActivateOutput, output), { waiting: id === 3 ? [] : [0] })
    assert.equal(await epochOf(world, id, owner), 1)
  }
  world.cluster.clock.time += 3_700_000
  for (const id of all) await serverOf(world, id).server.tidy()
  // Servers 1 and 2 can still go back to the version before.
  assert.deepEqual(await Promise.all(all.map((id) => runCount(world, id))), [1, 1, 0])
})

test("a run goes on with the range that it was begun with, and with no other", async () => {
  const { world, owners } = await withOwners(2)
  const range = everyId(world)
  const coordinator = await begin(world, owners, range)
  const { attempt } = coordinator
  const certificate = await confirmed(coordinator)
  const runId = reshare.openingDigest(attempt.params)
  assert.deepEqual((await readRun(serverOf(world, 1).store, runId))?.value.range, range)
  await crash(world, 1)
  for (const other of [
    { ...range, generation: range.generation - 1 },
    { ...range, to: new Uint8Array(32).fill(0xff).fill(0xfe, 0, 1) },
    { ...range, after: new Uint8Array(32).fill(0xff).fill(0, 0, 1) },
  ]) {
    const changed = new Coordinator(world, attempt, {}, { kind: "accounts", range: other })
    for (const call of [() => changed.open(1), () => changed.activate(1, certificate)]) {
      assert.equal(await refusalOf(call()), "invalid-request body.range")
    }
  }
  const asKeys = new Coordinator(world, attempt, {}, { kind: "keys", range: null })
  assert.equal(await refusalOf(asKeys.activate(1, certificate)), "invalid-request body.kind")
  assert.equal(await passAt(world, 1, LAST_ACCOUNT_ID), 1)
  await new Coordinator(world, attempt, {}, coordinator.of).activate(1, certificate)
  assert.equal(await passAt(world, 1, LAST_ACCOUNT_ID), range.generation)
  assert.deepEqual(await Promise.all(owners.map((owner) => epochOf(world, 1, owner))), [2, 2])
})

test("a range that a batch cannot have is refused by its field before anything is begun", async () => {
  const { world, owners } = await withOwners(2)
  const [one, two] = owners as [TestOwner, TestOwner]
  const all = everyId(world)
  const between = rangeEnd(one.accountId, two.accountId)
  const cases: readonly (readonly [AccountRange, string])[] = [
    [{ ...all, to: between }, "invalid-request body.range"],
    [{ ...all, after: between }, "invalid-request body.range"],
    [{ ...all, to: two.accountId }, "invalid-request body.range.to"],
    [{ ...all, after: one.accountId }, "invalid-request body.range.after"],
    [{ ...all, after: LAST_ACCOUNT_ID }, "invalid-request body.range.to"],
    [{ ...all, generation: 1 }, "invalid-request body.range.generation"],
    [{ ...all, generation: all.generation + 121 }, "clock-skew body.range.generation"],
  ]
  for (const [range, what] of cases) {
    const coordinator = await begin(world, owners, range)
    assert.equal(await refusalOf(coordinator.open(1)), what)
    assert.equal(await runCount(world, 1), 0)
  }
})

test("accounts that a server does not hold have no share, and none is repaired", async () => {
  const { world, owners } = await withOwners(1)
  const { self, store } = serverOf(world, 2)
  const accounts = heldAccounts(self, new Guesses(self, store))
  assert.equal(accounts.repair, null)
  const held = await accounts.read(store, (owners[0] as TestOwner).accountId)
  assert.deepEqual([held?.sharing.keyEpoch, held?.before], [1, null])
  assert.equal(await accounts.read(store, new Uint8Array(32)), null)
  assert.equal(await accounts.certificate(store, (owners[0] as TestOwner).accountId), null)
})

test("rows of runs about accounts come back with their range, and none is without", async () => {
  const { world, owners } = await withOwners(1)
  const coordinator = await begin(world, owners)
  await coordinator.open(1)
  const runId = reshare.openingDigest(coordinator.attempt.params)
  const row = (await readRun(serverOf(world, 1).store, runId))?.value
  assert.ok(row)
  const again = decode(reshareRunRow, encode(reshareRunRow, row))
  assert.deepEqual(again.range, everyId(world))
  assert.throws(() => encode(reshareRunRow, { ...row, range: null }), /accounts have a range/)
  assert.throws(() => encode(reshareRunRow, { ...row, kind: "keys" }), /keys have none/)
})
