import type { Identifier } from "@lockkeeper/crypto"
import { type Codec, equalBytes, list, struct } from "@lockkeeper/encoding"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import { type Statement, statementCodec, statementsCodec } from "../messages/statement.ts"
import { verifyOutcome } from "../reshare/certificate.ts"
import { checkVerdict, type Dealt, elementsOf } from "../reshare/checks.ts"
import { headDigest, type ReshareKeyHead, reshareKeyHeadCodec } from "../reshare/keys.ts"
import { type ReshareRunId, reshareRunIdCodec } from "../reshare/params.ts"
import { outcomeRoot, publicOutcome } from "../reshare/result.ts"
import { rootOf } from "../sharing/tree.ts"
import { authentic } from "./authentic.ts"
import { reshareRun } from "./reshare-statement.ts"
import { culprit, type Verdict, type VerifyKeys, worthless } from "./verdict.ts"

/**
 * A confirmation that signs something else than the outcome of the dealings its sender says it saw.
 * The echo in its header fixes those dealings, so no relay can have misled it.
 */
export interface ReshareConfirmationEvidence {
  readonly kind: "reshare-confirmation"
  readonly run: ReshareRunId
  /** The whole batch, but for the old shares' images. With `deals` empty if the signature is wrong. */
  readonly heads: readonly ReshareKeyHead[]
  readonly deals: ReadonlyMap<Identifier, Statement>
  readonly verdict: Statement
}

export const reshareConfirmationCodec: Codec<Omit<ReshareConfirmationEvidence, "kind">> = struct({
  run: reshareRunIdCodec,
  heads: list(reshareKeyHeadCodec, 0xff),
  deals: statementsCodec,
  verdict: statementCodec,
})

/** What all dealers dealt, or null unless each of this run signed a dealing of the right form. */
function dealingsOf(
  run: ReshareRunId,
  deals: ReadonlyMap<Identifier, Statement>,
  verifyKeys: VerifyKeys,
): Dealt[] | null {
  if (deals.size !== run.params.dealers.length) return null
  const dealings: Dealt[] = []
  for (const [sender, deal] of deals) {
    const found = authentic(reshareRun(run), "deal", deal, verifyKeys)
    if (!found.ok || found.message.header.sender !== sender) return null
    const dealt = elementsOf(run.params, deal.broadcast)
    if (!dealt.ok) return null
    dealings.push(dealt.payload)
  }
  return dealings
}

export function verifyReshareConfirmation(
  { run, heads, deals, verdict }: Omit<ReshareConfirmationEvidence, "kind">,
  verifyKeys: VerifyKeys,
): Verdict {
  const found = authentic(reshareRun(run), "verdict", verdict, verifyKeys)
  if (!found.ok) return found.verdict
  const { header } = found.message
  const checked = checkVerdict(run, found.message)
  if (!checked.ok || checked.payload.kind !== "confirm") return worthless("no confirmation")
  const { root, confirmation } = checked.payload
  const { rosterEpoch, groups, keys } = run.params
  const statement = { rosterEpoch, size: groups.length, root }
  if (!verifyOutcome(verifyKeys.get(header.sender)!, statement, confirmation)) {
    // One form only, so that the same proof is never two pieces of evidence.
    if (heads.length > 0 || deals.size > 0) return worthless("more than the verdict")
    return culprit(header.sender, "wrong-confirmation")
  }
  const listed = heads.length === groups.length && heads.every((h, i) => h.group === groups[i])
  if (!listed || !equalBytes(rootOf(heads.map(headDigest)), keys)) {
    return worthless("not the keys of the run")
  }
  const dealings = dealingsOf(run, deals, verifyKeys)
  if (!dealings) return worthless("the dealings are not those of the run")
  if (!equalBytes(header.previousDigest, echoDigest(digestsOf(deals)))) {
    return worthless("the sender saw other dealings")
  }
  const outcome = publicOutcome(run.params, heads, dealings)
  if (!outcome.ok) return worthless(outcome.abort.reason)
  if (equalBytes(outcomeRoot(outcome.value), root)) return worthless("the confirmation is right")
  return culprit(header.sender, "wrong-confirmation")
}
