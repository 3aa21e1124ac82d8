import type { AbortReason } from "@lockkeeper/protocols"
import type { Case, Kind, Verdicts } from "./harness.ts"

// What every protocol of signed messages has in common. A kind names by whom, in which field and
// with which reasons, so that nothing slips in that its reason does not explain.

/** With which a message is refused that is not what or where its header says. */
const REFUSALS: ReadonlySet<AbortReason> = new Set<AbortReason>([
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

const refusedAsMessage = ({ aborts }: Verdicts): boolean =>
  aborts.length > 0 && aborts.every(({ reason }) => REFUSALS.has(reason))

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
