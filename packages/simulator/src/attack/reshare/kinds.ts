import type { AbortReason } from "@lockkeeper/protocols"
import type { Kind } from "../harness.ts"
import { onlyFor } from "../kinds.ts"
import { BATCHES_HARMLESS, BATCHES_UNATTRIBUTABLE } from "../rounds/kinds.ts"

/** Of runs that every holder has to confirm. */
export const HARMLESS: readonly Kind[] = [
  ...BATCHES_HARMLESS,
  {
    why: "another blinding is as good: it hides nobody's commitments but its author's own",
    covers: ({ by, field }) => by === "sender" && field === "committed.blinding",
  },
]

/** Of runs in which a quorum does without one. */
export const HARMLESS_WITH_SPARE: readonly Kind[] = [
  ...HARMLESS,
  {
    why: "a quorum confirms without the holder whose message does not come; its share comes by repair",
    covers: ({ by, step, field, victim }) => {
      if (step !== "open" && step !== "verdict") return false
      if (by === "relay") return true
      if (by === "sender") return /^(header\.|message$)/.test(field)
      return victim !== "all" || field === "delivery"
    },
  },
  {
    why: "a certificate with fewer confirmations is one, as long as a quorum's are there",
    covers: ({ by, step, field, mutation }) =>
      by === "coordinator" &&
      (step === "activate" || step === "erase") &&
      field.startsWith("certificate.confirmations.") &&
      mutation === "missing",
  },
]

/** With which a certificate is refused. */
const NO_PROOF: ReadonlySet<AbortReason> = new Set<AbortReason>([
  "wrong-batch",
  "wrong-confirmation",
  "unexpected-confirmation",
  "missing-confirmation",
  "wrong-roster-epoch",
  "wrong-threshold",
  "wrong-participants",
  "wrong-key",
  "wrong-key-epoch",
])

export const UNATTRIBUTABLE: readonly Kind[] = [
  ...BATCHES_UNATTRIBUTABLE,
  {
    why: "a certificate of something else: whoever brings one can have altered or exchanged it",
    covers: ({ step, by, field }, verdicts) =>
      by === "coordinator" &&
      (step === "activate" || step === "erase") &&
      field.startsWith("certificate") &&
      onlyFor(verdicts, NO_PROOF),
  },
]
