import type { KeyCertificate, KeyPackage } from "../keys.ts"
import { digestsOf, echoDigest } from "../messages/echo.ts"
import type { Message } from "../messages/message.ts"
import { collectRound } from "../messages/round.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { checkConfirmations, checkVerdicts } from "./faults.ts"
import { type DkgIdentity, othersThan, roundOf, runSession, verifyKeysIn } from "./params.ts"
import type { DkgJudged } from "./state.ts"

/**
 * The last step: with everyone's confirmation of the same public package the key is active. Without
 * all of them it never is, so a participant that was left out or misled leaves no half a key behind.
 *
 * @param messages - the step 3 message of every other participant.
 */
export function dkgActivate(
  state: DkgJudged,
  messages: readonly Message[],
  { verifyKeys }: Pick<DkgIdentity, "verifyKeys">,
): Outcome<{ readonly key: KeyPackage; readonly certificate: KeyCertificate }> {
  const { params, identifier, opens, reveals, pending } = state
  const run = { params, openings: digestsOf(opens) }
  const keys = verifyKeysIn(params, verifyKeys)
  const collected = collectRound(
    roundOf(params, "verdict", runSession(run), {
      senders: othersThan(params, identifier),
      verifyKeys: keys,
      previousDigest: echoDigest(digestsOf(reveals)),
      reader: identifier,
    }),
    messages,
  )
  if (!collected.ok) return collected
  const checked = checkVerdicts(run, collected.value)
  if (!checked.ok) return checked
  const complained = [...checked.value.values()].some(({ kind }) => kind === "complain")
  if (!pending || complained) return abort("complaint-pending")
  const result = pending.public
  const confirmed = checkConfirmations(
    { run, reveals, result, verifyKeys: keys },
    collected.value,
    checked.value,
  )
  if (!confirmed.ok) return confirmed
  const confirmations = new Map([...confirmed.value, [identifier, pending.confirmation]])
  const key = { identifier, signingShare: pending.signingShare, public: result }
  return done({ key, certificate: { public: result, confirmations } })
}
