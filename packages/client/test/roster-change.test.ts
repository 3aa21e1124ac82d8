import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { encodeRosterChain, rosterDigest, type SignedRoster, settledRoster } from "@lockkeeper/api"
import { LockKeeper, LockKeeperError, type RosterChange } from "@lockkeeper/client"
import { toHex, utf8 } from "@lockkeeper/encoding"
import { TestCluster } from "./cluster.ts"

const owner = { name: "alice", password: "correct horse battery staple" }

async function refusal(work: Promise<unknown>): Promise<LockKeeperError> {
  const error = await work.then(
    () => null,
    (caught) => caught,
  )
  assert.ok(error instanceof LockKeeperError, `expected a refusal, got ${error}`)
  return error
}

/** A registered owner's way to servers that then follow another roster. */
async function setUp(changes = { refreshHours: 168 }) {
  const cluster = await TestCluster.start()
  const heard: RosterChange[] = []
  const keeper = await cluster.connect({}, {}, { onRoster: (change) => heard.push(change) })
  const pin = cluster.pin
  await keeper.register(owner)
  return { cluster, keeper, heard, pin, change: () => cluster.changeRoster(changes) }
}

describe("servers that follow a newer roster", () => {
  it("are followed at the next login, and the program is told what changed", async () => {
    const { cluster, keeper, heard, pin, change } = await setUp()
    await change()
    assert.deepEqual(keeper.rosterDigest, pin)
    const session = await keeper.login(owner)
    assert.deepEqual(keeper.rosterDigest, cluster.pin)
    assert.equal(heard.length, 1)
    const [{ before, after, difference, digest, chain }] = heard as [RosterChange]
    assert.deepEqual([before.rosterEpoch, after.rosterEpoch], [1, 2])
    assert.deepEqual(difference.refreshHours, { before: 0, after: 168 })
    assert.deepEqual(digest, cluster.pin)
    await session.logout()
    const again = await LockKeeper.connect({
      ...{ roster: chain, pin },
      dependencies: cluster.dependencies(),
    })
    assert.deepEqual(again.rosterDigest, cluster.pin)
    for (const one of [keeper, again]) one.close()
  })

  it("are followed over several rosters at once", async () => {
    const { cluster, keeper, heard, change } = await setUp()
    await change()
    await cluster.changeRoster({ cryptoperiodDays: 730 })
    await (await keeper.login(owner)).logout()
    assert.deepEqual(
      heard.map(({ before, after }) => [before.rosterEpoch, after.rosterEpoch]),
      [[1, 3]],
    )
    keeper.close()
  })

  it("are followed by health, and by a registration", async () => {
    const { cluster, keeper, heard, change } = await setUp()
    await change()
    const servers = await keeper.health()
    assert.deepEqual(
      servers.map(({ ready, problem }) => [ready, problem]),
      [1, 2, 3].map(() => [true, ""]),
    )
    await cluster.changeRoster({ refreshHours: 24 })
    await keeper.register({ ...owner, name: "bob" })
    assert.equal(heard.length, 2)
    assert.deepEqual(keeper.rosterDigest, cluster.pin)
    keeper.close()
  })

  it("end a session of the roster before with an error that says to log in again", async () => {
    const { keeper, change } = await setUp()
    const session = await keeper.login(owner)
    const { key } = await session.keys.create({ type: "ed25519" })
    await change()
    const sign = () => session.sign({ keyId: key.keyId, message: utf8("hello") })
    for (const error of [await refusal(sign()), await refusal(session.keys.list())]) {
      assert.equal(error.code, "session-ended")
      assert.match(error.message, /follow another roster than number 1 of this login/)
      assert.equal(error.remedy, "Log in again.")
    }
    const next = await keeper.login(owner)
    const { signature } = await next.sign({ keyId: key.keyId, message: utf8("hello") })
    assert.equal(signature.length, 64)
    await session.logout()
    await next.logout()
    keeper.close()
  })
})

