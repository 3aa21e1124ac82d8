import { LockKeeperError, presignBody, requestDigest } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import { dkls } from "@lockkeeper/protocols"
import { type BulkResult, bulkRun, noteLost, type Stopped } from "./bulk-run.ts"
import type { IncidentLog } from "./incidents.ts"
import type { KeyInfo } from "./key-info.ts"
import { MAX_PAIR_PAUSE_MS, MAX_PAIR_TRIES } from "./limits.ts"
import { ensurePairs, noteDeadPairs } from "./pairs.ts"
import { throwIfCancelled } from "./patience.ts"
import type { Principal } from "./principal.ts"
import type { DeadPairs, SignerSet } from "./signer-sets.ts"

/** Steps of `presign`: open, exchange, publish, confirm, activate. */
const PRESIGN_STEPS = 5

export interface PresignOrder {
  readonly key: KeyInfo
  readonly set: SignerSet
  /** 1 to `dkls.maxBatch(set.length)`. */
  readonly count: number
  readonly urgency: "now" | "background"
  /** How many of the set every signer is known to have, or null. */
  readonly ready: number | null
  readonly dead: DeadPairs
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
  readonly watch?: (server: Identifier) => () => void
}

/**
 * Makes a batch of presignatures with one signer set; the servers keep them. Sets up pairs that are
 * missing first, again where others did so at the same time and either end now has another setup. A
 * pair that turned out to be at odds is noted as dead.
 */
export async function presign(principal: Principal, order: PresignOrder): Promise<BulkResult> {
  const { set: participants, dead, signal, incidents } = order
  const { clock } = principal.servers.deps
  const pairs = { participants, dead, signal, incidents }
  let began = clock.now()
  for (let tries = 0; ; tries++) {
    const result = await runBatch(principal, order)
    if (result.kind === "complete" || !isAboutPairs(result)) return noted(order, result)
    const isDead = tries > 0 && saysDead(result)
    // What its servers said of a pair before may have ended in this very batch.
    if (isDead && !dead.within(participants)) await noteDeadPairs(principal, pairs)
    if (dead.within(participants)) return noted(order, withoutRefusals(result))
    if (isDead || tries === MAX_PAIR_TRIES) return noted(order, result)
    if (tries > 0) await giveWay(principal, clock.now() - began, signal)
    began = clock.now()
    const isReady = await ensurePairs(principal, pairs)
    if (dead.within(participants)) return withoutPair("dead-pair")
    if (!isReady) return withoutPair("missing-pair")
  }
}

/**
 * Others may be setting the same pair up, in step with this: each waits for as long as chance says, so
 * that one is done before the other looks.
 */
async function giveWay(
  { servers: { deps } }: Principal,
  tookMs: number,
  signal: AbortSignal,
): Promise<void> {
  const [chance = 0] = deps.randomness.bytes(1)
  const mostMs = Math.min(tookMs, MAX_PAIR_PAUSE_MS)
  await deps.clock.wait(Math.floor((mostMs * chance) / 256), signal)
  throwIfCancelled(signal)
}

/**
 * Without those who refused because a pair of the set is dead: they are right to, and sign in sets
 * without the pair. Whoever else gave no answer stays.
 */
function withoutRefusals(stopped: Stopped): Stopped {
  const lost = [...stopped.lost].filter(([, error]) => !isAboutPair(error))
  return { ...stopped, reason: "dead-pair", lost: new Map(lost) }
}

/** Nobody's fault that shows here: the incidents tell of whoever was away when pairs were set up. */
function withoutPair(reason: string): Stopped {
  return { kind: "stopped", reason, culprits: [], pairs: [], lost: new Map() }
}

/** Whether it stopped because a pair among the signers is not set up, dead, or not the same at both. */
function isAboutPairs({ reason, lost }: Stopped): boolean {
  return reason === "wrong-setup" || [...lost.values()].some(isAboutPair)
}

function isAboutPair({ code, field }: LockKeeperError): boolean {
  const codes = ["out-of-order", "permission-denied", "conflict"]
  return field === "body.signers" && codes.includes(code)
}

/** Whether a signer refused because a pair of its own is dead. */
function saysDead({ lost }: Stopped): boolean {
  return [...lost.values()].some(
    (error) => isAboutPair(error) && error.code === "permission-denied",
  )
}

function noted({ incidents, set }: PresignOrder, result: BulkResult): BulkResult {
  if (result.kind === "stopped") noteLost(incidents, result, set)
  return result
}

async function runBatch(principal: Principal, order: PresignOrder): Promise<BulkResult> {
  const { key, set: signers, count, urgency, ready, dead, signal, incidents, watch } = order
  const { keyId, certificate } = key
  const { trust, patience } = principal.servers
  const { keyEpoch } = certificate.public
  const body = encode(presignBody, { keyId, keyEpoch, signers, count, urgency, ready })
  const request = principal.request("presign", signers, body)
  const { rosterEpoch } = trust.roster
  const batchId = requestDigest(request)
  const params = { batchId, keyId, keyEpoch, rosterEpoch, signers, count }
  const result = await bulkRun(principal, {
    ...{ request, participants: signers, steps: PRESIGN_STEPS, signal, incidents },
    inspect: (steps) => dkls.presignInspect(params, certificate.public, trust.verifyKeys, steps),
    stepMs: patience.presigningStepMs,
    ...(watch === undefined ? {} : { watch }),
  })
  if (result.kind === "stopped") for (const [a, b] of result.pairs) dead.add(a, b)
  return result
}

/** Why a batch was not made, as an error. */
export function presignFailure(result: Stopped): LockKeeperError {
  const [lost] = result.lost.values()
  if (lost !== undefined) return lost
  return new LockKeeperError("aborted", `The presigning stopped: ${result.reason}.`, {
    remedy: "Try again with other servers; look at the incidents.",
  })
}
