import { LockKeeperError, shownReshare, showReshareBody } from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { decodeAs } from "../request/decode.ts"
import type { OperatorOperationStep } from "../request/step.ts"
import { readGeneration } from "../resharing/held.ts"
import { readRun, wipeStage } from "../resharing/runs.ts"
import { onlyStep } from "./steps.ts"

/**
 * What a coordinator needs to bring a run to its end that another one left: the certificate, from a
 * server that has activated it or erased its share on it, and the run's parameters, from one that has not.
 */
export const showReshare: OperatorOperationStep = async (step) => {
  onlyStep(step)
  const { kind, id, run: runId } = decodeAs("body", showReshareBody, step.request.body)
  const { deps, resharing } = step
  const source = resharing.sourceOf(kind)
  if (source === null) {
    throw new LockKeeperError("invalid-request", `This server reshares no ${kind}.`, {
      field: "body.kind",
    })
  }
  const run = await readRun(deps.store, runId)
  if (run !== null) wipeStage(run.value.stage)
  const stage = run?.value.kind === kind ? run.value.stage : null
  const params = stage === null || stage.kind === "active" ? null : stage.state.params
  const range = params === null ? null : (run?.value.range ?? null)
  const held = await source.certificate(deps.store, id)
  const kept = (await readGeneration(deps.store, kind, id))?.value.leftOn ?? null
  const shown = { certificate: held ?? kept, former: held === null ? null : kept }
  const output = encode(shownReshare, { ...shown, params, range })
  return { output, changes: [], event: step.event() }
}
