import { type KeyType, LockKeeperError, SHARING_KINDS } from "@lockkeeper/api"
import type { Session } from "@lockkeeper/client"
import { utf8 } from "@lockkeeper/encoding"
import { World } from "../index.ts"

const FIRST_PASSWORD = "correct horse battery staple"

export const ACCOUNT = "alice"
export const PASSWORD = `${FIRST_PASSWORD}, again`

/**
 * A short life of a cluster with one account: every operation at least once, so that every codec of
 * the wire, the rows and the log has something to write. The world goes on, with the account in it.
 */
export async function harvest(seed: string): Promise<World> {
  const world = await World.create({ seed })
  await world.clock.run(async () => {
    const keeper = await world.connect("owner")
    await keeper.register({ name: ACCOUNT, password: FIRST_PASSWORD })
    // Counts a guess at each server, which the next login forgives.
    await keeper.login({ name: ACCOUNT, password: "wrong" }).catch(expectRefusal)
    const session = await keeper.login({ name: ACCOUNT, password: FIRST_PASSWORD })
    for (const type of ["ed25519", "bip340"] as const) await useFrostKey(session, type)
    for (const server of world.servers) await world.restart(server)
    await useEcdsaKey(session)
    await session.changePassword({ current: FIRST_PASSWORD, next: PASSWORD })
    await session.logout()
    await refreshAll(world)
  })
  return world
}

function expectRefusal(error: unknown): void {
  if (!(error instanceof LockKeeperError)) throw error
}

/** By an operator of the first server: keys, accounts, and the names that nobody has. */
async function refreshAll(world: World): Promise<void> {
  const [server = 1] = world.servers
  const operator = await world.operate("operator", server)
  for (const kind of SHARING_KINDS) await operator.refresh({ kind })
  await operator.close()
}

async function useFrostKey(session: Session, type: KeyType): Promise<void> {
  const { key } = await session.keys.create({ type, label: `for ${type}` })
  const message = utf8("pay one to bob".padEnd(32))
  await session.sign({ keyId: key.keyId, message })
  if (type === "bip340") await session.keys.derive(key.keyId, [1, 2])
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
