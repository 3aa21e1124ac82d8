import { DecodeError, decode } from "@lockkeeper/encoding"
import { headerCodec, type SignedHeader } from "../messages/header.ts"
import type { Evidence } from "./evidence.ts"

/**
 * The rosterEpoch of the run that evidence is about, or null where its message is malformed. Identity
 * keys may outlive a roster, so that evidence of an earlier one still verifies; what follows from it is
 * another matter. Of evidence that verifies, the culprit has signed this number.
 */
export function rosterEpochOf(evidence: Evidence): number | null {
  switch (evidence.kind) {
    case "equivocation":
      return epochIn(evidence.first)
    case "frost-share":
    case "dkls-share":
      return epochIn(evidence.share.header)
    case "frost-commitment":
      return epochIn(evidence.commitment.header)
    case "opaque-evaluation":
      return evidence.statement.rosterEpoch
    case "dkg-open":
    case "dkls-setup-open":
    case "dkls-setup-exchange":
    case "dkls-setup-confirm":
    case "dkls-open":
    case "reshare-open":
    case "repair-open":
      return evidence.params.rosterEpoch
    case "dkg-reveal":
    case "dkg-verdict":
    case "dkg-complaint":
    case "dkg-complaints":
    case "dkg-confirmation":
    case "dkls-said":
    case "dkls-exchange":
    case "dkls-publish":
    case "dkls-confirm":
    case "reshare-deal":
    case "reshare-verdict":
    case "reshare-complaint":
    case "reshare-complaints":
    case "reshare-confirmation":
    case "repair-said":
    case "repair-complaint":
      return evidence.run.params.rosterEpoch
    case "dkls-edge":
      return evidence.edge.run.params.rosterEpoch
    case "dkls-edges":
      return evidence.edges[0]?.run.params.rosterEpoch ?? null
  }
}

function epochIn({ bytes }: SignedHeader): number | null {
  try {
    return decode(headerCodec, bytes).rosterEpoch
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
