import type { Kind } from "../harness.ts"
import { BY_RELAY, BY_SENDER, HARMLESS_MESSAGES, IN_DISPUTE } from "../kinds.ts"

export const HARMLESS: readonly Kind[] = HARMLESS_MESSAGES

/** Of a device, which gets no shares. */
export const HARMLESS_OF_DEVICES: readonly Kind[] = [
  ...HARMLESS,
  {
    why: "the sealing key of a device, to which nothing is sealed",
    covers: ({ step, by, field }) =>
      step === "open" && by === "sender" && field === "broadcast.sealingKey",
  },
]

export const UNATTRIBUTABLE: readonly Kind[] = [...BY_RELAY, ...BY_SENDER, ...IN_DISPUTE]
