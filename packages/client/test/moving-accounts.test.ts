import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { transitionFrom } from "@lockkeeper/api"
import type { LockKeeper } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { opaque } from "@lockkeeper/protocols"
import { TestCluster } from "./cluster.ts"
import { type Shape, settle } from "./moving-cluster.ts"
import { operate, PATIENCE, signs } from "./operated-cluster.ts"
import { refused } from "./refusals.ts"

const NAMES = ["alice", "bob", "carol"]
const passwordOf = (name: string) => `password of ${name}`

/** Servers that hold accounts from the first, and others that join later. */
async function start({ holders, minSigners }: Shape, servers = 6): Promise<TestCluster> {
  const cluster = await TestCluster.start({ servers, listed: holders.length, minSigners })
  const keeper = await cluster.connect(PATIENCE)
  for (const name of NAMES) await keeper.register({ name, password: passwordOf(name) })
  keeper.close()
  return cluster
}

async function goOnTo(cluster: TestCluster, { holders, minSigners }: Shape): Promise<void> {
  const { roster } = cluster
  const stay = roster.members.map(({ identifier }) => identifier)
  const joining = holders.filter((one) => !stay.includes(one)).map((one) => cluster.memberAs(one))
  const members = [...roster.members, ...joining].sort((a, b) => a.identifier - b.identifier)
  const leaving = stay.filter((one) => !holders.includes(one))
  const transition = transitionFrom(roster, minSigners, leaving)
  await cluster.changeRoster({ members, minSigners, transition })
}

/** Everybody logs in, nobody is blamed, and wrong passwords are wrong. */
async function logIn(keeper: LockKeeper): Promise<void> {
  for (const name of NAMES) {
    const session = await keeper.login({ name, password: passwordOf(name) })
    assert.deepEqual(session.incidents, [])
    await session.logout()
  }
  await refused(() => keeper.login({ name: "alice", password: "wrong" }), "wrong-password")
}

async function holding(operator: Awaited<ReturnType<typeof operate>>): Promise<Identifier[]> {
  const { answers } = await operator.sharings("accounts")
  const some = [...answers].filter(([, all]) => all.length > 0).map(([id]) => id)
  return some.sort((a, b) => a - b)
}

const THREE: Shape = { holders: [1, 2, 3], minSigners: 2 }
const FIVE: Shape = { holders: [1, 2, 3, 4, 5], minSigners: 3 }
const MOVES: readonly (readonly [string, Shape, Shape])[] = [
  ["2 of 3 to three others", THREE, { holders: [4, 5, 6], minSigners: 2 }],
  ["2 of 3 to two of them and one other", THREE, { holders: [1, 2, 4], minSigners: 2 }],
  ["2 of 3 to 3 of 5", THREE, FIVE],
  ["3 of 5 to 2 of 3", FIVE, { holders: [1, 2, 6], minSigners: 2 }],
]

