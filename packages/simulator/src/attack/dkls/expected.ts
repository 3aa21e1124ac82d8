import { type AbortReason, decodeEvidence } from "@lockkeeper/protocols"
import type { Case, CaseResult, Outcome } from "../harness.ts"

/** How a case has to end: nothing that can be proven of one may end as less. */
export interface Expected {
  readonly outcome: Outcome
  readonly reason: AbortReason | null
  /** The step at which a pair is accused: before anything is done that the fault could harm. */
  readonly step?: number
}

const culprit = (reason: AbortReason): Expected => ({ outcome: "culprit", reason })
const unattributable = (reason: AbortReason): Expected => ({ outcome: "unattributable", reason })
const HARMLESS: Expected = { outcome: "harmless", reason: null }
const PAIR: Expected = { outcome: "pair", reason: "pairwise-fault" }
const PAIR_AT = (step: number): Expected => ({ ...PAIR, step })

/**
 * What becomes of a well-formed other value in each field that is sent, for everyone or for one. What
 * is not well-formed names its sender wherever everyone can read it.
 */
const ROWS: Readonly<Record<string, Expected>> = {
  "setup open broadcast.params": unattributable("wrong-session"),
  "setup open broadcast.ephemeral": PAIR,
  "setup open statuses": HARMLESS,
  "setup exchange part.receiver": PAIR,
  "setup exchange part.sender": PAIR,
  "setup exchange parts": culprit("wrong-recipients"),
  "setup confirm broadcast.outcome": culprit("wrong-confirmation"),
  "presign open broadcast.params": unattributable("wrong-session"),
  "presign open broadcast.key": unattributable("wrong-key"),
  "presign open broadcast.commitment": culprit("wrong-opening"),
  "presign open broadcast.setups": unattributable("wrong-setup"),
  "presign open broadcast.ephemeral": PAIR_AT(3),
  "presign open part": PAIR_AT(2),
  "presign open part.columns": PAIR_AT(2),
  "presign open part.combined": PAIR_AT(2),
  "presign open part.rows": PAIR_AT(2),
  "presign open parts": culprit("wrong-recipients"),
  "presign exchange broadcast.digest.digest": PAIR_AT(3),
  "presign exchange payload.blinding": culprit("wrong-opening"),
  "presign exchange payload.nonces": culprit("wrong-opening"),
  "presign exchange payload.zeros": culprit("wrong-opening"),
  "presign exchange payload.keyShare": culprit("wrong-key-share"),
  "presign exchange payload.products.gammaU": PAIR_AT(3),
  "presign exchange payload.products.gammaV": PAIR_AT(3),
  "presign exchange payload.products.psi": culprit("wrong-presignature-share"),
  "presign exchange part": PAIR_AT(3),
  "presign exchange parts": culprit("wrong-recipients"),
  "presign exchange product": PAIR_AT(3),
  "presign exchange product.corrections": PAIR_AT(3),
  "presign exchange product.combined": PAIR_AT(3),
  "presign exchange product.salt": PAIR_AT(3),
  "presign exchange product.check": PAIR_AT(3),
  "presign exchange opened": PAIR_AT(3),
  "presign exchange opened.payload": PAIR_AT(3),
  "presign exchange opened.product": PAIR_AT(3),
  "presign publish broadcast.digest.digest": PAIR_AT(4),
  "presign publish payload.phi": culprit("wrong-proof"),
  "presign publish payload.u": culprit("wrong-proof"),
  "presign publish payload.v": culprit("wrong-proof"),
  "presign publish payload.phiNonce": culprit("wrong-proof"),
  "presign publish payload.phiKey": culprit("wrong-proof"),
  "presign publish payload.possessionU.challenge": culprit("wrong-proof"),
  "presign publish payload.possessionU.response": culprit("wrong-proof"),
  "presign publish payload.possessionV.challenge": culprit("wrong-proof"),
  "presign publish payload.possessionV.response": culprit("wrong-proof"),
  "presign publish payload.samePhi.challenge": culprit("wrong-proof"),
  "presign publish payload.samePhi.response": culprit("wrong-proof"),
  "presign publish part": PAIR_AT(4),
  "presign publish parts": culprit("wrong-recipients"),
  "presign publish opened": PAIR_AT(4),
  "presign publish opened.payload": PAIR_AT(4),
  "presign publish opened.product": PAIR_AT(4),
  "presign confirm broadcast.confirm.signature": culprit("wrong-confirmation"),
  "sign nonce broadcast.keyId": unattributable("wrong-nonces"),
  "sign nonce broadcast.keyEpoch": unattributable("wrong-nonces"),
  "sign nonce broadcast": unattributable("wrong-nonces"),
  "sign share broadcast.nonce": HARMLESS,
  "sign share broadcast.u": culprit("invalid-partial-signature"),
  "sign share broadcast.w": culprit("invalid-partial-signature"),
  "sign share broadcast": culprit("invalid-partial-signature"),
}

/** A part of a setup that is longer than its evidence may be. */
const TOO_LONG = "setup exchange part"

/** Which row a case belongs to; null for what is not about a field that its sender has sent. */
export function rowOf({ protocol, step, field, by }: Case): string | null {
  if (by !== "sender" || !/^(broadcast|payload|part|parts|product|opened|statuses)\b/.test(field)) {
    return null
  }
  const path = field.replaceAll(/#\d+|\.\d+( to \d+)?/g, "").replace(/\.$/, "")
  return `${protocol.replace(/^dkls-(\w+).*/, "$1")} ${step} ${path}`
}

/** Rows in which everything is well-formed or nothing: each case is about one of these or malformed. */
export const EXPECTED_ROWS: readonly string[] = Object.keys(ROWS)

/** Accusations that are signed as they should be: of an honest server, however often. */
const FALSE_ACCUSATION = /^(false, of \d+|of one, three times)$/

/** How whole messages have to end; null where their relay may have caused what is seen. */
function wholeOutcome({ field, mutation }: Case): Outcome | null {
  if (field === "message") return mutation.startsWith("equivocation") ? "culprit" : null
  if (field !== "accusation") return null
  return FALSE_ACCUSATION.test(mutation) ? "pair" : "culprit"
}

/** What is wrong with how a case has ended, or null. */
export function problemOf(result: CaseResult): string | null {
  const { outcome, reason } = result
  const whole = wholeOutcome(result)
  if (whole !== null && outcome !== whole) return `${outcome} (${reason}), not ${whole}`
  const row = rowOf(result)
  if (row === null) return null
  const malformed = reason === "malformed-payload" || reason === "invalid-partial-signature"
  const isProven = outcome === "culprit" && malformed
  if (isProven || (row === TOO_LONG && reason === "malformed-payload")) return null
  const expected = ROWS[row]
  if (!expected) return `${row}: nothing says how that ends, as ${outcome} (${reason})`
  const late = expected.step !== undefined && stepsOf(result).some((at) => at !== expected.step)
  if (late) return `${row}: accused at step ${stepsOf(result)}, not ${expected.step}`
  if (outcome === expected.outcome && reason === expected.reason) return null
  return `${row}: ${outcome} (${reason}), not ${expected.outcome} (${expected.reason})`
}

/** At which steps the accusations were made that a case gave. */
function stepsOf({ evidence }: CaseResult): number[] {
  return evidence.map(decodeEvidence).flatMap((item) => {
    if (item.kind !== "dkls-edge" || item.edge.kind !== "accusation") return []
    return [item.edge.step]
  })
}
