import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import type { Evidence } from "../evidence/evidence.ts"
import { statementOf, statementsOf } from "../messages/statement.ts"
import { type Abort, abort, done, type Outcome } from "../outcome.ts"
import { verifyOutcome } from "./certificate.ts"
import { elementsOf } from "./checks.ts"
import type { Messages } from "./faults.ts"
import { headOf, type ReshareKey } from "./keys.ts"
import type { ReshareRunId } from "./params.ts"
import type { VerdictPayload } from "./payloads.ts"
import { outcomeRoot, publicOutcome } from "./result.ts"

/** What confirmations are judged by. */
export interface Confirming {
  readonly run: ReshareRunId
  readonly keys: readonly ReshareKey[]
  readonly deals: Messages
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

type Confirmed = ReadonlyMap<Identifier, { readonly root: Bytes; readonly confirmation: Bytes }>

/** The confirmations among the verdicts. */
export function confirmationsIn(verdicts: ReadonlyMap<Identifier, VerdictPayload>): Confirmed {
  const confirmed = new Map<Identifier, { root: Bytes; confirmation: Bytes }>()
  for (const [holder, verdict] of verdicts) {
    if (verdict.kind === "confirm") confirmed.set(holder, verdict)
  }
  return confirmed
}

/** The root that all confirm, or null when they differ: then somebody is wrong. */
function commonRoot(confirmed: Confirmed): Bytes | null {
  const [first, ...others] = [...confirmed.values()]
  if (!first) return null
  return others.every(({ root }) => equalBytes(root, first.root)) ? first.root : null
}

export interface Counted {
  readonly root: Bytes
  /** The right confirmations. */
  readonly confirmations: ReadonlyMap<Identifier, Bytes>
  /** Names whoever confirmed something else. */
  readonly fault: Abort | null
}

/**
 * Sorts confirmations into right and wrong ones. As long as all agree no outcome is computed: a quorum
 * of them has honest holders, and an honest one confirms the right outcome only. Where they differ
 * the outcome decides, and says who is wrong.
 */
export function countConfirmations(
  confirming: Confirming,
  verdicts: ReadonlyMap<Identifier, VerdictPayload>,
  messages: Messages,
): Outcome<Counted> {
  const { run, verifyKeys } = confirming
  const confirmed = confirmationsIn(verdicts)
  const common = commonRoot(confirmed)
  const root: Outcome<Bytes> = common ? done(common) : rootOfOutcome(confirming)
  if (!root.ok) return root
  const { rosterEpoch, groups } = run.params
  const confirmations = new Map<Identifier, Bytes>()
  const culprits: Identifier[] = []
  const evidence: Evidence[] = []
  for (const [holder, one] of confirmed) {
    const statement = { rosterEpoch, size: groups.length, root: one.root }
    const signed = verifyOutcome(verifyKeys.get(holder)!, statement, one.confirmation)
    if (signed && equalBytes(one.root, root.value)) {
      confirmations.set(holder, one.confirmation)
      continue
    }
    culprits.push(holder)
    const verdict = statementOf(messages.get(holder)!)
    evidence.push(evidenceOf(confirming, verdict, !signed))
  }
  const field = "confirmation"
  const blame = { culprits, evidence, field }
  const fault = culprits.length > 0 ? abort("wrong-confirmation", blame).abort : null
  return done({ root: root.value, confirmations, fault })
}

function evidenceOf(
  { run, keys, deals }: Confirming,
  verdict: ReturnType<typeof statementOf>,
  unsigned: boolean,
): Evidence {
  const kind = "reshare-confirmation" as const
  // A wrong signature is proven by the verdict alone.
  if (unsigned) return { kind, run, heads: [], deals: new Map(), verdict }
  return { kind, run, heads: keys.map(headOf), deals: statementsOf(deals), verdict }
}

/** The root of what the dealings add up to. @param deals - checked, elements and all. */
function rootOfOutcome({ run, keys, deals }: Confirming): Outcome<Bytes> {
  const dealings = []
  for (const { broadcast } of deals.values()) {
    const dealt = elementsOf(run.params, broadcast)
    if (!dealt.ok) return abort(dealt.reason, { field: dealt.field })
    dealings.push(dealt.payload)
  }
  const outcome = publicOutcome(run.params, keys.map(headOf), dealings)
  return outcome.ok ? done(outcomeRoot(outcome.value)) : outcome
}
