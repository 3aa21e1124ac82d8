import {
  type Bytes,
  type Codec,
  DecodeError,
  decode,
  encode,
  struct,
  u8,
  union,
} from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"
import { type EarlierKeys, NO_EARLIER } from "./certified.ts"
import {
  type DkgComplaintEvidence,
  type DkgComplaintsEvidence,
  dkgComplaintCodec,
  dkgComplaintsCodec,
  verifyDkgComplaint,
  verifyDkgComplaints,
} from "./dkg-complaint.ts"
import {
  type DkgConfirmationEvidence,
  dkgConfirmationCodec,
  verifyDkgConfirmation,
} from "./dkg-confirmation.ts"
import {
  type DkgOpenEvidence,
  type DkgRevealEvidence,
  type DkgVerdictEvidence,
  dkgOpenEvidenceCodec,
  dkgRevealEvidenceCodec,
  dkgVerdictEvidenceCodec,
  verifyDkgOpen,
  verifyDkgReveal,
  verifyDkgVerdict,
} from "./dkg-statement.ts"
import {
  type DklsEdgeEvidence,
  type DklsEdgesEvidence,
  dklsEdgeCodec,
  dklsEdgesCodec,
  verifyDklsEdge,
  verifyDklsEdges,
} from "./dkls-edge.ts"
import {
  type DklsConfirmEvidence,
  type DklsExchangeEvidence,
  type DklsOpenEvidence,
  type DklsPublishEvidence,
  type DklsSaidEvidence,
  dklsConfirmCodec,
  dklsExchangeCodec,
  dklsOpenCodec,
  dklsPublishCodec,
  dklsSaidCodec,
  verifyDklsConfirm,
  verifyDklsExchange,
  verifyDklsOpen,
  verifyDklsPublish,
  verifyDklsSaid,
} from "./dkls-presign.ts"
import {
  type DklsSetupConfirmEvidence,
  type DklsSetupExchangeEvidence,
  type DklsSetupOpenEvidence,
  dklsSetupConfirmCodec,
  dklsSetupExchangeCodec,
  dklsSetupOpenCodec,
  verifyDklsSetupConfirm,
  verifyDklsSetupExchange,
  verifyDklsSetupOpen,
} from "./dkls-setup.ts"
import { type DklsShareEvidence, dklsShareCodec, verifyDklsShare } from "./dkls-share.ts"
import { type EquivocationEvidence, equivocationCodec, verifyEquivocation } from "./equivocation.ts"
import {
  type FrostCommitmentEvidence,
  frostCommitmentCodec,
  verifyFrostCommitment,
} from "./frost-commitment.ts"
import { type FrostShareEvidence, frostShareCodec, verifyFrostShare } from "./frost-share.ts"
import {
  type OpaqueEvaluationEvidence,
  opaqueEvaluationCodec,
  verifyOpaqueEvaluation,
} from "./opaque-evaluation.ts"
import {
  type RepairComplaintEvidence,
  repairComplaintCodec,
  verifyRepairComplaint,
} from "./repair-complaint.ts"
import {
  type RepairOpenEvidence,
  type RepairSaidEvidence,
  repairOpenCodec,
  repairSaidCodec,
  verifyRepairOpen,
  verifyRepairSaid,
} from "./repair-statement.ts"
import {
  type ReshareComplaintEvidence,
  type ReshareComplaintsEvidence,
  reshareComplaintCodec,
  reshareComplaintsCodec,
  verifyReshareComplaint,
  verifyReshareComplaints,
} from "./reshare-complaint.ts"
import {
  type ReshareConfirmationEvidence,
  reshareConfirmationCodec,
  verifyReshareConfirmation,
} from "./reshare-confirmation.ts"
import {
  type ReshareDealEvidence,
  type ReshareOpenEvidence,
  type ReshareVerdictEvidence,
  reshareDealCodec,
  reshareOpenCodec,
  reshareVerdictCodec,
  verifyReshareDeal,
  verifyReshareOpen,
  verifyReshareVerdict,
} from "./reshare-statement.ts"
import { type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** Everything that can prove a culprit, or that one of a pair is. Append only: the position of a kind is what is stored. */
export type Evidence =
  | EquivocationEvidence
  | DkgOpenEvidence
  | DkgRevealEvidence
  | DkgVerdictEvidence
  | DkgComplaintEvidence
  | DkgComplaintsEvidence
  | DkgConfirmationEvidence
  | FrostShareEvidence
  | FrostCommitmentEvidence
  | OpaqueEvaluationEvidence
  | DklsEdgeEvidence
  | DklsEdgesEvidence
  | DklsSetupOpenEvidence
  | DklsSetupExchangeEvidence
  | DklsSetupConfirmEvidence
  | DklsOpenEvidence
  | DklsSaidEvidence
  | DklsExchangeEvidence
  | DklsPublishEvidence
  | DklsConfirmEvidence
  | DklsShareEvidence
  | ReshareOpenEvidence
  | ReshareDealEvidence
  | ReshareVerdictEvidence
  | ReshareComplaintEvidence
  | ReshareComplaintsEvidence
  | ReshareConfirmationEvidence
  | RepairOpenEvidence
  | RepairSaidEvidence
  | RepairComplaintEvidence

const bodyCodec: Codec<Evidence> = union<Evidence>({
  equivocation: equivocationCodec,
  "dkg-open": dkgOpenEvidenceCodec,
  "dkg-reveal": dkgRevealEvidenceCodec,
  "dkg-verdict": dkgVerdictEvidenceCodec,
  "dkg-complaint": dkgComplaintCodec,
  "dkg-complaints": dkgComplaintsCodec,
  "dkg-confirmation": dkgConfirmationCodec,
  "frost-share": frostShareCodec,
  "frost-commitment": frostCommitmentCodec,
  "opaque-evaluation": opaqueEvaluationCodec,
  "dkls-edge": dklsEdgeCodec,
  "dkls-edges": dklsEdgesCodec,
  "dkls-setup-open": dklsSetupOpenCodec,
  "dkls-setup-exchange": dklsSetupExchangeCodec,
  "dkls-setup-confirm": dklsSetupConfirmCodec,
  "dkls-open": dklsOpenCodec,
  "dkls-said": dklsSaidCodec,
  "dkls-exchange": dklsExchangeCodec,
  "dkls-publish": dklsPublishCodec,
  "dkls-confirm": dklsConfirmCodec,
  "dkls-share": dklsShareCodec,
  "reshare-open": reshareOpenCodec,
  "reshare-deal": reshareDealCodec,
  "reshare-verdict": reshareVerdictCodec,
  "reshare-complaint": reshareComplaintCodec,
  "reshare-complaints": reshareComplaintsCodec,
  "reshare-confirmation": reshareConfirmationCodec,
  "repair-open": repairOpenCodec,
  "repair-said": repairSaidCodec,
  "repair-complaint": repairComplaintCodec,
})

const VERSION = 1

/** What an evidence file holds; `decodeEvidence` refuses other versions and sizes besides. */
export const evidenceCodec = struct<{ readonly version: number; readonly body: Evidence }>({
  version: u8,
  body: bodyCodec,
})

/** The bytes of an evidence file. @throws RangeError above `LIMITS.evidence` bytes. */
export function encodeEvidence(evidence: Evidence): Bytes {
  const encoded = encode(evidenceCodec, { version: VERSION, body: evidence })
  if (encoded.length > LIMITS.evidence) throw new RangeError("evidence above its size limit")
  return encoded
}

/** @throws DecodeError on anything but one piece of evidence of a known version and kind. */
export function decodeEvidence(encoded: Uint8Array): Evidence {
  if (encoded.length > LIMITS.evidence) {
    throw new DecodeError("evidence above its size limit", LIMITS.evidence)
  }
  const { version, body } = decode(evidenceCodec, encoded)
  if (version !== VERSION) throw new DecodeError("unknown version of evidence", 0)
  return body
}

/**
 * Re-checks evidence from its signed bytes with nothing but identity keys: who is at fault and why,
 * or why the evidence is worth nothing. Never throws on any input.
 *
 * @param verifyKeys - of the roster in whose epoch the run took place.
 * @param earlier - of rosters before it, by which keys that are older are judged.
 */
export function verifyEvidence(
  encoded: Uint8Array,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys = NO_EARLIER,
): Verdict {
  let evidence: Evidence
  try {
    evidence = decodeEvidence(encoded)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return worthless(error.message)
  }
  return judge(evidence, verifyKeys, earlier)
}

function judge(evidence: Evidence, verifyKeys: VerifyKeys, earlier: EarlierKeys): Verdict {
  switch (evidence.kind) {
    case "equivocation":
      return verifyEquivocation(evidence, verifyKeys)
    case "frost-share":
      return verifyFrostShare(evidence, verifyKeys, earlier)
    case "frost-commitment":
      return verifyFrostCommitment(evidence, verifyKeys)
    case "opaque-evaluation":
      return verifyOpaqueEvaluation(evidence, verifyKeys)
    case "dkg-open":
      return verifyDkgOpen(evidence, verifyKeys)
    case "dkg-reveal":
      return verifyDkgReveal(evidence, verifyKeys)
    case "dkg-verdict":
      return verifyDkgVerdict(evidence, verifyKeys)
    case "dkg-complaint":
      return verifyDkgComplaint(evidence, verifyKeys)
    case "dkg-complaints":
      return verifyDkgComplaints(evidence, verifyKeys)
    case "dkg-confirmation":
      return verifyDkgConfirmation(evidence, verifyKeys)
    case "dkls-edge":
      return verifyDklsEdge(evidence, verifyKeys)
    case "dkls-edges":
      return verifyDklsEdges(evidence, verifyKeys, earlier)
    case "dkls-setup-open":
      return verifyDklsSetupOpen(evidence, verifyKeys)
    case "dkls-setup-exchange":
      return verifyDklsSetupExchange(evidence, verifyKeys)
    case "dkls-setup-confirm":
      return verifyDklsSetupConfirm(evidence, verifyKeys)
    case "dkls-open":
      return verifyDklsOpen(evidence, verifyKeys)
    case "dkls-said":
      return verifyDklsSaid(evidence, verifyKeys)
    case "dkls-exchange":
      return verifyDklsExchange(evidence, verifyKeys, earlier)
    case "dkls-publish":
      return verifyDklsPublish(evidence, verifyKeys)
    case "dkls-confirm":
      return verifyDklsConfirm(evidence, verifyKeys)
    case "dkls-share":
      return verifyDklsShare(evidence, verifyKeys, earlier)
    case "reshare-open":
      return verifyReshareOpen(evidence, verifyKeys)
    case "reshare-deal":
      return verifyReshareDeal(evidence, verifyKeys)
    case "reshare-verdict":
      return verifyReshareVerdict(evidence, verifyKeys)
    case "reshare-complaint":
      return verifyReshareComplaint(evidence, verifyKeys)
    case "reshare-complaints":
      return verifyReshareComplaints(evidence, verifyKeys)
    case "reshare-confirmation":
      return verifyReshareConfirmation(evidence, verifyKeys)
    case "repair-open":
      return verifyRepairOpen(evidence, verifyKeys)
    case "repair-said":
      return verifyRepairSaid(evidence, verifyKeys)
    case "repair-complaint":
      return verifyRepairComplaint(evidence, verifyKeys)
  }
}
