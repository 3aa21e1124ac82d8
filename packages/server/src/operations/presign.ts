import { LockKeeperError, type PresignBody, presignBody } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { decode, toHex } from "@lockkeeper/encoding"
import { dkls, type KeyPackage, keyCertificateCodec, type Message } from "@lockkeeper/protocols"
import { checkEcdsaKey, checkKeyEpoch, checkUsable, readKey, readListing } from "../keys.ts"
import type { Change } from "../ports/store.ts"
import {
  presignatureId,
  putPresignature,
  takePresignature,
  wipePresignature,
} from "../presigning/presignatures.ts"
import { pooledOf } from "../presigning/room.ts"
import type { Run } from "../presigning/runs.ts"
import { checkSignerSet } from "../presigning/signer-sets.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import {
  answered,
  buryOwn,
  checkAddressees,
  computeStep,
  dklsIdentity,
  type Effects,
  readBulkMessages,
  stopped,
} from "./bulk-step.ts"
import {
  checkAlive,
  checkUnchanged,
  forgetMismatch,
  readSetups,
  type Setups,
} from "./presign-setups.ts"
import { noSuchStep } from "./steps.ts"

const STEPS: readonly number[] = [1, 2, 3, 4, 5] satisfies dkls.PresignStep[]

/** The step that checks whether the others kept to the oblivious transfers. */
const CHECKING_STEP = 2

/** Why the pair with an accused server is dead. */
const FAULT = "pairwise-fault"

/** Refusals of a step whose checks told nobody anything: no thread was free, or a pair has died. */
const UNTOLD: readonly string[] = ["rate-limited", "permission-denied"]

/** What each step of presigning works on. */
interface Task {
  readonly step: OwnerStep
  readonly body: PresignBody
  readonly key: KeyPackage
  /** Of the key's row: what the step makes of it is kept only while it is the same. */
  readonly keyVersion: number
  readonly messages: readonly Message[]
}

/** A batch of presignatures: 1 open, 2 exchange, 3 publish, 4 confirm, 5 activate. */
export const presign: OwnerOperationStep = async (step) => {
  if (!STEPS.includes(step.step)) throw noSuchStep()
  const body = decodeAs("body", presignBody, step.request.body)
  const messages = readBulkMessages(step.input)
  const { keyId, signers, count } = body
  checkAddressees(step, signers, "body.signers")
  step.incidents.checkNone(signers)
  if (signers.length > dkls.MAX_SIGNERS) {
    throw new LockKeeperError("invalid-request", `At most ${dkls.MAX_SIGNERS} servers presign.`, {
      field: "body.signers",
    })
  }
  const most = dkls.maxBatch(signers.length)
  if (count < 1 || count > most) {
    throw new LockKeeperError("invalid-request", `A batch of this set has 1 to ${most}.`, {
      field: "body.count",
    })
  }
  const { value: row, version } = await readKey(step.deps.store, step.request.accountId, keyId)
  using _share = row.keyPackage.signingShare
  await checkUsable(step, row)
  checkEcdsaKey(row)
  checkKeyEpoch(row, body.keyEpoch)
  checkSignerSet(step.self.roster, step.self.identifier, row.keyPackage.public, signers)
  const task = { step, body, key: row.keyPackage, keyVersion: version, messages }
  const setups = await readSetups(step, signers)
  try {
    return await runStep(task, setups)
  } finally {
    for (const setup of setups.values()) dkls.wipePairSetup(setup)
  }
}

async function runStep(task: Task, setups: Setups): Promise<StepOutcome> {
  const { step } = task
  if (step.step > 1) {
    const run = step.presigning.runs.resume(step.digest, step.step, step.deps.clock.now())
    return settling(run, () => {
      checkUnchanged(run, setups)
      return advance(task, run, setups, [])
    })
  }
  const { run, burnt } = open(task, setups)
  return settling(run, () => advance(task, run, setups, burnt))
}

async function settling(run: Run, act: () => Promise<StepOutcome>): Promise<StepOutcome> {
  try {
    return await act()
  } catch (error) {
    run.settle()
    throw error
  }
}

