import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { verifySignature } from "@lockkeeper/crypto"
import { utf8 } from "@lockkeeper/encoding"
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
