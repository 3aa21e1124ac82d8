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
  type EcdsaSigner,
  ecdsaNonce,
  ecdsaSign,
  type NonceInput,
  nonceIn,
} from "./online/sign.ts"
export { type PairSetup, pairSetupCodec } from "./ot/pair-setup.ts"
export { presignAnswer, presignInspect, presignTask } from "./presign/run.ts"
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
