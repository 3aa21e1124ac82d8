import { type Codec, struct } from "@lockkeeper/encoding"
import { ecdsaOrderCodec, presignatureCertificateCodec } from "../dkls/codec.ts"
import { judgeShare } from "../dkls/online/combine.ts"
import { checkOrder, randomise, unfitFor } from "../dkls/online/order.ts"
import { recordDigest, verifyPresignatureCertificate } from "../dkls/presign/record.ts"
import type { EcdsaOrder, PresignatureCertificate } from "../dkls/types.ts"
import { type KeyCertificate, keyCertificateCodec } from "../keys.ts"
import { type Message, messageCodec, openMessage } from "../messages/message.ts"
import { certifiedKey, type EarlierKeys } from "./certified.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/**
 * An online share that does not fit what its signer had confirmed of the presignature, for the order
 * that it signed it for.
 */
export interface DklsShareEvidence {
  readonly kind: "dkls-share"
  readonly keyCertificate: KeyCertificate
  readonly certificate: PresignatureCertificate
  readonly order: EcdsaOrder
  readonly share: Message
}

export const dklsShareCodec: Codec<Omit<DklsShareEvidence, "kind">> = struct({
  keyCertificate: keyCertificateCodec,
  certificate: presignatureCertificateCodec,
  order: ecdsaOrderCodec,
  share: messageCodec,
})

/** Only the order that the share names counts, so nobody can be blamed with another one. */
export function verifyDklsShare(
  evidence: Omit<DklsShareEvidence, "kind">,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys,
): Verdict {
  const { keyCertificate, certificate, order, share } = evidence
  const certified = certifiedKey(keyCertificate, verifyKeys, earlier)
  if (!certified.ok) return worthless(`key: ${certified.abort.reason}`)
  const confirmed = verifyPresignatureCertificate(certificate, verifyKeys)
  if (!confirmed.ok) return worthless(`presignature: ${confirmed.abort.reason}`)
  const opened = checkOrder(order, { public: certified.value, verifyKeys })
  if (!opened.ok) return worthless(`order: ${opened.abort.reason}`)
  const record = confirmed.value
  const fit = unfitFor(opened.value, recordDigest(record), record, certified.value)
  if (!fit.ok) return worthless(`order: ${fit.abort.reason}`)
  const randomised = randomise(opened.value, record.nonce)
  const received = openMessage(share, verifyKeys, "all-parts")
  if (!received.ok) return worthless(`share: ${received.abort.reason}`)
  const { sender } = received.value.header
  const judging = { ...evidence, verifyKeys, opened: opened.value, randomised }
  const verdict = judgeShare(judging, sender, share)
  if (verdict === null) return worthless("the share is good")
  if (verdict !== "invalid-partial-signature") return worthless(`share: ${verdict}`)
  return culprit(sender, verdict)
}