describe("accounts that move to other holders", () => {
  for (const [name, from, to] of MOVES) {
    it(`from ${name}: their owners log in before, during, after and when it is settled`, async () => {
      const cluster = await start(from)
      await goOnTo(cluster, to)
      const keeper = await cluster.connect(PATIENCE)
      await logIn(keeper)
      const late = { name: "late", password: "late" }
      const error = await refused(() => keeper.register(late), "unavailable")
      assert.match(error.message, /on their way/)
      const operator = await operate(cluster)
      const first = await operator.reshare({ kind: "accounts", batch: 2, most: 2 })
      assert.deepEqual([first.done, first.skipped], [2, []], JSON.stringify(first.incidents))
      await logIn(keeper)
      const rest = await operator.reshare({ kind: "accounts", batch: 2 })
      assert.deepEqual(
        [rest.done, rest.fresh, rest.skipped, rest.missing.size, rest.lingering.size],
        [1, 2, [], 0, 0],
        JSON.stringify(rest.incidents),
      )
      assert.equal(rest.keeping.size, 0)
      assert.deepEqual(await holding(operator), [...to.holders])
      const session = await keeper.login({ name: "bob", password: passwordOf("bob") })
      await session.changePassword({ current: passwordOf("bob"), next: "next" })
      await session.changePassword({ current: "next", next: passwordOf("bob") })
      await session.logout()
      await keeper.register(late)
      await logIn(keeper)
      await operator.close()
      await settle(cluster)
      const settled = await cluster.connect(PATIENCE)
      await logIn(settled)
      await (await settled.login(late)).logout()
      await settled.register({ name: "last", password: "last" })
    })
  }

  it("and back, with what was registered meanwhile", async () => {
    const cluster = await start(THREE)
    const names = [...NAMES]
    for (const to of [{ holders: [4, 5, 6], minSigners: 2 }, THREE]) {
      await goOnTo(cluster, to)
      const operator = await operate(cluster)
      const report = await operator.reshare({ kind: "accounts" })
      assert.deepEqual([report.done, report.skipped], [names.length, []])
      await operator.close()
      await settle(cluster)
      const keeper = await cluster.connect(PATIENCE)
      await logIn(keeper)
      const name = `new-at-${to.holders.join("-")}`
      await keeper.register({ name, password: "new" })
      names.push(name)
      keeper.close()
    }
    const keeper = await cluster.connect(PATIENCE)
    await (await keeper.login({ name: "new-at-4-5-6", password: "new" })).logout()
  })

  for (const [name, from, to] of MOVES) {
    it(`from ${name}: keys that have yet to move sign at those who hold them`, async () => {
      const cluster = await start(from)
      const owner = { name: "alice", password: passwordOf("alice") }
      const before = await (await cluster.connect(PATIENCE)).login(owner)
      const { key } = await before.keys.create({ type: "ed25519" })
      await before.logout()
      await goOnTo(cluster, to)
      const operator = await operate(cluster)
      const keeper = await cluster.connect(PATIENCE)
      for (const kind of ["accounts", "keys"] as const) {
        const report = await operator.reshare({ kind })
        assert.deepEqual([report.skipped, report.keeping.size], [[], 0])
        const session = await keeper.login(owner)
        const holders = kind === "accounts" ? from.holders : to.holders
        for (const one of await signs(session, key, kind)) assert.ok(holders.includes(one))
        await session.logout()
      }
      await operator.close()
    })
  }

  it("bring along the guesses that two have taken, whoever deals: all old holders tell", async () => {
    const cluster = await start(THREE)
    const guesses = 4
    for (const [i, name] of NAMES.entries()) {
      // This server has counted none of them.
      cluster.wire(i + 1).down = true
      const keeper = await cluster.connect(PATIENCE)
      for (let n = 0; n < guesses; n++) {
        await refused(() => keeper.login({ name, password: "wrong" }), "wrong-password")
      }
      keeper.close()
      cluster.wire(i + 1).down = false
    }
    await goOnTo(cluster, { holders: [4, 5, 6], minSigners: 2 })
    const operator = await operate(cluster)
    const report = await operator.reshare({ kind: "accounts" })
    assert.deepEqual([report.done, report.skipped], [3, []], JSON.stringify(report.incidents))
    await operator.close()
    await settle(cluster)
    const keeper = await cluster.connect(PATIENCE)
    for (const name of NAMES) {
      const wrong = await refused(() => keeper.login({ name, password: "w" }), "wrong-password")
      assert.equal(wrong.guessesRemaining, opaque.DEFAULT_GUESS_LIMIT - guesses - 1, name)
    }
  })

  it("leave in the next run where a server that leaves was down, and nobody is there to log in at", async () => {
    const cluster = await start(THREE)
    await goOnTo(cluster, { holders: [1, 2, 4], minSigners: 2 })
    cluster.wire(3).down = true
    const operator = await operate(cluster)
    const report = await operator.reshare({ kind: "accounts", batch: 2 })
    assert.deepEqual([report.done, [...report.keeping]], [3, [[3, 3]]])
    cluster.wire(3).down = false
    assert.deepEqual(await holding(operator), [1, 2, 3, 4])
    const again = await operator.reshare({ kind: "accounts" })
    assert.deepEqual([again.done, again.keeping.size], [0, 0])
    assert.deepEqual(await holding(operator), [1, 2, 4])
    await operator.close()
    await logIn(await cluster.connect(PATIENCE))
  })
})

describe("accounts of a server that lost its store", () => {
  it("are dealt anew by a repair, and it answers for no name before", async () => {
    const cluster = await start(THREE)
    cluster.loseStore(3)
    await goOnTo(cluster, THREE)
    const keeper = await cluster.connect(PATIENCE)
    await logIn(keeper)
    const operator = await operate(cluster)
    const dry = await operator.repair({ kind: "accounts", server: 3, dryRun: true })
    assert.deepEqual([dry.lacking.length, dry.done], [3, 0])
    const report = await operator.repair({ kind: "accounts", server: 3, batch: 2 })
    assert.deepEqual([report.done, report.skipped, report.unclear], [3, [], []])
    assert.deepEqual(report.incidents, [])
    const again = await operator.repair({ kind: "accounts", server: 3 })
    assert.deepEqual([again.lacking, again.done], [[], 0])
    for (const down of [1, 2]) {
      cluster.wire(down).down = true
      for (const name of NAMES) {
        await (await keeper.login({ name, password: passwordOf(name) })).logout()
      }
      cluster.wire(down).down = false
    }
    await operator.close()
  })

  it("are left as they are while too few others can deal them", async () => {
    const cluster = await start(THREE)
    cluster.loseStore(3)
    await goOnTo(cluster, THREE)
    cluster.wire(2).down = true
    const operator = await operate(cluster)
    await refused(() => operator.repair({ kind: "accounts", server: 3 }), "not-enough-servers")
    cluster.wire(2).down = false
    await operator.close()
  })
})
