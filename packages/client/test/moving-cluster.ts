import { settledRoster, transitionFrom } from "@lockkeeper/api"
import type { KeyInfo, Session } from "@lockkeeper/client"
import type { OperatorSession } from "@lockkeeper/client/operator"
import type { Identifier } from "@lockkeeper/crypto"
import { type ClusterOptions, TestCluster } from "./cluster.ts"
import { OWNER, PATIENCE } from "./operated-cluster.ts"

/** Who holds shares, and how many of them it takes. */
export interface Shape {
  readonly holders: readonly Identifier[]
  readonly minSigners: number
}

type KeyType = KeyInfo["keyType"]
const SERVERS = 6

/** An owner with keys at the first servers; the others join later. */
export async function startMoving(
  { holders, minSigners }: Shape,
  types: readonly KeyType[] = ["ed25519", "bip340", "ecdsa-secp256k1"],
  options: Pick<ClusterOptions, "operators"> = {},
) {
  const listed = holders.length
  const cluster = await TestCluster.start({ ...options, servers: SERVERS, listed, minSigners })
  const keeper = await cluster.connect(PATIENCE)
  await keeper.register(OWNER)
  const session = await keeper.login(OWNER)
  const keys: KeyInfo[] = []
  for (const type of types) keys.push((await session.keys.create({ type })).key)
  await session.logout()
  keeper.close()
  return { cluster, keys }
}

/** Goes on to a roster in transition to these holders: who is not listed joins, the others leave. */
export async function goOnTo(
  cluster: TestCluster,
  { holders, minSigners }: Shape,
  dropped: readonly Identifier[] = [],
): Promise<void> {
  const { roster } = cluster
  const listed = roster.members.map(({ identifier }) => identifier)
  const joining = holders.filter((one) => !listed.includes(one)).map((one) => cluster.memberAs(one))
  const stay = roster.members.filter(({ identifier }) => !dropped.includes(identifier))
  const members = [...stay, ...joining].sort((a, b) => a.identifier - b.identifier)
  const leaving = stay.map(({ identifier }) => identifier).filter((one) => !holders.includes(one))
  const transition = transitionFrom(roster, minSigners, leaving)
  await cluster.changeRoster({ members, minSigners, transition })
}

/** Goes on to the roster without those that left. */
export async function settle(cluster: TestCluster): Promise<void> {
  await cluster.changeRoster(settledRoster(cluster.roster))
}

/** The owner, newly logged in by a program that knows the rosters of before. */
export async function logIn(cluster: TestCluster): Promise<Session> {
  return (await cluster.connect(PATIENCE)).login(OWNER)
}

/** Who lists any key, ascending. */
export async function keyHolders(operator: OperatorSession): Promise<readonly Identifier[]> {
  const { answers } = await operator.sharings("keys")
  const some = [...answers].filter(([, all]) => all.length > 0).map(([id]) => id)
  return some.sort((a, b) => a - b)
}
