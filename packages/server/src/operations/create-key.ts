import {
  type CreateKeyBody,
  createKeyBody,
  identityKeys,
  type KeyListing,
  LockKeeperError,
  protocolStepInput,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, equalBytes, toHex } from "@lockkeeper/encoding"
import {
  type Abort,
  dkg,
  keyCertificateCodec,
  type Message,
  messageCodec,
  type Outcome,
} from "@lockkeeper/protocols"
import { putKey } from "../keys.ts"
import type { OperationStep, Step } from "../request/act.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import { refuseAbort } from "./aborts.ts"
import {
  type KeyGenerationRow,
  putRun,
  readRun,
  runId,
  type StoredRun,
  stateId,
} from "./key-generation.ts"
import { noSuchStep } from "./steps.ts"

/** What each step of a key generation works on. */
interface Run {
  readonly step: Step
  readonly body: CreateKeyBody
  readonly params: dkg.DkgParams
  readonly id: string
  readonly identity: dkg.DkgIdentity
  readonly messages: readonly Message[]
}

/**
 * Distributed key generation, one step at a time: 1 open, 2 reveal, 3 verdict, 4 activate, or 5
 * answer where there are complaints. Each takes the messages of the step before.
 */
export const createKey: OperationStep = async (step) => {
  const body = decodeAs("body", createKeyBody, step.request.body)
  const run: Run = { step, body, ...contextOf(step, body), messages: readMessages(step.input) }
  switch (step.step) {
    case 1:
      return open(run)
    case 2:
      return reveal(run)
    case 3:
      return verdict(run)
    case 4:
      return activate(run)
    case 5:
      return answer(run)
    default:
      throw noSuchStep()
  }
}

function readMessages(input: Bytes): readonly Message[] {
  const { messages } = decodeAs("input", protocolStepInput, input)
  return messages.map((m, i) => decodeField(`input.messages.${i}`, () => decode(messageCodec, m)))
}

function contextOf(
  { self, request }: Step,
  body: CreateKeyBody,
): Pick<Run, "params" | "id" | "identity"> {
  const { keyId, keyType, minSigners, holders, attempt } = body
  if (minSigners !== self.roster.minSigners) {
    throw new LockKeeperError(
      "invalid-request",
      `Keys of this roster take ${self.roster.minSigners} signers.`,
      { field: "body.minSigners" },
    )
  }
  const same =
    holders.length === request.servers.length &&
    holders.every((holder, i) => holder === request.servers[i])
  if (!same) {
    throw new LockKeeperError(
      "invalid-request",
      "The holders are not the servers the request is addressed to.",
      { field: "body.holders" },
    )
  }
  const { rosterEpoch } = self.roster
  const params = { keyId, keyType, minSigners, participants: holders, rosterEpoch, attempt }
  const identity = { signer: self.identity, verifyKeys: identityKeys(self.roster) }
  return { params, id: runId(params), identity }
}

async function open({ step, params, id, identity }: Run): Promise<StepOutcome> {
  const { self, deps, oneTime } = step
  const owner = toHex(step.request.accountId)
  const taken = await deps.store.read("keys", toHex(params.keyId))
  const earlier = await readRun(deps.store, id)
  if (taken !== null || earlier !== null) {
    throw new LockKeeperError("already-exists", "This key, or this attempt at it, exists.", {
      field: "body.keyId",
      remedy: "Choose a fresh key id.",
    })
  }
  if (oneTime.room("key-generation", owner) === 0) {
    throw new LockKeeperError("rate-limited", "Too many key generations are unfinished.", {
      remedy: "Finish them, or wait until they expire.",
    })
  }
  const checked = dkg.checkParams(params)
  if (!checked.ok) return refuseAbort(step, checked.abort, [], { keyId: params.keyId })
  const randomness = deps.randomness.bytes(dkg.openRandomnessLength(params))
  const outcome = dkg.dkgOpen(params, self.identifier, identity, randomness)
  randomness.fill(0)
  if (!outcome.ok) return refuseAbort(step, outcome.abort, [], { keyId: params.keyId })
  const { state, message } = outcome.value
  return {
    output: encode(messageCodec, message),
    changes: [putRun(id, { kind: "opened", accountId: step.request.accountId, state }, "absent")],
    event: step.event({ keyId: params.keyId }),
    afterCommit: () => issueState(step, id, "opened"),
  }
}

