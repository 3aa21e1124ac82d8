import type { AbortReason } from "@lockkeeper/protocols"
import type { Kind } from "../harness.ts"
import { BY_RELAY, BY_SENDER, HARMLESS_MESSAGES, IN_DISPUTE, onlyFor, REFUSALS } from "../kinds.ts"

// What refresh, reshare and repair have in common, which a coordinator asks for with a batch of keys.

/** With which a participant refuses what it is asked for. */
const NOT_THIS_RUN: ReadonlySet<AbortReason> = new Set<AbortReason>([
  "wrong-participants",
  "wrong-threshold",
  "wrong-batch",
  "wrong-key",
  "wrong-key-epoch",
  "wrong-roster-epoch",
  "inconsistent-key",
  "not-a-participant",
  // Of the coordinator itself, which then has no answers, or answers to another request.
  "missing-messages",
  "echo-mismatch",
  "wrong-attempt",
  "wrong-protocol",
])

export const BATCHES_UNATTRIBUTABLE: readonly Kind[] = [
  ...BY_RELAY,
  ...BY_SENDER,
  ...IN_DISPUTE,
  {
    why: "a coordinator asked for a run that cannot be, or for other keys than there are: it is refused",
    covers: ({ by, step, field }, verdicts) =>
      by === "coordinator" &&
      step === "open" &&
      /^(params|keys)/.test(field) &&
      onlyFor(verdicts, NOT_THIS_RUN),
  },
  {
    why: "a coordinator kept messages back, or brought some twice: who it was nobody sees",
    covers: ({ by, field }, verdicts) =>
      by === "coordinator" && field.startsWith("delivery") && onlyFor(verdicts, REFUSALS),
  },
]

export const BATCHES_HARMLESS: readonly Kind[] = [
  ...HARMLESS_MESSAGES,
  {
    why: "everyone was asked for another run, right by itself: whether it is due the roster says",
    covers: ({ by, step, victim, field }) =>
      by === "coordinator" && step === "open" && victim === "all" && /^(params|keys)/.test(field),
  },
]
