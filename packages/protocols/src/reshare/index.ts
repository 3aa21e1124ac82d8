export { type ResharedShare, reshareActivate } from "./activate.ts"
export { reshareAnswer } from "./answer.ts"
export {
  type BatchCertificate,
  batchCertificateCodec,
  batchOf,
  certificatesOf,
  confirmOutcome,
  mayErase,
  type ReshareCertificate,
  type RosterView,
  reshareCertificateCodec,
  verifyReshareCertificate,
} from "./certificate.ts"
export {
  type Delivery,
  type ReshareResponse,
  type ReshareTask,
  type ReshareWaiting,
  reshareAdvance,
  reshareCoordinate,
} from "./coordinator.ts"
export { dealRandomnessLength, type Resharable, reshareDeal } from "./deal.ts"
export { certificatesFor, holderSealingKey } from "./joiner.ts"
export {
  checkKeys,
  type KnownSharing,
  keysRoot,
  type ReshareKey,
  reshareKeysCodec,
  type UnfitKey,
  unfitKeys,
} from "./keys.ts"
export { maxKeys } from "./limits.ts"
export { nextAttempt, type ReshareAttempt } from "./next-attempt.ts"
export { OPEN_RANDOMNESS_LENGTH, type ReshareRequest, reshareOpen } from "./open.ts"
export {
  checkParams,
  isDealer,
  isHolder,
  openingDigest,
  participantsOf,
  type ReshareIdentity,
  type ReshareParams,
  type ReshareRunId,
  type ReshareStep,
  reshareParamsCodec,
} from "./params.ts"
export { quorumOf } from "./quorum.ts"
export {
  type ReshareDealt,
  type Reshared,
  type ReshareJudged,
  type ReshareOpened,
  reshareDealtCodec,
  reshareJudgedCodec,
  reshareOpenedCodec,
} from "./state.ts"
export { reshareVerdict, type VerdictInput } from "./verdict.ts"