async function reveal(run: Run): Promise<StepOutcome> {
  const { state, version } = await takeState(run, "opened")
  const { deps } = run.step
  const randomness = deps.randomness.bytes(dkg.revealRandomnessLength(run.params))
  const outcome = await deps.compute.run(() =>
    dkg.dkgReveal(state, run.messages, run.identity, randomness),
  )
  randomness.fill(0)
  return advance(run, version, outcome, "revealed")
}

async function verdict(run: Run): Promise<StepOutcome> {
  const { state, version } = await takeState(run, "revealed")
  const outcome = await run.step.deps.compute.run(() =>
    dkg.dkgVerdict(state, run.messages, run.identity),
  )
  return advance(run, version, outcome, "judged")
}

type Working = Extract<KeyGenerationRow, { readonly state: unknown }>
type StateOf<K extends Working["kind"]> = Extract<Working, { kind: K }>["state"]

/**
 * Strikes the state of the step before off this process's ledger, and reads it. Holders learn the
 * key id and the public messages while a run goes on, so only who opened it may take its next step:
 * otherwise a corrupt one could have the finished share stored for an account of its own.
 */
async function takeState<K extends Working["kind"]>(
  { step, id }: Run,
  kind: K,
): Promise<{ readonly state: StateOf<K>; readonly version: number }> {
  const live = step.oneTime.has(stateId(id, kind))
  const run: StoredRun | null = live ? await readRun(step.deps.store, id) : null
  const waiting = run?.row.kind === kind && equalBytes(run.row.accountId, step.request.accountId)
  if (run === null || !waiting || !step.oneTime.spend(stateId(id, kind))) {
    throw new LockKeeperError(
      "out-of-order",
      "This key generation is not waiting for this step here.",
      { field: "step", remedy: "Start a new attempt." },
    )
  }
  const { state } = run.row as Extract<Working, { kind: K }>
  return { state: state as StateOf<K>, version: run.version }
}

/** The next state and message, or the end of the run. */
function advance<K extends "revealed" | "judged">(
  run: Run,
  version: number,
  outcome: Outcome<{ readonly state: StateOf<K>; readonly message: Message }>,
  kind: K,
): StepOutcome | Promise<StepOutcome> {
  const { step, id, params } = run
  if (!outcome.ok) return stop(run, version, outcome.abort)
  const { state, message } = outcome.value
  const { accountId } = step.request
  return {
    output: encode(messageCodec, message),
    changes: [putRun(id, { kind, accountId, state } as KeyGenerationRow, version)],
    event: step.event({ keyId: params.keyId }),
    afterCommit: () => issueState(step, id, kind),
  }
}

/** Makes a run's new state usable in this process; after its commit. */
function issueState({ deps, oneTime, request }: Step, id: string, kind: Working["kind"]): void {
  const owner = toHex(request.accountId)
  oneTime.issue("key-generation", owner, stateId(id, kind), deps.clock.now())
}

function stop({ step, id, params }: Run, version: number, abort: Abort): Promise<StepOutcome> {
  const over = putRun(id, { kind: "over" }, version)
  return refuseAbort(step, abort, [over], { keyId: params.keyId })
}

async function activate(run: Run): Promise<StepOutcome> {
  const { step, body, id, params, identity } = run
  const { state, version } = await takeState(run, "judged")
  const outcome = dkg.dkgActivate(state, run.messages, identity)
  if (!outcome.ok) return stop(run, version, outcome.abort)
  const { key, certificate } = outcome.value
  const { accountId } = step.request
  const encoded = encode(keyCertificateCodec, certificate)
  const listing: KeyListing = {
    keyId: params.keyId,
    label: body.label,
    custody: body.custody,
    state: "active",
    createdAt: step.deps.clock.now(),
    certificate: encoded,
  }
  const row = { accountId, state: "active", keyPackage: key } as const
  const changes = [...putKey(row, listing), putRun(id, { kind: "over" }, version)]
  key.signingShare.wipe()
  return { output: encoded, changes, event: step.event({ keyId: params.keyId }) }
}

/** Answers complaints; the run is over here, since a share of it becomes public. */
async function answer(run: Run): Promise<StepOutcome> {
  const { step, id, params, identity } = run
  const { state, version } = await takeState(run, "judged")
  const outcome = dkg.dkgAnswer(state, run.messages, identity)
  if (!outcome.ok) return stop(run, version, outcome.abort)
  return {
    output: encode(messageCodec, outcome.value.message),
    changes: [putRun(id, { kind: "over" }, version)],
    event: step.event({ keyId: params.keyId, outcome: "aborted", reason: "complaint-pending" }),
  }
}
