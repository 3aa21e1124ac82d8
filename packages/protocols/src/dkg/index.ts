export { dkgActivate } from "./activate.ts"
export { dkgAnswer } from "./answer.ts"
export {
  type Deliveries,
  type DkgTask,
  type DkgWaiting,
  dkgAdvance,
  dkgCoordinate,
  nextAttempt,
} from "./coordinator.ts"
export { dkgOpen, openRandomnessLength } from "./open.ts"
export {
  checkParams,
  type DkgIdentity,
  type DkgParams,
  type DkgRunId,
  type DkgStep,
  dkgParamsCodec,
} from "./params.ts"
export type { DkgResponse } from "./responses.ts"
export { dkgReveal, revealRandomnessLength } from "./reveal.ts"
export {
  type DkgJudged,
  type DkgOpened,
  type DkgRevealed,
  dkgJudgedCodec,
  dkgOpenedCodec,
  dkgRevealedCodec,
} from "./state.ts"
export { dkgVerdict } from "./verdict.ts"
