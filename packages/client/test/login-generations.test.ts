import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { LockKeeper } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { TestCluster } from "./cluster.ts"
import { nextGenerationOf } from "./refreshed-account.ts"
import { refused } from "./refusals.ts"

const OWNER = { name: "alice", password: "correct horse" }

interface Refreshing {
  readonly cluster: TestCluster
  readonly keeper: LockKeeper
  /** Puts the next generation of the owner's shares in force at these servers. */
  readonly activate: (...servers: readonly Identifier[]) => Promise<void>
}

async function refreshing(servers: number, minSigners: number): Promise<Refreshing> {
  const cluster = await TestCluster.start({ servers, minSigners })
  const keeper = await cluster.connect()
  await keeper.register(OWNER)
  return { cluster, keeper, activate: await nextGenerationOf(cluster, OWNER.name) }
}

describe("a login in the middle of a refresh", () => {
  for (const [servers, minSigners] of [
    [3, 2],
    [4, 2],
    [5, 3],
  ] as const) {
    it(`takes the generation that ${minSigners} of ${servers} servers share, and blames nobody`, async () => {
      const { cluster, keeper, activate } = await refreshing(servers, minSigners)
      for (let next = 0; next <= servers; next++) {
        if (next > 0) await activate(next)
        const session = await keeper.login(OWNER)
        assert.deepEqual(session.incidents, [])
        await session.logout()
        await refused(() => keeper.login({ ...OWNER, password: "wrong" }), "wrong-password")
      }
      assert.ok([...cluster.wires.values()].every(({ calls }) => calls > 0))
    })
  }

  it("asks everyone before it fails, and then calls no password wrong", async () => {
    const { cluster, keeper, activate } = await refreshing(3, 2)
    await activate(1)
    cluster.wire(3).down = true
    const error = await refused(() => keeper.login(OWNER), "not-enough-servers")
    assert.match(error.message, /takes 2 key servers; 0 did their part/)
    assert.ok(cluster.wire(3).calls > 0)
    cluster.wire(3).down = false
    await (await keeper.login(OWNER)).logout()
    cluster.wire(3).down = true
    await activate(2)
    await (await keeper.login(OWNER)).logout()
  })

  it("lets the password be changed, which ends the refresh where it was not in force", async () => {
    const { keeper, activate } = await refreshing(3, 2)
    await activate(1, 2)
    const session = await keeper.login(OWNER)
    await session.changePassword({ current: OWNER.password, next: "new" })
    await activate(3)
    await refused(() => keeper.login(OWNER), "wrong-password")
    await (await keeper.login({ ...OWNER, password: "new" })).logout()
  })
})
