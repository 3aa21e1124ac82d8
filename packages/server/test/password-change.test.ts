import assert from "node:assert/strict"
import { test } from "node:test"
import { changePasswordBody, LockKeeperError } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { opaque } from "@lockkeeper/protocols"
import { startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOwner, type TestSession } from "./owner.ts"
import { act, changePassword } from "./password-flows.ts"

const EMPTY = new Uint8Array(0)

/** Logs in as the SDK does: for the version before, where too few agree on the active one. */
async function login(
  owner: TestOwner,
  password: string,
  at: readonly TestServer[] = owner.servers,
  shownVersion = 0,
): Promise<readonly TestSession[]> {
  const { started, opened } = await owner.startLogin(password, at, shownVersion)
  const responses = new Map<Identifier, Bytes>()
  for (const { session, answer } of opened) {
    if (answer.kind === "login") responses.set(session.to.identifier, answer.response)
  }
  const [older] = opaque.olderVersions(started.state, responses)
  const combined = opaque.combineLogin(started.state, responses)
  if (!combined.ok && older !== undefined && shownVersion === 0) {
    return login(owner, password, at, older)
  }
  const used = combined.ok ? combined.value.combined.answers : new Map()
  const taking = opened.filter(({ session }) => used.has(session.to.identifier))
  return owner.completeLogin(started, taking)
}

/** Sessions with every server, resumed at those that were not in the login. */
function everywhere(
  owner: TestOwner,
  loggedIn: readonly TestSession[],
): Promise<readonly TestSession[]> {
  return Promise.all(
    owner.servers.map(
      async (to) => loggedIn.find((session) => session.to === to) ?? owner.resume(to),
    ),
  )
}

const isWrong = (error: unknown) =>
  error instanceof Error && error.message === "wrong-password-or-envelope"

async function shownAt(owner: TestOwner, server: TestServer, asked = 0): Promise<number> {
  const { opened } = await owner.startLogin("guess", [server], asked)
  const [answer] = opened.map((one) => one.answer)
  assert.ok(answer?.kind === "login")
  return decode(opaque.loginResponseCodec, answer.response).frame.shownVersion
}

async function ready(servers: number, minSigners: number) {
  const owner = new TestOwner(await startCluster({ servers, minSigners }))
  await owner.register("old")
  return { owner, sessions: await owner.login("old", owner.servers) }
}

const ROSTERS = [
  { servers: 2, minSigners: 2, splits: [[1], [2]] },
  { servers: 3, minSigners: 2, splits: [[1], [2], [3], [1, 2], [1, 3], [2, 3]] },
]

for (const { servers, minSigners, splits } of ROSTERS) {
  const all = Array.from({ length: servers }, (_, i) => i + 1)
  for (const activateAt of splits) {
    const who = activateAt.join(" and ")
    const name = `a change that only server ${who} of ${servers} activated`
    const took = activateAt.length >= minSigners
    const [right, wrong] = took ? ["new", "old"] : ["old", "new"]

    test(`${name} leaves the ${right} password working, and no other`, async () => {
      const { owner, sessions } = await ready(servers, minSigners)
      await changePassword(owner, sessions, "new", { version: 2, activateAt, finaliseAt: [] })
      assert.ok((await login(owner, right)).length >= minSigners)
      await assert.rejects(login(owner, wrong), isWrong)
    })

    test(`${name} does not stop the next one, after which nothing older logs in`, async () => {
      const { owner, sessions } = await ready(servers, minSigners)
      await changePassword(owner, sessions, "new", { version: 2, activateAt, finaliseAt: [] })
      const shown = await shownAt(owner, owner.servers[0] as TestServer)
      const loggedIn = await login(owner, right)
      const resumed = await everywhere(owner, loggedIn)
      await changePassword(owner, resumed, "newest", {
        version: 3,
        activateAt: all,
        finaliseAt: all,
      })
      assert.equal((await login(owner, "newest")).length, servers)
      for (const password of ["old", "new"]) {
        for (const asked of [shown - 1, shown, shown + 1]) {
          await assert.rejects(login(owner, password, owner.servers, asked), isWrong)
        }
      }
    })
  }
}

