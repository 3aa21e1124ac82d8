export {
  dklsMessageCodec,
  ecdsaOrderCodec,
  presignatureCertificateCodec,
  presignatureCodec,
  presignParamsCodec,
  setupParamsCodec,
} from "./codec.ts"
export { MAX_SIGNERS, maxBatch, STEP_RANDOMNESS } from "./limits.ts"
export { type CombineInput, ecdsaCombine } from "./online/combine.ts"
export {
  checkDigest,
  checkOrder,
  ecdsaNonce,
  type NonceInput,
  nonceIn,
  type OpenedOrder,
  type OrderContext,
} from "./online/order.ts"
export { type EcdsaSigner, ecdsaSign } from "./online/sign.ts"
export { type PairSetup, pairSetupCodec, wipePairSetup } from "./ot/index.ts"
export { presignAnswer } from "./presign/answer.ts"
export { presignInspect } from "./presign/inspect.ts"
export { presignTask } from "./presign/prepare.ts"
export { recordDigest, verifyPresignatureCertificate } from "./presign/record.ts"
export { setupAnswer, setupInspect, setupTask } from "./setup/run.ts"
export type {
  DklsIdentity,
  EcdsaOrder,
  EcdsaSignature,
  PairStatus,
  PartialSignature,
  PresignAnswer,
  Presignature,
  PresignatureCertificate,
  PresignatureRecord,
  PresignContext,
  PresignParams,
  PresignSecrets,
  PresignStep,
  SetupAnswer,
  SetupContext,
  SetupParams,
  SetupStep,
  SignerRecord,
} from "./types.ts"
export { work } from "./work.ts"
