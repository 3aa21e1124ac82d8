import type { AbortReason } from "@lockkeeper/protocols"
import type { Case, Kind, Verdicts } from "./harness.ts"

// What every protocol of signed messages has in common. A kind names by whom, in which field and
// with which reasons, so that nothing slips in that its reason does not explain.

/** With which a message is refused that is not what or where its header says. */
export const REFUSALS: ReadonlySet<AbortReason> = new Set<AbortReason>([
  "malformed-header",
  "wrong-suite",
  "wrong-protocol",
  "wrong-step",
  "wrong-attempt",
  "wrong-session",
  "wrong-roster-epoch",
  "unknown-sender",
  "wrong-signature",
  "part-mismatch",
  "missing-part",
  "unexpected-part",
  "duplicate-sender",
  "missing-messages",
  "echo-mismatch",
])

/** Whether everyone who stopped did so for one of these reasons, and somebody did. */
export const onlyFor = ({ aborts }: Verdicts, reasons: ReadonlySet<AbortReason>): boolean =>
  aborts.length > 0 && aborts.every(({ reason }) => reasons.has(reason))

const refusedAsMessage = (verdicts: Verdicts): boolean => onlyFor(verdicts, REFUSALS)

const PLACE = ["suite", "protocol", "step", "attempt", "sessionId", "rosterEpoch", "sender"]

const inHeader = ({ field }: Case, names: readonly string[]): boolean =>
  names.some((name) => field === `header.${name}` || field.startsWith(`header.${name}#`))

export const BY_RELAY: readonly Kind[] = [
  {
    why: "a relay changed bytes under their author's signature: the author signed nothing wrong",
    covers: (attack, verdicts) =>
      attack.by === "relay" && attack.field !== "message" && refusedAsMessage(verdicts),
  },
  {
    why: "a relay withheld, repeated or exchanged messages, each rightly signed for its own place",
    covers: (attack, verdicts) =>
      attack.by === "relay" && attack.field === "message" && refusedAsMessage(verdicts),
  },
]

export const BY_SENDER: readonly Kind[] = [
  {
    why: "silence: the coordinator may have dropped the message",
    covers: (attack, verdicts) =>
      attack.by === "sender" &&
      attack.field === "message" &&
      attack.mutation === "missing" &&
      refusedAsMessage(verdicts),
  },
  {
    why: "a message signed for another place: its author's old ones look the same, and a relay has those",
    covers: (attack, verdicts) =>
      attack.by === "sender" &&
      (inHeader(attack, PLACE) || (attack.field === "message" && attack.mutation !== "missing")) &&
      refusedAsMessage(verdicts),
  },
  {
    why: "signed bytes that are no header: they name neither an author nor a run",
    covers: (attack, verdicts) =>
      attack.by === "sender" &&
      (attack.field === "header." || isMalformed(verdicts)) &&
      attack.field.startsWith("header.") &&
      refusedAsMessage(verdicts),
  },
  {
    why: "digests of other parts than arrived: a relay that exchanges parts leaves the same",
    covers: (attack, verdicts) =>
      attack.by === "sender" &&
      attack.field.startsWith("header.parts") &&
      refusedAsMessage(verdicts),
  },
  {
    why: "an echo of other messages than others saw: the coordinator may have shown it those",
    covers: (attack, verdicts) =>
      attack.by === "sender" &&
      attack.field === "header.previousDigest" &&
      refusedAsMessage(verdicts),
  },
]

function isMalformed({ aborts }: Verdicts): boolean {
  return aborts.some(({ reason }) => reason === "malformed-header")
}

/** Well-formed choices of an author that change nothing. */
export const HARMLESS_MESSAGES: readonly Kind[] = [
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

/** Where complaints of sealed parts are answered. */
export const IN_DISPUTE: readonly Kind[] = [
  {
    why: "an answer that passes over the complaint: the coordinator may not have shown it that one",
    covers: ({ step, by, field }, { aborts }) =>
      step === "answer" &&
      by === "sender" &&
      field.includes("broadcast.randomness") &&
      aborts.every(({ reason }) => reason === "missing-messages"),
  },
  {
    why: "a complaint that nobody answers: the coordinator may have dropped it or the answer",
    covers: ({ step, field, mutation }, { aborts }) =>
      (mutation === "false accusation, answer withheld" ||
        (step === "answer" && field.endsWith(" message") && mutation === "missing")) &&
      aborts.every(({ reason }) => reason === "missing-messages"),
  },
]
