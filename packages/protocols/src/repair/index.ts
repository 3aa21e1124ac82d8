export { repairAnswer } from "./answer.ts"
export {
  nextAttempt,
  type RepairAttempt,
  type RepairDelivery,
  type RepairResponse,
  type RepairTask,
  type RepairWaiting,
  repairAdvance,
  repairCoordinate,
} from "./coordinator.ts"
export { memberSealingKey, repairFinished } from "./member.ts"
export {
  OPEN_RANDOMNESS_LENGTH,
  type RepairRequest,
  repairOpen,
  type UnfitSharing,
  unfitSharings,
} from "./open.ts"
export {
  checkParams,
  checkSharings,
  openingDigest,
  participantsOf,
  type RepairIdentity,
  type RepairParams,
  type RepairStep,
  repairParamsCodec,
  sharingsCodec,
  sharingsRoot,
} from "./params.ts"
export { repairSplit, splitRandomnessLength } from "./split.ts"
export {
  type RepairOpened,
  type RepairSplit,
  type RepairSummed,
  repairOpenedCodec,
  repairSplitCodec,
  repairSummedCodec,
} from "./state.ts"
export { repairSum, SUM_RANDOMNESS_LENGTH } from "./sum.ts"
export { type RepairedShare, type RepairVerdictInput, repairVerdict } from "./verdict.ts"
