import assert from "node:assert/strict"
import {
  type KeyType,
  LockKeeperError,
  RESHARE_STEPS,
  type Request,
  type ReshareBody,
  reshareBody,
  reshareOpenInput,
  reshareOpenOutput,
  reshareStepInput,
  type SealedRecords,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import {
  type KeyCertificate,
  type Message,
  messageCodec,
  reshare,
  sharing,
} from "@lockkeeper/protocols"
import { keyRow } from "../src/keys.ts"
import { type GenerationRow, generationId, generationRow } from "../src/resharing/rows.ts"
import { createKey } from "./flows.ts"
import {
  type ClusterOptions,
  restart,
  startCluster,
  type TestCluster,
  type TestServer,
} from "./memory-cluster.ts"
import { TestOperator } from "./operator.ts"
import { expectKind, TestOwner, type TestSession } from "./owner.ts"

export const TYPES: readonly KeyType[] = ["ed25519", "bip340", "ecdsa-secp256k1"]

/** A cluster with an owner who has keys, and an operator with a session at every server. */
export interface ReshareWorld {
  readonly cluster: TestCluster
  readonly owner: TestOwner
  readonly ownerSessions: readonly TestSession[]
  readonly operator: TestOperator
  readonly sessions: Map<Identifier, TestSession>
  readonly certificates: readonly KeyCertificate[]
}

export async function startReshare(
  options: ClusterOptions = {},
  types: readonly KeyType[] = TYPES,
): Promise<ReshareWorld> {
  const cluster = await startCluster(options)
  const owner = new TestOwner(cluster)
  await owner.register("correct horse")
  const ownerSessions = await owner.login("correct horse", owner.servers)
  const certificates: KeyCertificate[] = []
  for (const type of types) certificates.push(await createKey(owner, ownerSessions, type))
  const operator = new TestOperator(cluster, 1)
  const world = { cluster, owner, ownerSessions, operator, sessions: new Map(), certificates }
  for (const id of cluster.servers.keys()) await openAt(world, id)
  return world
}

async function openAt({ cluster, operator, sessions }: ReshareWorld, id: Identifier) {
  const session = await operator.open(cluster.servers.get(id) as TestServer)
  sessions.set(id, session)
  return session
}

/** Ends a server without ceremony, starts it over its rows, and opens a session with it again. */
export async function crash(
  world: ReshareWorld,
  id: Identifier,
  left: Parameters<typeof restart>[2] = {},
): Promise<void> {
  await restart(world.cluster, id, left)
  await openAt(world, id)
}

export function serverOf({ cluster }: ReshareWorld, id: Identifier): TestServer {
  return cluster.servers.get(id) as TestServer
}

/** What one server keeps of a key: its share, and what is known of its generations. */
export async function heldAt(world: ReshareWorld, id: Identifier, keyId: Bytes) {
  const { store } = serverOf(world, id)
  const row = await store.read("keys", toHex(keyId))
  const generation = await store.read("generations", generationId("keys", keyId))
  assert.ok(row)
  const { keyPackage } = decode(keyRow, row.value)
  return {
    share: keyPackage.signingShare,
    public: keyPackage.public,
    generation: generation === null ? null : decode(generationRow, generation.value),
  }
}

export async function generationsAt(
  world: ReshareWorld,
  id: Identifier,
): Promise<readonly (GenerationRow | null)[]> {
  return Promise.all(
    world.certificates.map(async (one) => {
      return (await heldAt(world, id, one.public.keyId)).generation
    }),
  )
}

export async function runCount(world: ReshareWorld, id: Identifier): Promise<number> {
  return (await serverOf(world, id).store.scan("reshare-runs", "", "", 256)).length
}

export interface Target {
  readonly dealers?: readonly Identifier[]
  readonly leaveOut?: readonly Identifier[]
  /** By default the generation behind the one that server 1 holds. */
  readonly toKeyEpoch?: number
  readonly attempt?: number
}

/** A first try at refreshing all keys of the world, as a coordinator begins it. */
export async function attemptFor(
  world: ReshareWorld,
  { dealers, leaveOut = [], toKeyEpoch, attempt }: Target = {},
): Promise<reshare.ReshareAttempt> {
  const { roster, clock } = world.cluster
  const holders = roster.members.map(({ identifier }) => identifier)
  const keys = await Promise.all(
    world.certificates.map(async ({ public: { keyId } }) => {
      const held = sharing.sharingOfKey((await heldAt(world, 1, keyId)).public)
      return { sharing: held, toKeyEpoch: toKeyEpoch ?? held.keyEpoch + 1 }
    }),
  )
  const params: reshare.ReshareParams = {
    ...{ kind: "refresh", dealers: dealers ?? holders.slice(0, roster.minSigners), holders },
    ...{ minSigners: roster.minSigners, rosterEpoch: roster.rosterEpoch },
    attempt: attempt ?? Math.floor(clock.time / 1000),
    groups: keys.map((key) => key.sharing.group),
    keys: reshare.keysRoot(keys),
  }
  return { params, keys, leaveOut }
}

export function verifyKeysOf({ cluster }: ReshareWorld): ReadonlyMap<Identifier, Bytes> {
  return new Map(cluster.roster.members.map((m) => [m.identifier, m.identityKey]))
}

/** One coordinator's hold on a run: its own requests, whose answers nobody else is given. */
export class Coordinator {
  readonly world: ReshareWorld
  readonly attempt: reshare.ReshareAttempt
  readonly requests = new Map<number, ReturnType<TestOperator["sign"]>>()
  readonly changes: Partial<Request>
  readonly of: Pick<ReshareBody, "kind" | "range">

  constructor(
    world: ReshareWorld,
    attempt: reshare.ReshareAttempt,
    changes: Partial<Request> = {},
    of: Pick<ReshareBody, "kind" | "range"> = { kind: "keys", range: null },
  ) {
    this.of = of
    this.world = world
    this.attempt = attempt
    this.changes = changes
  }

  /** One step at one server. @throws LockKeeperError when it refuses. */
  async ask(id: Identifier, step: number, input: Bytes): Promise<Bytes> {
    const { params, leaveOut } = this.attempt
    const body: ReshareBody = { ...this.of, params }
    const servers = reshare.participantsOf(params).filter((one) => !leaveOut.includes(one))
    const { operator, sessions } = this.world
    const request =
      this.requests.get(step) ??
      operator.sign(
        operator.request("reshare", encode(reshareBody, body), { servers, ...this.changes }),
      )
    this.requests.set(step, request)
    const session = sessions.get(id) as TestSession
    const payload = { kind: "act", request, step, input: input.slice() } as const
    return expectKind(await session.call(payload), "act").output
  }

  async open(id: Identifier): Promise<Bytes> {
    const { keys } = this.attempt
    return this.ask(id, RESHARE_STEPS.open, encode(reshareOpenInput, { keys }))
  }

  async step(
    id: Identifier,
    step: reshare.ReshareStep,
    { messages, opens }: reshare.Delivery,
    records: readonly SealedRecords[] = [],
  ): Promise<Message> {
    if (step === "open") {
      const output = decode(reshareOpenOutput, await this.open(id))
      assert.ok(output.kind === "message", JSON.stringify(output))
      return decode(messageCodec, output.message)
    }
    const [sent, before] = [messages, opens].map((all) => all.map((m) => encode(messageCodec, m)))
    const input = encode(reshareStepInput, { messages: sent ?? [], opens: before ?? [], records })
    return decode(messageCodec, await this.ask(id, RESHARE_STEPS[step], input))
  }

  activate(id: Identifier, certificate: reshare.BatchCertificate): Promise<Bytes> {
    const input = encode(reshare.batchCertificateCodec, certificate)
    return this.ask(id, RESHARE_STEPS.activate, input)
  }
}

export type Asked = (
  id: Identifier,
  step: reshare.ReshareStep,
  delivery: reshare.Delivery,
) => Promise<Message | null>

export interface Driven {
  readonly task: reshare.ReshareTask
  readonly refusals: ReadonlyMap<Identifier, LockKeeperError>
}

/** Drives a run to its end, but for the activation. */
export async function drive(
  coordinator: Coordinator,
  ask: Asked = (id, step, delivery) => coordinator.step(id, step, delivery),
): Promise<Driven> {
  const { world, attempt } = coordinator
  const { params, keys, leaveOut } = attempt
  const refusals = new Map<Identifier, LockKeeperError>()
  let task = reshare.reshareCoordinate(params, keys, verifyKeysOf(world), leaveOut)
  while (task.kind === "ask") {
    const responses = []
    for (const [from, delivery] of task.deliveries) {
      try {
        const message = await ask(from, task.step, delivery)
        if (message !== null) responses.push({ from, message })
      } catch (error) {
        if (!(error instanceof LockKeeperError)) throw error
        refusals.set(from, error)
      }
    }
    task = reshare.reshareAdvance(task.waiting, responses)
  }
  return { task, refusals }
}

/** A whole refresh of all keys, activated everywhere. */
export async function refresh(
  world: ReshareWorld,
  target: Target = {},
): Promise<reshare.BatchCertificate> {
  const coordinator = new Coordinator(world, await attemptFor(world, target))
  const { task, refusals } = await drive(coordinator)
  assert.deepEqual([...refusals], [])
  assert.ok(task.kind === "confirmed", JSON.stringify(task.kind === "aborted" && task.abort.reason))
  for (const id of task.certificate.confirmations.keys()) {
    await coordinator.activate(id, task.certificate)
  }
  return task.certificate
}

/** What a call is refused with: its code, and the field where one is named. */
export async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
  } catch (error) {
    if (error instanceof LockKeeperError) return `${error.code} ${error.field}`.trim()
    throw error
  }
  return "nothing"
}
