import type { Kind } from "../harness.ts"
import { BY_RELAY, BY_SENDER } from "../kinds.ts"

export const HARMLESS: readonly Kind[] = [
  {
    why: "another nonce is as good: whatever its bytes, they make the session new for their author",
    covers: ({ step, by, field }) =>
      step === "open" && by === "sender" && field === "header.sessionId",
  },
  {
    why: "the same message twice is one message",
    covers: ({ by, field, mutation }) =>
      by === "relay" && field === "message" && mutation === "duplicated",
  },
]

export const UNATTRIBUTABLE: readonly Kind[] = [
  ...BY_RELAY,
  ...BY_SENDER,
  {
    why: "an answer that passes over the complaint: the coordinator may not have shown it that one",
    covers: ({ step, by, field }, { aborts }) =>
      step === "answer" &&
      by === "sender" &&
      field.startsWith("broadcast.randomness") &&
      aborts.every(({ reason }) => reason === "missing-messages"),
  },
  {
    why: "a complaint that nobody answers: the coordinator may have dropped it or the answer",
    covers: ({ step, mutation }, { aborts }) =>
      step === "verdict" &&
      mutation === "false accusation, answer withheld" &&
      aborts.every(({ reason }) => reason === "missing-messages"),
  },
]
