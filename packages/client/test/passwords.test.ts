import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { type LockKeeper, LockKeeperError } from "@lockkeeper/client"
import { verifySignature } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
import { ServerSession } from "../src/server-session.ts"
import { accountOf, keepPrevious, missActivation } from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

describe("a wrong password", () => {
  it("is refused with the guesses that remain, down to the lock", async () => {
    const cluster = await TestCluster.start({ servers: 2 })
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "right" })
    for (let left = 9; left >= 0; left--) {
      const login = () => keeper.login({ name: "alice", password: "wrong" })
      const error = await refused(login, "wrong-password")
      assert.equal(error.guessesRemaining, left)
      assert.equal(error.field, "password")
      assert.notEqual(error.remedy, "")
    }
    await refused(() => keeper.login({ name: "alice", password: "right" }), "locked")
  })

  it("costs guesses that the right one reports, and gets its own back", async () => {
    const cluster = await TestCluster.start({ servers: 2 })
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "right" })
    await refused(() => keeper.login({ name: "alice", password: "wrong" }), "wrong-password")
    for (let i = 0; i < 3; i++) {
      const session = await keeper.login({ name: "alice", password: "right" })
      assert.equal(session.failedGuesses, 1)
      await session.logout()
    }
    const session = await keeper.login({ name: "alice", password: "right" })
    await session.forgiveGuesses()
    const after = await keeper.login({ name: "alice", password: "right" })
    assert.equal(after.failedGuesses, 0)
  })

  it("looks the same as a name that does not exist", async () => {
    const cluster = await TestCluster.start({ servers: 2 })
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "right" })
    const known = await refused(
      () => keeper.login({ name: "alice", password: "wrong" }),
      "wrong-password",
    )
    const unknown = await refused(
      () => keeper.login({ name: "nobody", password: "wrong" }),
      "wrong-password",
    )
    assert.deepEqual(unknown.toBody(0), known.toBody(0))
  })
})

describe("a password change", () => {
  it("replaces the password and keeps the keys, in this session and in new ones", async () => {
    const cluster = await TestCluster.start()
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "old" })
    const session = await keeper.login({ name: "alice", password: "old" })
    const { key } = await session.keys.create({ type: "ed25519" })
    const { incidents } = await session.changePassword({ current: "old", next: "new" })
    assert.deepEqual(incidents, [])

    const message = utf8("after")
    const { signature } = await session.sign({ keyId: key.keyId, message })
    assert.ok(verifySignature(key.publicKey, message, signature))
    await refused(() => keeper.login({ name: "alice", password: "old" }), "wrong-password")
    const later = await keeper.login({ name: "alice", password: "new" })
    const again = await later.sign({ keyId: key.keyId, message })
    assert.ok(verifySignature(key.publicKey, message, again.signature))
    // Every server took part: the new session resumes at whichever was not in the login.
    for (let i = 0; i < 3; i++) await later.sign({ keyId: key.keyId, message })
  })

  it("that a server missed the end of is made up for at the next login", async () => {
    const cluster = await TestCluster.start()
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "old" })
    const session = await keeper.login({ name: "alice", password: "old" })
    const before = await accountOf(cluster.server(1), "alice")
    await session.changePassword({ current: "old", next: "new" })
    await missActivation(cluster.server(1), before)
    let noticed = 0
    for (let i = 0; i < 3; i++) {
      noticed += (await keeper.login({ name: "alice", password: "new" })).incidents.length
    }
    assert.equal(noticed, 1)
    for (const identifier of [1, 2, 3]) {
      const { active, pending, previous } = await accountOf(cluster.server(identifier), "alice")
      const versions = [active, pending, previous].map((r) => r?.registration.keys.opaqueVersion)
      assert.deepEqual(versions, [2, undefined, undefined])
    }
    // It now takes a login with only one other server.
    cluster.wire(3).down = true
    assert.deepEqual((await keeper.login({ name: "alice", password: "new" })).name, "alice")
    await refused(() => keeper.login({ name: "alice", password: "old" }), "wrong-password")
  })

  it("that most servers missed the end of leaves the old password, and can be made again", async () => {
    const cluster = await TestCluster.start({ servers: 2 })
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "old" })
    const session = await keeper.login({ name: "alice", password: "old" })
    const before = await accountOf(cluster.server(1), "alice")
    const ahead = await accountOf(cluster.server(2), "alice")
    await session.changePassword({ current: "old", next: "new" })
    await missActivation(cluster.server(1), before)
    await keepPrevious(cluster.server(2), ahead)
    await refused(() => keeper.login({ name: "alice", password: "new" }), "wrong-password")
    const again = await keeper.login({ name: "alice", password: "old" })
    await again.changePassword({ current: "old", next: "newer" })
    await keeper.login({ name: "alice", password: "newer" })
    await refused(() => keeper.login({ name: "alice", password: "old" }), "wrong-password")
  })

  it("asks for the current password, whoever holds the session", async () => {
    const cluster = await TestCluster.start({ servers: 2 })
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "old" })
    const session = await keeper.login({ name: "alice", password: "old" })
    const change = { current: "guess", next: "new" }
    const error = await refused(() => session.changePassword(change), "wrong-password")
    assert.equal(error.guessesRemaining, 9)
    await refused(() => session.changePassword({ current: "old", next: "old" }), "invalid-request")
    await keeper.login({ name: "alice", password: "old" })
  })

  it("needs every server, changes nothing without one, and works once it is back", async () => {
    const cluster = await TestCluster.start()
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "old" })
    const session = await keeper.login({ name: "alice", password: "old" })
    cluster.wire(2).down = true
    const change = { current: "old", next: "new" }
    const error = await refused(() => session.changePassword(change), "not-enough-servers")
    assert.match(error.message, /server-2/)
    await keeper.login({ name: "alice", password: "old" })
    cluster.wire(2).down = false
    await session.changePassword(change)
    await keeper.login({ name: "alice", password: "new" })
  })
})

