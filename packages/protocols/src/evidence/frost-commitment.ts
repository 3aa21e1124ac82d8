import { type Codec, DecodeError, struct } from "@lockkeeper/encoding"
import { COMMITMENT_SLOT, decodeCommitment } from "../frost/commitment.ts"
import { type Message, messageCodec, openMessage } from "../messages/message.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/** A signed nonce commitment that is none: malformed, off the curve, of small order, the identity. */
export interface FrostCommitmentEvidence {
  readonly kind: "frost-commitment"
  readonly commitment: Message
}

export const frostCommitmentCodec: Codec<Omit<FrostCommitmentEvidence, "kind">> = struct({
  commitment: messageCodec,
})

export function verifyFrostCommitment(
  { commitment }: Omit<FrostCommitmentEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const opened = openMessage(commitment, verifyKeys, "some-parts")
  if (!opened.ok) return worthless(`commitment: ${opened.abort.reason}`)
  const { header, broadcast } = opened.value
  const { protocol, step } = COMMITMENT_SLOT
  if (header.protocol !== protocol || header.step !== step) {
    return worthless("commitment: the message belongs to another step")
  }
  try {
    if (decodeCommitment(broadcast) === null) {
      return worthless(
        "the commitment is for a key type that FROST does not sign for in this version",
      )
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return culprit(header.sender, "invalid-commitment")
  }
  return worthless("the commitment is valid")
}
