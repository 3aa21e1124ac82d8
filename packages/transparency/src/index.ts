export {
  type Checkpoint,
  type CheckpointFault,
  type Cosignature,
  cosignCheckpoint,
  formatCheckpoint,
  logKeyOf,
  type OpenedCheckpoint,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
  witnessKeyOf,
} from "./checkpoint.ts"
export {
  commitToLogBody,
  decodeLogBody,
  encodeLogBody,
  type LogBody,
  MAX_EVENT,
  MAX_LOG_BODY,
} from "./entry.ts"
export {
  type Equivocation,
  type EquivocationVerdict,
  equivocationCodec,
  verifyEquivocation,
} from "./equivocation.ts"
export { checkLog, type LogFault, type LogVerdict } from "./fsck.ts"
export { type LeavesReason, type LeavesVerdict, type LogLeaf, verifyLeaves } from "./leaves.ts"
export {
  EMPTY_FRONTIER,
  type Frontier,
  type Grown,
  grow,
  rootOf,
  type TileRoot,
} from "./merkle/frontier.ts"
export {
  frontierFrom,
  type NodeReader,
  proveConsistency,
  proveInclusion,
  rootFrom,
} from "./merkle/prove.ts"
export { EMPTY_ROOT, HASH_LENGTH, hashLeaf } from "./merkle/tree-hash.ts"
export {
  type ConsistencyVerdict,
  EMPTY_HEAD,
  type InclusionVerdict,
  type LogHead,
  MAX_PROOF,
  verifyConsistency,
  verifyInclusion,
} from "./merkle/verify.ts"
export {
  formatNote,
  formatSignatureLine,
  MAX_NOTE,
  type Note,
  type NoteSignature,
  parseNote,
  parseSignatureLines,
} from "./notes/note.ts"
export {
  formatNoteKey,
  type NoteKey,
  type NoteKeyType,
  noteKey,
  parseNoteKey,
  type Verified,
  verifyNote,
} from "./notes/note-key.ts"
export {
  type LoggedPosition,
  type Receipt,
  type ReceiptFault,
  type ReceiptTrust,
  type ReceiptVerdict,
  receiptCodec,
  verifyReceipt,
} from "./receipt.ts"
export { decodeEntryBundle, encodeEntryBundle, tileOfEntries } from "./tiles/entry-bundle.ts"
export {
  parseTilePath,
  placeIn,
  TILE_WIDTH,
  type TilePlace,
  tilePath,
} from "./tiles/layout.ts"
export { BadTile, nodesOf, type TileReader } from "./tiles/tile-nodes.ts"
export {
  type AddCheckpoint,
  formatAddCheckpoint,
  parseAddCheckpoint,
} from "./witness/add-checkpoint.ts"
export {
  decideAddCheckpoint,
  type WitnessAnswer,
  type WitnessRefusal,
  type WitnessView,
} from "./witness/decide.ts"
