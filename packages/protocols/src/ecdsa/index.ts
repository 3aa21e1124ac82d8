export { decodeDer, encodeDer } from "./der.ts"
export {
  digestScalar,
  type EcdsaSignature,
  ecdsaSignatureCodec,
  isLowS,
  type RecoverableSignature,
  recoverableSignatureCodec,
  recoveryOf,
  rOf,
  withLowS,
} from "./signature.ts"
export { recoverKey, verifyEcdsa } from "./verify.ts"
