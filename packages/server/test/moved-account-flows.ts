import assert from "node:assert/strict"
import {
  type AccountRange,
  LAST_ACCOUNT_ID,
  type Roster,
  reshareTarget,
  settledRoster,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { compareBytes } from "@lockkeeper/encoding"
import { reshare, type sharing } from "@lockkeeper/protocols"
import { readActiveAccount, wipeAccount } from "../src/accounts.ts"
import { sharingOfAccountRow } from "../src/resharing/accounts.ts"
import { follow, inTransition, type TestCluster, type TestServer } from "./memory-cluster.ts"
import { type Asking, driveMove, leaveAt, type Shape, type Telling } from "./move-flows.ts"
import { TestOperator } from "./operator.ts"
import { TestOwner } from "./owner.ts"
import { Coordinator, type ReshareWorld, serverOf } from "./reshare-flows.ts"

/** Accounts on their way: a world under one roster of a chain. */
export interface MovingAccounts extends ReshareWorld {
  readonly owners: readonly TestOwner[]
}

export async function worldOf(
  cluster: TestCluster,
  names: readonly string[],
): Promise<MovingAccounts> {
  const owners = names.map((name) => new TestOwner(cluster, name))
  owners.sort((a, b) => compareBytes(a.accountId, b.accountId))
  const [first] = cluster.servers.keys()
  const operator = new TestOperator(cluster, first as Identifier)
  const sessions: ReshareWorld["sessions"] = new Map()
  for (const [id, server] of cluster.servers) sessions.set(id, await operator.open(server))
  const owner = owners[0] as TestOwner
  return { cluster, owners, owner, ownerSessions: [], operator, sessions, certificates: [] }
}

function namesOf({ owners }: MovingAccounts): readonly string[] {
  return owners.map(({ name }) => name)
}

/** The same accounts under the next roster, which is in transition to these holders. */
export async function goOnTo(
  world: MovingAccounts,
  { holders, minSigners }: Shape,
  changes: Partial<Roster> = {},
): Promise<MovingAccounts> {
  world.cluster.clock.time += 10_000
  const roster = { ...inTransition(world.cluster, holders, minSigners), ...changes }
  return worldOf(await follow(world.cluster, roster), namesOf(world))
}

/** And under the one that ends the transition. */
export async function settle(world: MovingAccounts): Promise<MovingAccounts> {
  world.cluster.clock.time += 10_000
  return worldOf(await follow(world.cluster, settledRoster(world.cluster.roster)), namesOf(world))
}

/** The sharing that a server holds a share of; null for none. */
export async function sharingAt(
  { store }: TestServer,
  { accountId }: TestOwner,
): Promise<sharing.Sharing | null> {
  const row = await readActiveAccount(store, accountId)
  if (row === null) return null
  wipeAccount(row.value)
  return sharingOfAccountRow(row.value)
}

export async function holdersOfAccount(world: MovingAccounts, owner: TestOwner) {
  const held = await Promise.all(
    [...world.cluster.servers].map(async ([id, server]) => {
      return (await sharingAt(server, owner)) === null ? [] : [id]
    }),
  )
  return held.flat()
}

async function latestOf({ cluster }: MovingAccounts, owner: TestOwner): Promise<sharing.Sharing> {
  const all = await Promise.all([...cluster.servers.values()].map((at) => sharingAt(at, owner)))
  const held = all.filter((one) => one !== null).sort((a, b) => b.keyEpoch - a.keyEpoch)
  assert.ok(held[0])
  return held[0]
}

export interface Batch {
  readonly owners?: readonly TestOwner[]
  readonly range?: Pick<AccountRange, "after" | "to">
  readonly dealers?: readonly Identifier[]
  readonly toKeyEpoch?: number
}

/** A coordinator of one batch, all accounts and all ids by default. */
export async function batchOf(world: MovingAccounts, batch: Batch = {}): Promise<Coordinator> {
  const { owners = world.owners, range = { after: null, to: LAST_ACCOUNT_ID } } = batch
  const { roster, clock } = world.cluster
  clock.time += 1_000
  const now = Math.floor(clock.time / 1000)
  const keys = await Promise.all(
    owners.map(async (owner) => {
      const held = await latestOf(world, owner)
      return { sharing: held, toKeyEpoch: batch.toKeyEpoch ?? held.keyEpoch + 1 }
    }),
  )
  const [first] = keys
  assert.ok(first)
  const { verifyingShares, minSigners } = first.sharing
  const params: reshare.ReshareParams = {
    ...{ kind: "reshare", ...reshareTarget(roster), rosterEpoch: roster.rosterEpoch },
    dealers: batch.dealers ?? [...verifyingShares.keys()].slice(0, minSigners),
    ...{ attempt: now, groups: keys.map((key) => key.sharing.group) },
    keys: reshare.keysRoot(keys),
  }
  const of = { kind: "accounts", range: { ...range, generation: now } } as const
  return new Coordinator(world, { params, keys, leaveOut: [] }, {}, of)
}

export interface Driving {
  readonly ask?: Asking
  readonly tell?: Telling
  readonly tellers?: readonly Identifier[]
}

/** Drives a batch to its confirmation. */
export function driveAccounts(
  world: MovingAccounts,
  coordinator: Coordinator,
  { ask, tell, tellers }: Driving = {},
) {
  const ids = coordinator.attempt.keys.map((key) => key.sharing.id)
  const owners = world.owners.filter(({ accountId }) =>
    ids.some((id) => id.join() === accountId.join()),
  )
  const holds = async (id: Identifier): Promise<boolean> => {
    const all = await Promise.all(owners.map((owner) => sharingAt(serverOf(world, id), owner)))
    return all.every((one) => one !== null)
  }
  return driveMove(coordinator, ask, tell, holds, tellers)
}

/** A batch that enough holders have confirmed, in force nowhere yet. */
export async function confirmMove(
  world: MovingAccounts,
  coordinator: Coordinator,
  driving: Driving = {},
) {
  const { task, waiting } = await driveAccounts(world, coordinator, driving)
  assert.ok(task.kind === "confirmed", JSON.stringify(task.kind === "aborted" && task.abort.reason))
  assert.ok(waiting)
  const certificates = reshare.certificatesFor(waiting, task.certificate)
  assert.ok(certificates.ok)
  return { certificate: task.certificate, certificates: certificates.value }
}

type Confirmed = Awaited<ReturnType<typeof confirmMove>>

/** Brings the outcome to one server: to put it in force, or to leave on it. */
export async function bringTo(
  world: MovingAccounts,
  coordinator: Coordinator,
  { certificate, certificates }: Confirmed,
  id: Identifier,
): Promise<void> {
  const { params } = coordinator.attempt
  if (params.holders.includes(id)) await coordinator.activate(id, certificate)
  else await leaveAt(world, id, certificates, reshare.openingDigest(params), coordinator.of)
}

/** A whole move of a batch, brought to everybody. */
export async function moveAccounts(world: MovingAccounts, batch: Batch = {}): Promise<Confirmed> {
  const coordinator = await batchOf(world, batch)
  const confirmed = await confirmMove(world, coordinator)
  for (const id of world.cluster.servers.keys()) await bringTo(world, coordinator, confirmed, id)
  return confirmed
}
