import assert from "node:assert/strict"
import {
  type KeyType,
  keyListing,
  type LeaveReshareBody,
  leaveReshareBody,
  leaveReshareInput,
  RESHARE_STEPS,
  type Roster,
  reshareDescribeInput,
  reshareTarget,
  type SealedRecords,
  sealedRecordsCodec,
  settledRoster,
  showKeyBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import {
  type KeyCertificate,
  keyCertificateCodec,
  type Message,
  messageCodec,
  reshare,
  sharing,
} from "@lockkeeper/protocols"
import { keyRow } from "../src/keys.ts"
import { createKey } from "./flows.ts"
import { changeRoster, startCluster, type TestServer } from "./memory-cluster.ts"
import { TestOperator } from "./operator.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"
import { Coordinator, type ReshareWorld, serverOf, TYPES, verifyKeysOf } from "./reshare-flows.ts"

const EMPTY = new Uint8Array(0)
export const PASSWORD = "correct horse"

/** Who holds keys, and how many of them it takes. */
export interface Shape {
  readonly holders: readonly Identifier[]
  readonly minSigners: number
}

/**
 * Six servers that all know the owner, whose keys only some of them hold. Which ones is what rosters
 * change here: accounts stay everywhere.
 */
export async function startMoves(
  { holders, minSigners }: Shape,
  types: readonly KeyType[] = TYPES,
): Promise<ReshareWorld> {
  const servers = 6
  const cluster = await startCluster({ servers, minSigners })
  const owner = new TestOwner(cluster)
  await owner.register(PASSWORD)
  const all = await owner.login(PASSWORD, owner.servers)
  const ownerSessions = all.filter(({ to }) => holders.includes(to.identifier))
  const certificates: KeyCertificate[] = []
  for (const type of types) certificates.push(await createKey(owner, ownerSessions, type))
  const operator = new TestOperator(cluster, 1)
  const world = { cluster, owner, ownerSessions, operator, sessions: new Map(), certificates }
  await openAll(world)
  return world
}

async function openAll({ cluster, operator, sessions }: ReshareWorld): Promise<void> {
  sessions.clear()
  for (const { identifier } of cluster.roster.members) {
    const server = cluster.servers.get(identifier) as TestServer
    sessions.set(identifier, await operator.open(server))
  }
}

/** Goes on to a roster in transition to these holders. Everybody else that is listed leaves. */
export async function goOnTo(
  world: ReshareWorld,
  { holders, minSigners }: Shape,
  changes: Partial<Roster> = {},
): Promise<void> {
  const { roster } = world.cluster
  const leaving = roster.members
    .map(({ identifier }) => identifier)
    .filter((one) => !holders.includes(one))
  const transition = { leaving, minSignersBefore: roster.minSigners }
  await changeRoster(world.cluster, { minSigners, transition, ...changes })
  await openAll(world)
}

/** Ends the transition but keeps everybody listed, so that another one can follow. */
export async function settle(world: ReshareWorld): Promise<void> {
  const { members } = world.cluster.roster
  await changeRoster(world.cluster, { ...settledRoster(world.cluster.roster), members })
  await openAll(world)
}

/** A first try at moving all keys of the world to where its roster wants them. */
export async function moveFor(
  world: ReshareWorld,
  changes: Partial<reshare.ReshareParams> & { readonly toKeyEpoch?: number } = {},
): Promise<reshare.ReshareAttempt> {
  const { roster, clock } = world.cluster
  const { toKeyEpoch, ...others } = changes
  const keys = await Promise.all(
    world.certificates.map(async ({ public: { keyId } }) => {
      const held = await latestOf(world, keyId)
      return { sharing: held, toKeyEpoch: toKeyEpoch ?? held.keyEpoch + 1 }
    }),
  )
  const [first] = keys
  assert.ok(first)
  const params: reshare.ReshareParams = {
    ...{ kind: "reshare", ...reshareTarget(roster) },
    dealers: [...first.sharing.verifyingShares.keys()].slice(0, first.sharing.minSigners),
    ...{ rosterEpoch: roster.rosterEpoch, attempt: Math.floor(clock.time / 1000) },
    groups: keys.map((key) => key.sharing.group),
    keys: reshare.keysRoot(keys),
    ...others,
  }
  return { params, keys, leaveOut: [] }
}

async function latestOf(world: ReshareWorld, keyId: Bytes): Promise<sharing.Sharing> {
  const held: sharing.Sharing[] = []
  for (const id of world.cluster.servers.keys()) {
    const one = await rowAt(world, id, keyId)
    if (one !== null) held.push(sharing.sharingOfKey(one.keyPackage.public))
  }
  held.sort((a, b) => b.keyEpoch - a.keyEpoch)
  assert.ok(held[0])
  return held[0]
}

/** The row of a key's share; null where there is none. */
export async function rowAt(world: ReshareWorld, id: Identifier, keyId: Bytes) {
  const row = await serverOf(world, id).store.read("keys", toHex(keyId))
  return row === null ? null : decode(keyRow, row.value)
}

/** Which servers hold a share of a key, ascending. */
export async function holdersOfKey(world: ReshareWorld, keyId: Bytes): Promise<Identifier[]> {
  const holders: Identifier[] = []
  for (const id of world.cluster.servers.keys()) {
    if ((await rowAt(world, id, keyId)) !== null) holders.push(id)
  }
  return holders
}

/** What one server tells another of the batch. */
export async function describeAt(
  coordinator: Coordinator,
  teller: Identifier,
  member: Identifier,
  opening: Message,
): Promise<SealedRecords> {
  const { world, attempt, of, changes } = coordinator
  const asked = new Coordinator(world, attempt, { servers: [teller], ...changes }, of)
  const { keys } = attempt
  const input = { keys, member, opening: encode(messageCodec, opening) }
  const encoded = encode(reshareDescribeInput, input)
  return decode(sealedRecordsCodec, await asked.ask(teller, RESHARE_STEPS.describe, encoded))
}

/** What becomes of the tellings that a joiner is given. */
export type Telling = (
  member: Identifier,
  records: readonly SealedRecords[],
) => readonly SealedRecords[]

export type Asking = (
  id: Identifier,
  step: reshare.ReshareStep,
  ask: () => Promise<Message>,
) => Promise<Message | null>

export interface Moved {
  readonly task: reshare.ReshareTask
  /** With which the verdicts were asked for; null where none were. */
  readonly waiting: reshare.ReshareWaiting | null
}

/** Drives a run to its end but for the activation: who holds nothing yet is told by the dealers. */
export async function driveMove(
  coordinator: Coordinator,
  ask: Asking = (_id, _step, go) => go(),
  tell: Telling = (_member, records) => records,
  holds: (id: Identifier) => Promise<boolean> = (id) => holdsAll(coordinator.world, id),
  tellers: readonly Identifier[] = coordinator.attempt.params.dealers,
): Promise<Moved> {
  const { world, attempt } = coordinator
  const { params, keys, leaveOut } = attempt
  let waiting: reshare.ReshareWaiting | null = null
  const openings = new Map<Identifier, Message>()
  let task = reshare.reshareCoordinate(params, keys, verifyKeysOf(world), leaveOut)
  while (task.kind === "ask") {
    const { step } = task
    if (step === "verdict") waiting = task.waiting
    const responses = []
    for (const [from, delivery] of task.deliveries) {
      const message = await ask(from, step, async () => {
        const told: SealedRecords[] = []
        const isJoining = step === "verdict" && !(await holds(from))
        for (const dealer of isJoining ? tellers : []) {
          told.push(await describeAt(coordinator, dealer, from, openings.get(from) as Message))
        }
        return coordinator.step(from, step, delivery, isJoining ? tell(from, told) : [])
      })
      if (message === null) continue
      if (step === "open") openings.set(from, message)
      responses.push({ from, message })
    }
    task = reshare.reshareAdvance(task.waiting, responses)
  }
  return { task, waiting }
}

async function holdsAll(world: ReshareWorld, id: Identifier): Promise<boolean> {
  const rows = await Promise.all(
    world.certificates.map((one) => rowAt(world, id, one.public.keyId)),
  )
  return rows.every((row) => row !== null)
}

/** Brings a member that is no holder any more what it erases its shares on. */
export async function leaveAt(
  world: ReshareWorld,
  id: Identifier,
  certificates: readonly reshare.ReshareCertificate[],
  run: Bytes | null = null,
  of: Pick<LeaveReshareBody, "kind" | "range"> = { kind: "keys", range: null },
): Promise<Bytes> {
  const body = encode(leaveReshareBody, { ...of, run })
  const { operator, sessions } = world
  const request = operator.sign(operator.request("reshare.leave", body, { servers: [id] }))
  const input = encode(leaveReshareInput, { certificates })
  const session = sessions.get(id) as TestSession
  const payload = { kind: "act", request, step: 1, input } as const
  return expectKind(await session.call(payload), "act").output
}

/** A whole move of all keys, activated everywhere and left everywhere. */
export async function move(
  world: ReshareWorld,
  changes: Parameters<typeof moveFor>[1] = {},
): Promise<readonly reshare.ReshareCertificate[]> {
  const attempt = await moveFor(world, changes)
  const coordinator = new Coordinator(world, attempt)
  const { task, waiting } = await driveMove(coordinator)
  assert.ok(task.kind === "confirmed", JSON.stringify(task.kind === "aborted" && task.abort))
  assert.ok(waiting)
  for (const id of task.certificate.confirmations.keys()) {
    await coordinator.activate(id, task.certificate)
  }
  const certificates = reshare.certificatesFor(waiting, task.certificate)
  assert.ok(certificates.ok)
  const { holders } = attempt.params
  for (const { identifier } of world.cluster.roster.members) {
    if (holders.includes(identifier)) continue
    const run = reshare.openingDigest(attempt.params)
    await leaveAt(world, identifier, certificates.value, run)
  }
  return certificates.value
}

/** Sessions of the owner at these servers, newly logged in. */
export function logIn(
  { owner, cluster }: ReshareWorld,
  among: readonly Identifier[],
): Promise<readonly TestSession[]> {
  const servers = among.map((id) => cluster.servers.get(id) as TestServer)
  return owner.login(PASSWORD, servers)
}

/** What a server shows the owner of a key. */
export async function shownAt(
  { owner }: ReshareWorld,
  session: TestSession,
  keyId: Bytes,
): Promise<KeyCertificate> {
  const request = owner.sign(owner.request("keys.show", encode(showKeyBody, { keyId })))
  const payload = { kind: "act", request, step: 1, input: EMPTY } as const
  const { output } = expectKind(await session.call(payload), "act")
  return decode(keyCertificateCodec, decode(keyListing, output).certificate)
}
