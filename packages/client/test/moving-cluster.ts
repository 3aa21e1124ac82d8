import { type Roster, settledRoster } from "@lockkeeper/api"
import type { KeyInfo, Session } from "@lockkeeper/client"
import type { Identifier } from "@lockkeeper/crypto"
import { TestCluster } from "./cluster.ts"
import { OWNER, PATIENCE } from "./operated-cluster.ts"

/** Who holds keys, and how many of them it takes. */
export interface Shape {
  readonly holders: readonly Identifier[]
  readonly minSigners: number
}

type KeyType = KeyInfo["keyType"]
const SERVERS = 6

/** Six servers that all know the owner, whose keys only some of them hold. */
export async function startMoving(
  { holders, minSigners }: Shape,
  types: readonly KeyType[] = ["ed25519", "bip340", "ecdsa-secp256k1"],
) {
  const cluster = await TestCluster.start({ servers: SERVERS, minSigners })
  const keeper = await cluster.connect({ ...PATIENCE })
  await keeper.register(OWNER)
  const session = await keeper.login(OWNER)
  const others = [...cluster.wires].filter(([id]) => !holders.includes(id))
  for (const [, wire] of others) wire.down = true
  const keys: KeyInfo[] = []
  for (const type of types) keys.push((await session.keys.create({ type })).key)
  for (const [, wire] of others) wire.down = false
  await session.logout()
  keeper.close()
  return { cluster, keys }
}

/** Goes on to a roster in transition to these holders. Everybody else that is listed leaves. */
export async function goOnTo(
  cluster: TestCluster,
  { holders, minSigners }: Shape,
  changes: Partial<Roster> = {},
): Promise<void> {
  const { roster } = cluster
  const leaving = roster.members
    .map(({ identifier }) => identifier)
    .filter((one) => !holders.includes(one))
  const transition = { leaving, minSignersBefore: roster.minSigners }
  await cluster.changeRoster({ minSigners, transition, ...changes })
}

/** Goes on to the roster without those that left. */
export async function settle(cluster: TestCluster): Promise<void> {
  await cluster.changeRoster(settledRoster(cluster.roster))
}

/** The owner, newly logged in by a program that knows the rosters of before. */
export async function logIn(cluster: TestCluster): Promise<Session> {
  const keeper = await cluster.connect({ ...PATIENCE })
  return keeper.login(OWNER)
}
