import assert from "node:assert/strict"
import {
  describeInput,
  keyListing,
  LockKeeperError,
  REPAIR_STEPS,
  type RepairBody,
  type RepairStepInput,
  type Request,
  repairBody,
  repairOpenInput,
  repairOpenOutput,
  repairStepInput,
  type SealedRecords,
  sealedRecordsCodec,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { type Message, messageCodec, repair, sharing } from "@lockkeeper/protocols"
import { MemoryRowStore } from "../src/adapters/memory-row-store.ts"
import type { ServerSecrets } from "../src/directory/server-secrets.ts"
import type { Table } from "../src/ports/store.ts"
import { readRepair } from "../src/resharing/repair-runs.ts"
import { startServer } from "./memory-cluster.ts"
import type { TestOperator } from "./operator.ts"
import { expectKind, type TestSession } from "./owner.ts"
import {
  drive as driveReshare,
  heldAt,
  type ReshareWorld,
  Coordinator as Resharing,
  attemptFor as reshareAttempt,
  serverOf,
  verifyKeysOf,
} from "./reshare-flows.ts"

/** The member starts again over an empty database, under the same identity. */
export async function loseDatabase(world: ReshareWorld, identifier: Identifier): Promise<void> {
  const { cluster, operator, sessions } = world
  const { roster, signed, clock, secrets, servers } = cluster
  const own = secrets[identifier - 1] as ServerSecrets
  const rows = new MemoryRowStore()
  const started = await startServer({ identifier, own, roster, signed, clock, rows })
  servers.set(identifier, started)
  sessions.set(identifier, await operator.open(started))
}

/** Every row of some tables of one server is gone. */
export async function empty(
  world: ReshareWorld,
  id: Identifier,
  ...tables: readonly Table[]
): Promise<void> {
  const { store } = serverOf(world, id)
  for (const table of tables) {
    for (const { id: row, version } of await store.scan(table, "", "", 256)) {
      await store.commit([{ kind: "take", table, id: row, version }])
    }
  }
}

/**
 * A refresh of all keys that one holder has no part in; or in which it confirms, where everybody has to,
 * and never hears how it ended.
 */
export async function refreshWithout(world: ReshareWorld, missing: Identifier): Promise<void> {
  const { servers, roster, clock } = world.cluster
  clock.time += 1000
  const others = [...servers.keys()].filter((id) => id !== missing)
  const leaveOut = others.length >= 2 * roster.minSigners - 1 ? [missing] : []
  const target = { leaveOut, dealers: others.slice(0, roster.minSigners) }
  const coordinator = new Resharing(world, await reshareAttempt(world, target))
  const { task } = await driveReshare(coordinator)
  assert.ok(task.kind === "confirmed", JSON.stringify(task.kind === "aborted" && task.abort.reason))
  for (const id of others) await coordinator.activate(id, task.certificate)
}

/** The first attempt to restore all keys of the world at one member, as `from` holds them. */
export async function repairAttempt(
  world: ReshareWorld,
  member: Identifier,
  helpers: readonly Identifier[],
  attempt = 1,
): Promise<repair.RepairAttempt> {
  const [from] = helpers
  const sharings = await Promise.all(
    world.certificates.map(async ({ public: { keyId } }) => {
      return sharing.sharingOfKey((await heldAt(world, from as Identifier, keyId)).public)
    }),
  )
  const params: repair.RepairParams = {
    ...{ helpers, member, rosterEpoch: world.cluster.roster.rosterEpoch, attempt },
    groups: sharings.map(({ group }) => group),
    keys: repair.sharingsRoot(sharings),
  }
  return { params, sharings }
}

const NOTHING: RepairStepInput = {
  ...{ opens: [], splits: [], sums: [], complaints: [], about: null, records: [] },
}

/** One coordinator's hold on a repair: its own requests, whose answers nobody else is given. */
export class Repairer {
  readonly world: ReshareWorld
  readonly attempt: repair.RepairAttempt
  readonly changes: Partial<Request>
  readonly #requests = new Map<number, ReturnType<TestOperator["sign"]>>()
  /** Whom to ask what they keep; the helpers, unless a test says otherwise. */
  tellers: readonly Identifier[]
  opening: Message | null = null

  constructor(world: ReshareWorld, attempt: repair.RepairAttempt, changes: Partial<Request> = {}) {
    this.world = world
    this.attempt = attempt
    this.changes = changes
    this.tellers = attempt.params.helpers
  }

  /** One step at one server. @throws LockKeeperError when it refuses. */
  async ask(id: Identifier, step: number, input: Bytes): Promise<Bytes> {
    const body: RepairBody = { kind: "keys", params: this.attempt.params }
    const { operator, sessions, cluster } = this.world
    const servers = [...cluster.servers.keys()]
    const request =
      this.#requests.get(step) ??
      operator.sign(
        operator.request("repair", encode(repairBody, body), { servers, ...this.changes }),
      )
    this.#requests.set(step, request)
    const session = sessions.get(id) as TestSession
    const payload = { kind: "act", request, step, input: input.slice() } as const
    return expectKind(await session.call(payload), "act").output
  }

  open(id: Identifier): Promise<Bytes> {
    const { sharings } = this.attempt
    return this.ask(id, REPAIR_STEPS.open, encode(repairOpenInput, { sharings }))
  }

  send(id: Identifier, step: keyof typeof REPAIR_STEPS, input: Partial<RepairStepInput>) {
    return this.ask(id, REPAIR_STEPS[step], encode(repairStepInput, { ...NOTHING, ...input }))
  }

  async tell(id: Identifier, opening = this.opening): Promise<SealedRecords> {
    assert.ok(opening)
    const { sharings } = this.attempt
    const input = encode(describeInput, { sharings, opening: encode(messageCodec, opening) })
    return decode(sealedRecordsCodec, await this.ask(id, REPAIR_STEPS.describe, input))
  }

  async told(): Promise<readonly SealedRecords[]> {
    const all: SealedRecords[] = []
    for (const id of this.tellers) all.push(await this.tell(id))
    return all
  }

  finish(id: Identifier, verdict: Message): Promise<Bytes> {
    return this.ask(id, REPAIR_STEPS.finish, encode(messageCodec, verdict))
  }

  async step(
    id: Identifier,
    step: repair.RepairStep,
    delivery: repair.RepairDelivery,
    about: "split" | "sum" | null,
    records?: readonly SealedRecords[],
  ): Promise<Message> {
    if (step === "open") {
      const output = decode(repairOpenOutput, await this.open(id))
      assert.ok(output.kind === "message", JSON.stringify(output))
      const message = decode(messageCodec, output.message)
      if (id === this.attempt.params.member) this.opening = message
      return message
    }
    const encoded = (all: readonly Message[]) => all.map((one) => encode(messageCodec, one))
    const input: RepairStepInput = {
      ...{ opens: encoded(delivery.opens), splits: encoded(delivery.splits) },
      ...{ sums: encoded(delivery.sums), complaints: encoded(delivery.complaints), about },
      records: records ?? (step === "verdict" ? await this.told() : []),
    }
    return decode(messageCodec, await this.send(id, step, input))
  }
}

export type Asked = (
  id: Identifier,
  step: repair.RepairStep,
  delivery: repair.RepairDelivery,
  about: "split" | "sum" | null,
) => Promise<Message | null>

export interface Repaired {
  readonly task: repair.RepairTask
  readonly refusals: ReadonlyMap<Identifier, LockKeeperError>
}

/** Drives a run to its end, but for what helpers erase then. */
export async function driveRepair(
  repairer: Repairer,
  ask: Asked = (...args) => repairer.step(...args),
): Promise<Repaired> {
  const { world, attempt } = repairer
  const refusals = new Map<Identifier, LockKeeperError>()
  const { params, sharings } = attempt
  let task = repair.repairCoordinate(params, sharings, verifyKeysOf(world))
  while (task.kind === "ask") {
    const responses = []
    for (const [from, delivery] of task.deliveries) {
      try {
        const message = await ask(from, task.step, delivery, task.about)
        if (message !== null) responses.push({ from, message })
      } catch (error) {
        if (!(error instanceof LockKeeperError)) throw error
        refusals.set(from, error)
      }
    }
    task = repair.repairAdvance(task.waiting, responses)
  }
  return { task, refusals }
}

/** A whole repair of all keys at one member. */
export async function repairAll(
  world: ReshareWorld,
  member: Identifier,
  helpers: readonly Identifier[],
): Promise<void> {
  const repairer = new Repairer(world, await repairAttempt(world, member, helpers))
  const { task, refusals } = await driveRepair(repairer)
  assert.deepEqual([...refusals], [])
  assert.ok(task.kind === "repaired", JSON.stringify(task.kind === "aborted" && task.abort.reason))
  for (const helper of helpers) await repairer.finish(helper, task.verdict)
}

export async function stageAt(world: ReshareWorld, id: Identifier, { attempt }: Repairer) {
  const runId = toHex(repair.openingDigest(attempt.params))
  return (await readRepair(serverOf(world, id).store, runId))?.value.stage.kind ?? null
}

/** What a server shows the owner of a key, as it keeps it. */
export async function listingAt(world: ReshareWorld, id: Identifier, keyId: Bytes) {
  const { owner } = world
  const row = await serverOf(world, id).store.read(
    "account-keys",
    `${toHex(owner.accountId)}-${toHex(keyId)}`,
  )
  assert.ok(row)
  return decode(keyListing, row.value)
}
