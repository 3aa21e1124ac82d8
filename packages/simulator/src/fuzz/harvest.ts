import { LockKeeper, type Session } from "@lockkeeper/client"
import { utf8 } from "@lockkeeper/encoding"
import { World } from "../index.ts"

const PASSWORD = "correct horse battery staple"

/**
 * A short life of a cluster with one account: every operation at least once, so that every codec of
 * the wire, the rows and the log has something to write.
 */
export async function harvest(seed: string): Promise<void> {
  const world = await World.create({ seed })
  await world.clock.run(async () => {
    const dependencies = world.dependenciesFor("fuzz")
    const keeper = await LockKeeper.connect({ ...world.trust, dependencies })
    await keeper.register({ name: "alice", password: PASSWORD })
    const session = await keeper.login({ name: "alice", password: PASSWORD })
    await useFrostKeys(session)
    for (const server of [1, 2, 3]) world.stop(server)
    for (const server of [1, 2, 3]) await world.start(server)
    await useEcdsaKey(session)
    await session.changePassword({ current: PASSWORD, next: `${PASSWORD}, again` })
    await session.logout()
  })
}

async function useFrostKeys(session: Session): Promise<void> {
  for (const type of ["ed25519", "bip340"] as const) {
    const { key } = await session.keys.create({ type, label: `for ${type}` })
    const message = utf8("pay one to bob".padEnd(32))
    await session.sign({ keyId: key.keyId, message })
    if (type === "bip340") await session.keys.derive(key.keyId, [1, 2])
  }
  await session.keys.list()
}

async function useEcdsaKey(session: Session): Promise<void> {
  const { key } = await session.keys.create({ type: "ecdsa-secp256k1" })
  const { keyId } = key
  await session.pools.fill({ keyId, floor: 1, cap: 1 })
  await session.pools.status(keyId)
  const content = { kind: "message", message: new Uint8Array(32).fill(7) } as const
  await session.signDigestOf({ keyId, content })
  await session.keys.derive(keyId, [44, 60])
}