/** Takes the room that the batch will need. For who waits, the oldest of other sets make room. */
function open({ step, body, key }: Task, setups: Setups): { run: Run; burnt: readonly Change[] } {
  const { presigning, request, deps, digest } = step
  const { pool } = presigning
  const { keyId, count, signers, ready } = body
  const { keyEpoch } = key.public
  const old = [...pool.dropOutdated(keyId, keyEpoch, step.self.roster.rosterEpoch)]
  const now = deps.clock.now()
  if (ready !== null) old.push(...pool.dropUnmatched(keyId, signers, { ready, count, now }))
  if (body.urgency === "now") old.push(...pool.makeRoom(keyId, count, signers))
  presigning.countBurnt(old)
  const room = pool.reserve(keyId, count)
  if (room === null) {
    throw new LockKeeperError("rate-limited", "The pool of this key is full.", {
      field: "body.count",
      remedy: "Use its presignatures first.",
    })
  }
  const { operation, accountId } = request
  const { release } = room
  const pairs = new Map(
    [...setups].map(([peer, { setupDigest }]) => [peer, { kind: "live", setupDigest } as const]),
  )
  try {
    const run = presigning.runs.open({ digest, operation, accountId, now, pairs, release })
    return { run, burnt: old.map(({ id }) => takePresignature(id)) }
  } catch (error) {
    release()
    throw error
  }
}

async function contextOf({ step, body, key }: Task): Promise<dkls.PresignContext> {
  const { self, digest, deps, request } = step
  const { keyId, signers, count } = body
  const { rosterEpoch } = self.roster
  const listing = await readListing(deps.store, request.accountId, keyId)
  return {
    params: { batchId: digest, keyId, keyEpoch: key.public.keyEpoch, rosterEpoch, signers, count },
    public: key.public,
    certificate: decode(keyCertificateCodec, listing.certificate),
    identifier: self.identifier,
    identity: dklsIdentity(step),
  }
}

async function advance(
  task: Task,
  run: Run,
  setups: Setups,
  burnt: readonly Change[],
): Promise<StepOutcome> {
  const { step, body, key, keyVersion, messages } = task
  const { deps, presigning } = step
  const { keyId } = body
  const context = await contextOf(task)
  const number = step.step as dkls.PresignStep
  const secrets = setups.size === 0 ? null : { signingShare: key.signingShare, pairs: setups }
  let checks: readonly Change[] = []
  const outcome = await computeStep(step, {
    run,
    urgency: body.urgency,
    task: (random) => dkls.presignTask(context, number, run.state, messages, secrets, random),
    before: async () => {
      if (step.step !== CHECKING_STEP) return
      checks = await presigning.checks.begin(setups)
    },
    answer: (result) => {
      checkAlive(step, setups)
      const outcome = dkls.presignAnswer(context, number, result, messages)
      const accused = outcome.ok ? outcome.value.accused : null
      // At once: what else was checked meanwhile has to know.
      if (accused !== null) presigning.pairs.fail(accused, FAULT)
      return outcome
    },
  }).catch(async (error) => {
    // Nothing was checked, or nobody is told what came of it.
    const untold = error instanceof LockKeeperError && UNTOLD.includes(error.code)
    if (untold && checks.length > 0) await deps.store.commit(checks)
    if (!untold && checks.length > 0) presigning.checks.died(setups.keys())
    throw error
  })
  const guard = { kind: "expect", table: "keys", id: toHex(keyId), version: keyVersion } as const
  const effects: Effects = { changes: [...burnt, ...checks, guard], event: { keyId } }
  if (!outcome.ok) {
    const forgotten = await forgetMismatch(step, setups, outcome.abort)
    const changes = [...effects.changes, ...forgotten]
    return stopped(step, run, outcome.abort, { ...effects, changes })
  }
  const { accused, presignatures } = outcome.value
  if (accused !== null) return accuse(step, run, outcome.value, accused, effects)
  const madeAt = deps.clock.now()
  const made = presignatures.map((presignature) => {
    const { id, certificate } = presignature
    const change = putPresignature(presignature, madeAt)
    wipePresignature(presignature)
    const { record } = certificate
    const row = presignatureId(keyId, id)
    return { change, pooled: pooledOf({ id: row, presignatureId: id, record, madeAt }) }
  })
  return answered(step, run, outcome.value, {
    ...effects,
    changes: [...effects.changes, ...made.map(({ change }) => change)],
    afterCommit: () => {
      for (const { pooled } of made) presigning.keep(pooled)
      step.counters.add("presignatures-made", made.length)
    },
    // The checks have passed: they count against nobody, whatever became of the step.
    release: (committed) => {
      if (committed || checks.length === 0) return
      deps.store.commit(checks).catch(() => deps.events.event("checks-left", {}))
    },
  })
}

/** This server's message accuses another one: the run is over, and so is the pair, for every key. */
async function accuse(
  step: OwnerStep,
  run: Run,
  answer: dkls.PresignAnswer,
  accused: Identifier,
  { changes, event }: Effects,
): Promise<StepOutcome> {
  const reason = FAULT
  const pair = [step.self.identifier, accused] as const
  return answered(step, run, answer, {
    changes: [...changes, ...(await buryOwn(step, pair, reason))],
    event: { ...event, outcome: "aborted", reason, pair },
    afterCommit: () => step.counters.add("presign-aborts"),
  })
}
