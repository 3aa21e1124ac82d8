import { LockKeeperError, setupPairsBody } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { dkls } from "@lockkeeper/protocols"
import type { Change } from "../ports/store.ts"
import type { Run } from "../presigning/runs.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import {
  answered,
  checkAddressees,
  computeStep,
  dklsIdentity,
  readBulkMessages,
  stopped,
} from "./bulk-step.ts"
import { noSuchStep } from "./steps.ts"

const STEPS: readonly number[] = [1, 2, 3, 4] satisfies dkls.SetupStep[]

/** Base oblivious transfers among servers: 1 open, 2 exchange, 3 confirm, 4 activate. */
export const setupPairs: OwnerOperationStep = async (step) => {
  if (!STEPS.includes(step.step)) throw noSuchStep()
  const { participants } = decodeAs("body", setupPairsBody, step.request.body)
  const messages = readBulkMessages(step.input)
  checkAddressees(step, participants, "body.participants")
  step.incidents.checkNone(participants)
  const run = await openOrResume(step, participants)
  try {
    return await advance(step, run, participants, messages)
  } catch (error) {
    run.settle()
    throw error
  }
}

async function openOrResume(step: OwnerStep, participants: readonly Identifier[]): Promise<Run> {
  const { self, presigning, request, deps } = step
  const now = deps.clock.now()
  if (step.step > 1) return presigning.runs.resume(step.digest, step.step, now)
  const pairs = new Map<Identifier, dkls.PairStatus>()
  for (const peer of participants) {
    if (peer !== self.identifier) pairs.set(peer, await presigning.pairs.statusOf(peer))
  }
  const { operation, accountId } = request
  const release = () => undefined
  return presigning.runs.open({ digest: step.digest, operation, accountId, now, pairs, release })
}

async function advance(
  step: OwnerStep,
  run: Run,
  participants: readonly Identifier[],
  messages: Parameters<typeof dkls.setupTask>[3],
): Promise<StepOutcome> {
  const { self, digest, counters } = step
  const { rosterEpoch } = self.roster
  const context: dkls.SetupContext = {
    params: { setupId: digest, rosterEpoch, participants },
    identifier: self.identifier,
    identity: dklsIdentity(step),
    pairs: run.pairs,
  }
  const number = step.step as dkls.SetupStep
  const outcome = await computeStep(step, {
    run,
    urgency: "now",
    task: (randomness) => dkls.setupTask(context, number, run.state, messages, randomness),
    answer: (result) => dkls.setupAnswer(context, number, result, messages),
  })
  if (!outcome.ok) return stopped(step, run, outcome.abort, { changes: [], event: {} })
  const { pairs } = outcome.value
  const changes = await keepPairs(step, run, pairs)
  return answered(step, run, outcome.value, {
    changes,
    event: {},
    afterCommit: () => counters.add("pairs-set-up", pairs.size),
  })
}

/** Stores what the run has set up, unless another run was faster or a pair has died meanwhile. */
async function keepPairs(
  { presigning }: OwnerStep,
  run: Run,
  setups: ReadonlyMap<Identifier, dkls.PairSetup>,
): Promise<readonly Change[]> {
  const changes: Change[] = []
  try {
    for (const [peer, setup] of setups) {
      const began = run.pairs.get(peer) ?? { kind: "none" }
      const change = await presigning.pairs.keep(peer, setup, began)
      if (change === null) {
        throw new LockKeeperError("conflict", `The pair with server ${peer} changed meanwhile.`, {
          field: "body.participants",
          remedy: "Start again with a new request.",
        })
      }
      changes.push(change)
    }
  } finally {
    for (const setup of setups.values()) dkls.wipePairSetup(setup)
  }
  return changes
}