for (const { servers, minSigners, splits } of ROSTERS) {
  test(`two changes that stopped anywhere leave a password working at ${servers} servers`, async () => {
    for (const first of splits) {
      for (const second of [...splits, []]) {
        const { owner, sessions } = await ready(servers, minSigners)
        const stopped = { version: 2, activateAt: first, finaliseAt: [] }
        await changePassword(owner, sessions, "new", stopped)
        const right = first.length >= minSigners ? "new" : "old"
        const again = await everywhere(owner, await login(owner, right))
        await changePassword(owner, again, "newest", {
          version: 3,
          activateAt: second,
          finaliseAt: [],
        })
        const expected = second.length >= minSigners ? "newest" : right
        const loggedIn = await login(owner, expected)
        assert.ok(loggedIn.length >= minSigners, `${first} then ${second}`)
      }
    }
  })
}

test("until a change is final the version before logs in whoever asks for it, and then never", async () => {
  const { owner, sessions } = await ready(3, 2)
  const all = [1, 2, 3]
  const shown = await shownAt(owner, owner.servers[0] as TestServer)
  await changePassword(owner, sessions, "new", { version: 2, activateAt: all, finaliseAt: [] })
  assert.equal((await login(owner, "old", owner.servers, shown)).length, 3)
  await assert.rejects(login(owner, "old"), isWrong)

  const again = await login(owner, "new")
  await changePassword(owner, again, "newest", { version: 3, activateAt: all, finaliseAt: [1] })
  // Where it is final the version before is destroyed; the version before that is gone everywhere.
  const [first, second, third] = owner.servers as [TestServer, TestServer, TestServer]
  assert.equal(await shownAt(owner, first, shown + 1), shown + 2)
  assert.equal(await shownAt(owner, second, shown + 1), shown + 1)
  for (const server of [first, second, third]) {
    assert.equal(await shownAt(owner, server, shown), shown + 2)
  }
})

test("no server answers from a registration that not all have confirmed", async () => {
  const { owner, sessions } = await ready(2, 2)
  const shown = await shownAt(owner, owner.servers[0] as TestServer)
  await changePassword(owner, sessions, "new", { version: 2, activateAt: [], finaliseAt: [] })
  for (const server of owner.servers) {
    for (const asked of [0, shown, shown + 1]) {
      assert.equal(await shownAt(owner, server, asked), shown)
    }
  }
})

test("a change is made final by its own digest alone, and not before it is active", async () => {
  const { owner, sessions } = await ready(2, 2)
  const [session] = sessions as [TestSession]
  await changePassword(owner, sessions, "new", { version: 2, activateAt: [], finaliseAt: [] })
  const finalise = (opaqueVersion: number, registrationDigest: Bytes) => {
    const body = encode(changePasswordBody, { opaqueVersion, registrationDigest })
    return act(session, owner.sign(owner.request("account.change-password", body)), 3, EMPTY)
  }
  const isConflict = (error: unknown) =>
    error instanceof LockKeeperError && error.code === "conflict"
  for (const version of [1, 2]) {
    await assert.rejects(finalise(version, new Uint8Array(32)), isConflict)
  }
})

test("a password change gives strangers no guesses", async () => {
  const { owner, sessions } = await ready(2, 2)
  for (let i = 0; i < 3; i++) await owner.startLogin("guess", owner.servers)
  await changePassword(owner, sessions, "new", {
    version: 2,
    activateAt: [1, 2],
    finaliseAt: [1, 2],
  })
  const { opened } = await owner.startLogin("guess", owner.servers)
  for (const { answer } of opened) {
    assert.equal(answer.kind === "login" ? answer.guessesRemaining : null, 6)
  }
})

test("a session of the password before ends when the change is final", async () => {
  const { owner, sessions } = await ready(2, 2)
  const [old] = await login(owner, "old")
  await changePassword(owner, sessions, "new", { version: 2, activateAt: [1, 2], finaliseAt: [] })
  const shown = await shownAt(owner, owner.servers[0] as TestServer)
  const [kept] = await login(owner, "old", owner.servers, shown - 1)
  const show = () => owner.sign(owner.request("account.show", EMPTY))
  await act(kept as TestSession, show(), 1, EMPTY)
  await assert.rejects(act(old as TestSession, show(), 1, EMPTY))
  const current = await login(owner, "new")
  await changePassword(owner, current, "newest", {
    version: 3,
    activateAt: [1, 2],
    finaliseAt: [1, 2],
  })
  await assert.rejects(act(kept as TestSession, show(), 1, EMPTY))
})
