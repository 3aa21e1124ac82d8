import type { Element, Identifier } from "@lockkeeper/crypto"
import { type Codec, equalBytes, struct } from "@lockkeeper/encoding"
import { checkVerdict } from "../dkg/checks.ts"
import {
  type DkgRunId,
  dkgRunIdCodec,
  everyoneIn,
  groupFor,
  termsOf,
  verifyKeysIn,
} from "../dkg/params.ts"
import { decodeOrNull, revealPayloadCodec } from "../dkg/payloads.ts"
import { publicResult } from "../dkg/result.ts"
import { verifyConfirmation } from "../keys.ts"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Statement, statementCodec, statementsCodec } from "../messages/statement.ts"
import { authentic } from "./authentic.ts"
import { dkgRun } from "./dkg-statement.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/**
 * A confirmation that signs something else than the outcome of the reveals its sender says it saw.
 * The echo in its header fixes those reveals, so no relay can have misled it.
 */
export interface DkgConfirmationEvidence {
  readonly kind: "dkg-confirmation"
  readonly run: DkgRunId
  readonly reveals: ReadonlyMap<Identifier, Statement>
  readonly verdict: Statement
}

export const dkgConfirmationCodec: Codec<Omit<DkgConfirmationEvidence, "kind">> = struct({
  run: dkgRunIdCodec,
  reveals: statementsCodec,
  verdict: statementCodec,
})

/** The revealed vectors, or null unless everyone of this run signed one of the right length. */
function vectorsOf(
  run: DkgRunId,
  reveals: ReadonlyMap<Identifier, Statement>,
  servers: VerifyKeys,
): Map<Identifier, readonly Element[]> | null {
  const codec = revealPayloadCodec(groupFor(run.params))
  const verifyKeys = verifyKeysIn(run.params, servers)
  const vectors = new Map<Identifier, readonly Element[]>()
  const everyone = everyoneIn(run.params)
  if (reveals.size !== everyone.length || everyone.some((id) => !reveals.has(id))) return null
  for (const [sender, reveal] of reveals) {
    const found = authentic(dkgRun(run), "reveal", reveal, verifyKeys)
    if (!found.ok || found.message.header.sender !== sender) return null
    const payload = decodeOrNull(codec, reveal.broadcast)
    if (payload?.vector.length !== termsOf(run.params, sender)) return null
    vectors.set(sender, payload.vector)
  }
  return vectors
}

export function verifyDkgConfirmation(
  { run, reveals, verdict }: Omit<DkgConfirmationEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authentic(dkgRun(run), "verdict", verdict, verifyKeys)
  if (!found.ok) return found.verdict
  const { header } = found.message
  const checked = checkVerdict(run.params, found.message)
  if (!checked.ok || checked.payload.kind !== "confirm") return worthless("no confirmation")
  const vectors = vectorsOf(run, reveals, verifyKeys)
  if (!vectors) return worthless("the reveals are not those of the run")
  if (!equalBytes(header.previousDigest, echoDigest(digestsOf(reveals)))) {
    return worthless("the sender saw other reveals")
  }
  const result = publicResult(run.params, vectors)
  if (!result.ok) return worthless(result.abort.reason)
  const verifyKey = verifyKeys.get(header.sender)!
  if (verifyConfirmation(header.sender, verifyKey, result.value, checked.payload.confirmation)) {
    return worthless("the confirmation is right")
  }
  return culprit(header.sender, "wrong-confirmation")
}