describe("a roster that is not followed", () => {
  it("is one that only a server that lies says it follows", async () => {
    const { cluster, keeper, heard, pin } = await setUp()
    const session = await keeper.login(owner)
    const { key } = await session.keys.create({ type: "ed25519" })
    const { rostersBefore, roster, signed } = cluster
    // One server alone goes on to a roster that the others know nothing of.
    await cluster.changeRoster({ refreshHours: 1 })
    const chain = [...cluster.rostersBefore, cluster.signed]
    const lacking = {
      ...cluster.signed,
      signatures: new Map([...cluster.signed.signatures].slice(1)),
    }
    Object.assign(cluster, { rostersBefore, roster, signed })
    await cluster.restart(1)
    await cluster.restart(2)
    cluster.wire(3).roster = encodeRosterChain([...chain.slice(0, -1), lacking])
    for (let i = 0; i < 3; i++) await session.sign({ keyId: key.keyId, message: utf8(`${i}`) })
    const { code } = await refusal(keeper.register({ ...owner, name: "bob" }))
    assert.equal(code, "wrong-roster")
    assert.deepEqual([heard.length, keeper.rosterDigest], [0, pin])
    await session.logout()
    keeper.close()
  })

  it("is one that another server's contradicts: both are named", async () => {
    const { cluster, keeper, heard, pin } = await setUp()
    const other = cluster.nextRoster({ refreshHours: 24 }).signed
    await cluster.changeRoster({ refreshHours: 168 })
    cluster.wire(2).roster = encodeRosterChain([...cluster.rostersBefore, other])
    const error = await refusal(keeper.login(owner))
    assert.deepEqual([error.code, error.field], ["untrusted-roster", "roster"])
    assert.match(error.message, /^Two rosters have the number 2: /)
    assert.match(error.message, new RegExp(toHex(cluster.pin).slice(0, 16)))
    assert.match(error.message, /shown by server 1 "server-1".*shown by server 2 "server-2"/)
    assert.match(error.message, /Both are signed by "server-1", "server-2", "server-3"/)
    assert.deepEqual([heard.length, keeper.rosterDigest], [0, pin])
    // A chain that shares nothing with ours follows from nothing that we trust.
    cluster.wire(2).roster = encodeRosterChain([other])
    await (await keeper.login(owner)).logout()
    assert.deepEqual(keeper.rosterDigest, cluster.pin)
    keeper.close()
  })

  it("is one that is signed, and shown by fewer than t: it is not in force yet", async () => {
    const { cluster, keeper, heard, pin } = await setUp()
    const { rostersBefore, signed, roster } = cluster
    await cluster.changeRoster({ refreshHours: 168 })
    Object.assign(cluster, { rostersBefore, signed, roster })
    for (const one of [1, 2]) await cluster.restart(one)
    // Registering takes the third server too, which says that it is elsewhere.
    const { code } = await refusal(keeper.register({ ...owner, name: "bob" }))
    assert.deepEqual([code, heard.length, keeper.rosterDigest], ["wrong-roster", 0, pin])
    await (await keeper.login(owner)).logout()
    // As soon as an honest one is among those that follow it.
    await cluster.changeRoster({ refreshHours: 168 })
    await (await keeper.login(owner)).logout()
    assert.deepEqual([heard.length, keeper.rosterDigest], [1, cluster.pin])
    keeper.close()
  })

  it("is the end of a transition that went on otherwise: who shows it makes no fork", async () => {
    const { cluster, keeper, heard } = await setUp()
    const transition = { leaving: [], minSignersBefore: 2 }
    await cluster.changeRoster({ transition })
    const end = cluster.nextRoster(settledRoster(cluster.roster)).signed
    const early = encodeRosterChain([...cluster.rostersBefore, cluster.signed, end])
    await cluster.changeRoster({ transition, refreshHours: 24 })
    cluster.wire(3).roster = early
    await (await keeper.login(owner)).logout()
    assert.deepEqual([heard.length, keeper.rosterDigest], [1, cluster.pin])
    // Where its members are the ones who follow it, it is in force, and one of the two is a fork.
    cluster.wire(2).roster = early
    const other = await LockKeeper.connect({
      roster: encodeRosterChain(cluster.rostersBefore),
      pin: rosterDigest((cluster.rostersBefore[0] as SignedRoster).roster),
      dependencies: cluster.dependencies(),
    })
    const error = await refusal(other.login(owner))
    assert.deepEqual([error.code, error.field], ["untrusted-roster", "roster"])
    for (const one of [keeper, other]) one.close()
  })

  it("is one before the pinned one: servers that lag behind are told apart", async () => {
    const { cluster, keeper, heard } = await setUp()
    const { signed, pin } = cluster
    const next = cluster.nextRoster({ refreshHours: 24 }).signed
    const ahead = await LockKeeper.connect({
      roster: encodeRosterChain([signed, next]),
      pin,
      dependencies: cluster.dependencies(),
    })
    const error = await refusal(ahead.login(owner))
    assert.equal(error.code, "wrong-roster")
    assert.match(error.message, /The client follows roster 2, this server roster 1/)
    assert.equal(heard.length, 0)
    for (const one of [keeper, ahead]) one.close()
  })
})

describe("what the rules of a roster leave", () => {
  it("is said of the roster that is followed, by the client and by each server", async () => {
    const { cluster, keeper } = await setUp()
    assert.deepEqual(keeper.placement, { possible: true, mayLose: 1 })
    const members = cluster.roster.members.map((member, i) => ({
      ...member,
      operator: i === 0 ? "one" : "two",
    }))
    await cluster.changeRoster({
      members,
      placement: { ...cluster.roster.placement, distinctOperators: true },
    })
    const said = (await keeper.health()).map(({ status }) => status?.placement)
    const none = { possible: true, mayLose: 0 }
    assert.deepEqual([keeper.placement, ...said], [none, none, none, none])
    keeper.close()
  })
})
