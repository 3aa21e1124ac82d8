export {
  type AggregateInput,
  aggregate,
  publicKeyOf,
  verify,
  verifyShare,
} from "./aggregate.ts"
export { type CommitInput, commit, type NonceState, nonceStateCodec } from "./commitment.ts"
export {
  commitmentIdIn,
  MAX_MESSAGE_LENGTH,
  type OpenedCommitment,
  type OpenedPackage,
  openCommitment,
  openPackage,
  preparePackage,
  type SigningOrder,
  type SigningPackage,
  signersIn,
  signingPackageCodec,
  signingPackageDigest,
} from "./package.ts"
export {
  type Attempt,
  maxAttempts,
  type RoastEvent,
  type RoastState,
  type RoastStep,
  roastNext,
  roastObserve,
  roastStart,
  type SignerRule,
} from "./roast.ts"
export { type Approved, type SignInput, sign } from "./sign.ts"
export { NO_TWEAK, type Tweak, tweakCodec } from "./taproot.ts"
