export {
  appendLeaf,
  EMPTY_HEAD,
  type LeavesReason,
  type LeavesVerdict,
  type LogHead,
  type LogLeaf,
  verifyLeaves,
} from "./chain.ts"
export {
  type Checkpoint,
  compareCheckpoints,
  type SignedCheckpoint,
  signCheckpoint,
  signedCheckpointCodec,
  verifyCheckpoint,
  type WitnessVerdict,
} from "./checkpoint.ts"
export {
  commitToLogBody,
  decodeLogBody,
  encodeLogBody,
  type LogBody,
  MAX_EVENT,
} from "./entry.ts"