describe("where servers differ about the password after a change that stopped half way", () => {
  /** The end of a change from "old" to "new" was missed by these servers, and the others wait for it. */
  async function changedBut(missed: readonly number[], servers: number) {
    const cluster = await TestCluster.start({ servers })
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "old" })
    const session = await keeper.login({ name: "alice", password: "old" })
    const ids = [...cluster.servers.keys()]
    const before = await Promise.all(ids.map((id) => accountOf(cluster.server(id), "alice")))
    await session.changePassword({ current: "old", next: "new" })
    for (const [i, id] of ids.entries()) {
      const put = missed.includes(id) ? missActivation : keepPrevious
      await put(cluster.server(id), before[i] as (typeof before)[number])
    }
    return { cluster, keeper }
  }
  const login = (keeper: LockKeeper, password: string) => keeper.login({ name: "alice", password })

  it("the new one is not called wrong while who has it too is away, and logs in afterwards", async () => {
    const { cluster, keeper } = await changedBut([1], 3)
    cluster.wire(3).down = true
    const error = await refused(() => login(keeper, "new"), "not-enough-servers")
    assert.match(error.message, /"server-2" .* later password .* "server-3" gave no answer/)
    assert.match(error.remedy, /before the change/)
    await (await login(keeper, "old")).logout()
    cluster.wire(3).down = false
    for (let i = 0; i < 3; i++) await (await login(keeper, "new")).logout()
  })

  it("the new one logs in though the first servers asked agree on the old one", async () => {
    for (const turn of [0, 1, 2, 3]) {
      const { cluster } = await changedBut([1, 2], 4)
      const bytes = (length: number) =>
        length === 1 ? Uint8Array.of(turn) : crypto.getRandomValues(new Uint8Array(length))
      const keeper = await cluster.connect({}, { randomness: { bytes } })
      const session = await login(keeper, "new")
      const seen = session.incidents.map(({ server, reason }) => `${server} ${reason}`)
      // Only the third turn begins with two that have it.
      const stale = turn === 2 ? [] : [1, 2]
      assert.deepEqual(
        seen.sort(),
        stale.map((server) => `${server} stale-or-lying`),
      )
      for (const id of stale) {
        const { active, pending } = await accountOf(cluster.server(id), "alice")
        assert.deepEqual([active?.registration.keys.opaqueVersion, pending], [2, null])
      }
    }
  })

  it("a wrong one is called wrong once no t servers can have another password", async () => {
    const { cluster, keeper } = await changedBut([1, 2], 3)
    await refused(() => login(keeper, "new"), "wrong-password")
    cluster.wire(3).down = true
    const error = await refused(() => login(keeper, "nobody's"), "wrong-password")
    assert.equal(error.message, "The name or the password is wrong.")
  })
})

describe("a wrong password at servers that agree", () => {
  it("costs t of them a guess, where the others are too few to have a later one", async () => {
    const cluster = await TestCluster.start()
    const keeper = await cluster.connect()
    await keeper.register({ name: "alice", password: "right" })
    const before = [1, 2, 3].map((id) => cluster.wire(id).calls)
    await refused(() => keeper.login({ name: "alice", password: "wrong" }), "wrong-password")
    const asked = [1, 2, 3].filter((id, i) => cluster.wire(id).calls > (before[i] as number))
    assert.equal(asked.length, 2)
  })

  it("says who was not heard, where those could have a later one", async () => {
    const cluster = await TestCluster.start({ servers: 4 })
    const keeper = await cluster.connect({ callMs: 30_000 })
    await keeper.register({ name: "alice", password: "right" })
    cluster.wire(3).down = true
    cluster.wire(4).hangs = true
    const start = performance.now()
    const wrong = () => keeper.login({ name: "alice", password: "wrong" })
    const error = await refused(wrong, "wrong-password")
    assert.match(error.remedy, /just changed, when "server-3", "server-4"/)
    assert.equal(error.guessesRemaining, 9)
    assert.ok(performance.now() - start < 15_000)
    await (await keeper.login({ name: "alice", password: "right" })).logout()
  })
})

describe("a password that has opened the account's envelope", () => {
  it("is not called wrong by the word of a server", async () => {
    const honest = ServerSession.prototype.finishLogin
    ServerSession.prototype.finishLogin = async function (this: ServerSession, ...asked) {
      if (this.identifier !== 2) return honest.apply(this, asked)
      throw new LockKeeperError("wrong-password", "The name or the password is wrong.")
    }
    try {
      const cluster = await TestCluster.start({ servers: 2 })
      const keeper = await cluster.connect()
      await keeper.register({ name: "alice", password: "right" })
      const right = () => keeper.login({ name: "alice", password: "right" })
      const error = await refused(right, "not-enough-servers")
      assert.match(error.message, /takes 2 key servers; 1 did their part. 2: /)
    } finally {
      ServerSession.prototype.finishLogin = honest
    }
  })
})
