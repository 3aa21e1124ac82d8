/** What steps are made of, for tools that play a dishonest participant; no program needs it. */
export { ecdsaOrderCodec, presignatureCertificateCodec } from "./codec.ts"
export { type Framed, framedCodec } from "./frame.ts"
export type { DklsStepCodecs } from "./payload-codecs.ts"
export { onlineStepCodecs, presignStepCodecs, setupStepCodecs } from "./payload-codecs.ts"
export { type PresignRun, presignSession, presignSlot } from "./presign/params.ts"
export { type SaidPayload, saidPayloadCodec, sealedPayloadCodec } from "./presign/payloads.ts"
export { openPart, type SealingPlace, sealPart } from "./presign/sealing.ts"
export { type PresignTrail, presignStateCodec, presignTrailCodec } from "./presign/state.ts"
export {
  exchangedSecretCodec,
  openedSecretCodec,
  type PresignResult,
  type PresignTask,
  presignResultCodec,
  presignTaskCodec,
  publishedSecretCodec,
} from "./presign/task.ts"
export { setupSlot } from "./setup/params.ts"
export {
  exchangedSetupCodec,
  pairSetupsCodec,
  type SetupResult,
  type SetupTask,
  setupResultCodec,
  setupStateCodec,
  setupTaskCodec,
  setupTrailCodec,
} from "./setup/task.ts"
