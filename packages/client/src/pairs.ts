import {
  type LockKeeperError,
  type PairState,
  pairStates,
  requestDigest,
  setupPairsBody,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import { dkls } from "@lockkeeper/protocols"
import { readAnswer } from "./answers.ts"
import { bulkRun } from "./bulk-run.ts"
import { aboutWhom } from "./exclusions.ts"
import { askAll } from "./gather.ts"
import type { IncidentLog } from "./incidents.ts"
import { MAX_OVERTAKEN } from "./limits.ts"
import type { Principal } from "./principal.ts"
import type { DeadPairs, SignerSet } from "./signer-sets.ts"

/** Steps of `pairs.setup`: open, exchange, confirm, activate. */
const SETUP_STEPS = 4

export interface PairsOrder {
  readonly participants: SignerSet
  readonly dead: DeadPairs
  readonly signal: AbortSignal
  readonly incidents: IncidentLog
}

type States = ReadonlyMap<Identifier, ReadonlyMap<Identifier, PairState>>

/**
 * Sees to it that every pair among these servers, as far as they answer, can multiply together: what
 * ECDSA takes, once for all keys in a rosterEpoch. Pairs that failed once stay dead.
 *
 * @returns whether all pairs among the participants that are not dead are set up now.
 */
export async function ensurePairs(principal: Principal, order: PairsOrder): Promise<boolean> {
  const { exclusions } = principal.servers
  let participants = exclusions.together(order.participants)
  // A run stops when one participant fails or a pair is found dead; the others go on without.
  for (let tries = 0; tries < 2 * order.participants.length; tries++) {
    const states = await showPairs(principal, { ...order, participants })
    const present = participants.filter((id) => states.has(id))
    if (present.length < 2) return false
    const isReady = !isMissing(states, present, order.dead)
    if (isReady) return present.length === order.participants.length
    const isExcused = tries < MAX_OVERTAKEN ? isOvertaken : () => false
    const lost = await setUp(principal, { ...order, participants: present }, isExcused)
    // Whoever says that a pair is missing when it has just been set up is not believed again.
    if (lost === null) return present.length === order.participants.length
    participants = exclusions.together(present.filter((id) => !lost.includes(id)))
  }
  return false
}

/**
 * Asks the participants which of their pairs are dead. A server is believed about its own pairs alone,
 * so that a liar keeps itself out of sets and no two honest servers.
 */
export async function noteDeadPairs(principal: Principal, order: PairsOrder): Promise<void> {
  await showPairs(principal, order)
}

/** What each server that answers says about its pairs; dead ones are noted. */
async function showPairs(
  principal: Principal,
  { participants, dead, signal, incidents }: PairsOrder,
): Promise<States> {
  const { servers } = principal
  const none = new Uint8Array(0)
  const stepMs = servers.patience.keyGenerationStepMs
  const request = principal.request("pairs.show", participants, none)
  const { answers, failures } = await askAll(servers, participants, async (server) => {
    const { output } = await principal.act(server, request, 1, none, signal, stepMs)
    const listed = readAnswer(server, pairStates, output)
    return new Map(listed.map(({ peer, state }) => [peer, state]))
  })
  for (const [server, error] of failures) incidents.failed(server, error)
  for (const [server, states] of answers) {
    for (const [peer, state] of states) if (state === "dead") dead.add(server, peer)
  }
  return answers
}

/** Whether a pair of these that is not dead is not live at both ends. */
function isMissing(states: States, among: readonly Identifier[], dead: DeadPairs): boolean {
  const isLive = (a: Identifier, b: Identifier) => states.get(a)?.get(b) === "live"
  return among.some((a, i) =>
    among.slice(i + 1).some((b) => !dead.has(a, b) && !(isLive(a, b) && isLive(b, a))),
  )
}

/**
 * Whether others who set the same pairs up at this time were faster at this server, before this run
 * looked or in the very moment of its commit: what they made serves as well, and nobody is at fault.
 */
function isOvertaken({ code, field }: LockKeeperError): boolean {
  return code === "conflict" && (field === "body.participants" || field === "")
}

/** One run among all of them. Null when it is complete; otherwise whom the next has to do without. */
async function setUp(
  principal: Principal,
  { participants, dead, signal, incidents }: PairsOrder,
  isExcused: (error: LockKeeperError) => boolean,
): Promise<readonly Identifier[] | null> {
  const { trust, patience } = principal.servers
  const body = encode(setupPairsBody, { participants })
  const request = principal.request("pairs.setup", participants, body)
  const { rosterEpoch } = trust.roster
  const params = { setupId: requestDigest(request), rosterEpoch, participants }
  const result = await bulkRun(principal, {
    ...{ request, participants, steps: SETUP_STEPS, signal, incidents },
    inspect: (steps) => dkls.setupInspect(params, trust.verifyKeys, steps),
    stepMs: patience.presigningStepMs,
  })
  if (result.kind === "complete") return null
  const found = result.pairs.filter(([a, b]) => !dead.has(a, b))
  for (const [a, b] of result.pairs) dead.add(a, b)
  const out = [...result.culprits]
  for (const [server, error] of result.lost) {
    if (isExcused(error)) continue
    // Who works with another participant no more is tried again without that one.
    if (aboutWhom(server, error, participants) === null) out.push(server)
    else incidents.failed(server, error, participants)
  }
  // Where nobody is named, every run loses somebody all the same, so that there is an end to it.
  const isLess = out.length > 0 || found.length > 0 || result.lost.size > 0
  return isLess ? out : participants.slice(-1)
}
