export { digestsOf, echoDigest, type HeaderDigests, headerDigestsCodec } from "./echo.ts"
export {
  BROADCAST,
  type Header,
  headerCodec,
  headerDigest,
  NO_PREVIOUS,
  openHeader,
  PROTOCOLS,
  type Protocol,
  type SignedHeader,
  type Slot,
  SUITE,
  signedHeaderCodec,
  signHeader,
  slotMismatch,
} from "./header.ts"
export { LIMITS } from "./limits.ts"
export {
  type Draft,
  deliver,
  type Message,
  messageCodec,
  openMessage,
  partDigest,
  type Reader,
  type Received,
  signMessage,
} from "./message.ts"
export { type Collected, collectAvailable, collectRound, openInRound, type Round } from "./round.ts"
export {
  type Opened,
  openFirst,
  openNext,
  type Reopened,
  reopenFirst,
  type Sealed,
  type SealedChannel,
  type SealedPlace,
  sealFirst,
  sealNext,
} from "./sealing.ts"
export {
  type Signer,
  signatureCodec,
  signBytes,
  signLabelled,
  verifyBytes,
  verifyLabelled,
} from "./signature.ts"
export {
  openStatement,
  type Statement,
  statementCodec,
  statementOf,
  statementsCodec,
  statementsOf,
} from "./statement.ts"
