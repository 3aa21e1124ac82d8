import { LockKeeperError, pairStates } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** How this server stands to each other one: what is to be set up before presigning. */
export const showPairs: OwnerOperationStep = async (step) => {
  onlyStep(step)
  if (step.request.body.length !== 0) {
    throw new LockKeeperError("invalid-request", "This operation takes no body.", { field: "body" })
  }
  const output = encode(pairStates, await statesOfPairs(step))
  return { output, changes: [], event: step.event() }
}

export async function statesOfPairs({ presigning }: OwnerStep) {
  const { pairs, peers } = presigning
  return Promise.all(
    peers.map(async (peer) => ({ peer, state: (await pairs.statusOf(peer)).kind })),
  )
}
