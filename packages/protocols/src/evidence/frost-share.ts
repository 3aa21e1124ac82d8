import { type Codec, DecodeError, decode, struct } from "@lockkeeper/encoding"
import { verifyShare } from "../frost/aggregate.ts"
import { openPackage, type SigningPackage, signingPackageCodec } from "../frost/package.ts"
import { type KeyCertificate, keyCertificateCodec } from "../keys.ts"
import { headerCodec } from "../messages/header.ts"
import { type Message, messageCodec } from "../messages/message.ts"
import { certifiedKey, type EarlierKeys, hasConfirmed } from "./certified.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/**
 * A signature share that does not satisfy the share equation of the package its sender signed it
 * for. The certificate shows that the sender had confirmed the public share it is measured with.
 */
export interface FrostShareEvidence {
  readonly kind: "frost-share"
  readonly certificate: KeyCertificate
  readonly package: SigningPackage
  readonly share: Message
}

export const frostShareCodec: Codec<Omit<FrostShareEvidence, "kind">> = struct({
  certificate: keyCertificateCodec,
  package: signingPackageCodec,
  share: messageCodec,
})

/**
 * Only the package that the share names counts, so an honest signer cannot be blamed with another
 * one: it refuses a package in which its own commitment is not the one it made for it.
 */
export function verifyFrostShare(
  evidence: Omit<FrostShareEvidence, "kind">,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys,
): Verdict {
  const { certificate, package: pkg, share } = evidence
  const certified = certifiedKey(certificate, verifyKeys, earlier)
  if (!certified.ok) return worthless(`certificate: ${certified.abort.reason}`)
  const sender = senderOf(share)
  if (sender === null) return worthless("share: malformed-header")
  if (!hasConfirmed(certificate, sender, verifyKeys, earlier)) {
    return worthless("certificate: not the sender's")
  }
  const opened = openPackage(pkg, { public: certified.value, verifyKeys })
  if (!opened.ok) return worthless(`package: ${opened.abort.reason}`)
  const judged = verifyShare({ opened: opened.value, certificate, verifyKeys }, sender, share)
  if (judged.ok) return worthless("the share is good")
  const { reason } = judged.abort
  if (reason !== "invalid-signature-share") return worthless(`share: ${reason}`)
  return culprit(sender, reason)
}

function senderOf(message: Message): number | null {
  try {
    return decode(headerCodec, message.header.bytes).sender
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
