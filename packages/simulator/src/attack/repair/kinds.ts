import type { Kind } from "../harness.ts"
import { BATCHES_HARMLESS, BATCHES_UNATTRIBUTABLE } from "../rounds/kinds.ts"

export const HARMLESS: readonly Kind[] = BATCHES_HARMLESS

export const UNATTRIBUTABLE: readonly Kind[] = [
  ...BATCHES_UNATTRIBUTABLE,
  {
    // The last helper publishes no image: what it made up is in the summand that it keeps itself.
    why: "fell silent, since it could not go on from what it had made up: silence is not guilt",
    covers: ({ by, step, field }, { aborts }) =>
      by === "sender" &&
      step === "split" &&
      field.startsWith("held.") &&
      aborts.every(({ reason }) => reason === "missing-messages"),
  },
]
