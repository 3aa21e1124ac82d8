import type { AbortReason } from "@lockkeeper/protocols"
import type { Kind } from "../harness.ts"
import { BY_RELAY, BY_SENDER } from "../kinds.ts"
import { COMPUTED_HARMLESS, COMPUTED_UNATTRIBUTABLE, stoppedFor } from "./kinds.ts"

/** Why an order is refused, and why a share for another order is no answer to this one. */
const ORDER_REASONS: readonly AbortReason[] = [
  "wrong-presignature",
  "wrong-key",
  "wrong-key-epoch",
  "wrong-digest",
  "wrong-child",
  "wrong-nonces",
  "too-few-signers",
  "wrong-participants",
  "not-a-participant",
  "malformed-header",
  "wrong-suite",
  "wrong-signature",
  "wrong-roster-epoch",
  "wrong-attempt",
  "wrong-session",
  "part-mismatch",
  "missing-messages",
]

export const ONLINE_UNATTRIBUTABLE: readonly Kind[] = [
  ...BY_RELAY,
  ...BY_SENDER,
  {
    why: "a coordinator asked for what cannot be signed, or its signers for different things",
    covers: ({ by }, verdicts) => by === "coordinator" && stoppedFor(verdicts, ORDER_REASONS),
  },
  {
    why: "a nonce that fits no order: whoever put the order together could have left it out",
    covers: ({ by, step, field }, verdicts) =>
      by === "sender" &&
      step === "nonce" &&
      /^(broadcast|header\.previousDigest)/.test(field) &&
      stoppedFor(verdicts, ["wrong-nonces"]),
  },
  ...COMPUTED_UNATTRIBUTABLE,
]

export const ONLINE_HARMLESS: readonly Kind[] = [
  {
    why: "another nonce is as good: whatever its bytes, they are fresh to everyone else",
    covers: ({ step, by, field }) =>
      step === "nonce" && by === "sender" && field === "header.sessionId",
  },
  {
    why: "where the signature verifies, nothing that the shares came with matters",
    covers: ({ step, by, field }) =>
      step === "share" &&
      by !== "coordinator" &&
      /^(header|signature|broadcast\.nonce)/.test(field),
  },
  {
    why: "signed the first time, and never again: what a presignature holds is wiped as it is used",
    covers: ({ step, mutation }) => step === "reuse" && mutation === "used twice",
  },
  ...COMPUTED_HARMLESS,
]
