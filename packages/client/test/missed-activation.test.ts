import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { LockKeeper, Session } from "@lockkeeper/client"
import { ServerSession } from "../src/server-session.ts"
import { accountOf, loseAccount, missRegistration } from "./cheats.ts"
import { TestCluster } from "./cluster.ts"
import { refused } from "./refusals.ts"

const OWNER = { name: "alice", password: "correct horse" }

interface Missed {
  readonly cluster: TestCluster
  readonly keeper: LockKeeper
  readonly session: Session
}

/** A login at servers 1 and 3, where server 2 never learned that the registration was complete. */
async function missed(): Promise<Missed> {
  const cluster = await TestCluster.start()
  const keeper = await cluster.connect()
  await keeper.register(OWNER)
  await missRegistration(cluster.server(2), OWNER.name)
  cluster.wire(2).down = true
  const session = await keeper.login(OWNER)
  cluster.wire(2).down = false
  return { cluster, keeper, session }
}

async function isActive(cluster: TestCluster): Promise<boolean> {
  const { active, pending } = await accountOf(cluster.server(2), OWNER.name)
  return active !== null && pending === null
}

describe("a server that missed the end of a registration", () => {
  it("is told of it when a session resumes there, and takes part from then on", async () => {
    const { cluster, session } = await missed()
    cluster.wire(1).down = true
    assert.deepEqual((await session.keys.list()).keys, [])
    assert.equal(await isActive(cluster), true)
    const { key, incidents } = await session.keys.create({ type: "ed25519" })
    assert.deepEqual(key.holders, [2, 3])
    assert.ok(incidents.every(({ server }) => server === 1))
  })

  it("does not keep the password from being changed", async () => {
    const { cluster, keeper, session } = await missed()
    await session.changePassword({ current: OWNER.password, next: "new" })
    cluster.wire(1).down = true
    await (await keeper.login({ ...OWNER, password: "new" })).logout()
  })

  it("is told with whichever of the login's servers speaks the truth", async () => {
    const honest = ServerSession.prototype.finishLogin
    ServerSession.prototype.finishLogin = async function (this: ServerSession, ...asked) {
      const answer = await honest.apply(this, asked)
      return this.identifier === 1 ? { ...answer, confirmations: new Uint8Array(9) } : answer
    }
    const { cluster, session } = await missed().finally(() => {
      ServerSession.prototype.finishLogin = honest
    })
    await session.keys.create({ type: "ed25519" })
    assert.equal(await isActive(cluster), true)
  })

  it("and has lost what it dealt in does not make the owner a stranger", async () => {
    const { cluster, session } = await missed()
    await loseAccount(cluster.server(2), OWNER.name)
    await session.keys.create({ type: "ed25519" })
    cluster.wire(1).down = true
    const error = await refused(() => session.keys.list(), "not-enough-servers")
    assert.match(error.message, /takes 2 key servers; 1 did their part. 1: .* 2: /)
    const change = { current: OWNER.password, next: "new" }
    cluster.wire(1).down = false
    const unchanged = await refused(() => session.changePassword(change), "not-enough-servers")
    assert.match(unchanged.message, /every server of the roster; "server-2" took no part/)
  })
})
