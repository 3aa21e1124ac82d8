import { decodeRoster, earlierKeys, identityKeys } from "@lockkeeper/api"
import { type Identifier, sha256 } from "@lockkeeper/crypto"
import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import { decodeEvidence, rosterEpochOf, verifyEvidence } from "@lockkeeper/protocols"
import type { ServerSelf } from "../self.ts"

/** Evidence that holds under the roster in force. */
export interface Proof {
  readonly evidence: Bytes
  /** SHA-256 of it. */
  readonly digest: Bytes
  /** The culprit, or the two of which one is. */
  readonly servers: readonly Identifier[]
  readonly reason: string
}

export type Judgement =
  | { readonly valid: true; readonly proof: Proof }
  | { readonly valid: false; readonly why: string }

/** What encoded evidence proves to this server, from signed bytes and the rosters that it follows alone. */
export function judgeEvidence(
  { roster, rostersBefore }: Pick<ServerSelf, "roster" | "rostersBefore">,
  evidence: Bytes,
): Judgement {
  const before = rostersBefore.map((signed) => decodeRoster(signed.roster))
  const verdict = verifyEvidence(evidence, identityKeys(roster), earlierKeys(before, roster))
  if (!verdict.valid) return { valid: false, why: verdict.why }
  // Identity keys may outlive a roster; its operators knew of the evidence when they made the next.
  if (epochOf(evidence) !== roster.rosterEpoch) {
    return { valid: false, why: "it is about another roster" }
  }
  const servers = "pair" in verdict ? verdict.pair : [verdict.culprit]
  const { reason } = verdict
  return { valid: true, proof: { evidence, digest: sha256(evidence), servers, reason } }
}

function epochOf(evidence: Bytes): number | null {
  try {
    return rosterEpochOf(decodeEvidence(evidence))
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
