export {
  type ChildKey,
  chainCodeOf,
  deriveChild,
  extendedPublicKeyBytes,
} from "./child-keys.ts"
export {
  assertChildPath,
  type ChildPath,
  type ChildPathProblem,
  childPathCodec,
  childPathProblem,
  equalPaths,
  formatChildPath,
  MAX_PATH_DEPTH,
  NO_PATH,
  type ParsedChildPath,
  parseChildPath,
} from "./child-path.ts"
export * as dkg from "./dkg/index.ts"
export * as dkls from "./dkls/index.ts"
export * as ecdsa from "./ecdsa/index.ts"
export { type EquivocationEvidence, equivocationOf } from "./evidence/equivocation.ts"
export {
  decodeEvidence,
  type Evidence,
  encodeEvidence,
  verifyEvidence,
} from "./evidence/evidence.ts"
export type { FrostCommitmentEvidence } from "./evidence/frost-commitment.ts"
export type { FrostShareEvidence } from "./evidence/frost-share.ts"
export type { OpaqueEvaluationEvidence } from "./evidence/opaque-evaluation.ts"
export { rosterEpochOf } from "./evidence/roster-epoch.ts"
export type { Verdict, VerifyKeys } from "./evidence/verdict.ts"
export * as frost from "./frost/index.ts"
export { groupOf, KEY_TYPES, type KeyType, keyTypeCodec } from "./key-types.ts"
export {
  type AdditiveShare,
  confirmAddition,
  confirmationsOfHolders,
  confirmKey,
  holdersOf,
  type KeyCertificate,
  type KeyPackage,
  keyCertificateCodec,
  keyPackageCodec,
  type PublicKeyPackage,
  publicKeyPackageCodec,
  secretCodec,
  verifyConfirmation,
  verifyKeyCertificate,
  verifyKeysFor,
} from "./keys.ts"
export * from "./messages/index.ts"
export * as opaque from "./opaque/index.ts"
export {
  ABORT_REASONS,
  type Abort,
  type AbortReason,
  abort,
  type Blame,
  done,
  type Outcome,
} from "./outcome.ts"
export * as repair from "./repair/index.ts"
export * as reshare from "./reshare/index.ts"
export * as sharing from "./sharing/index.ts"
