import type { AbortReason } from "@lockkeeper/protocols"
import type { Case, Kind, Verdicts } from "../harness.ts"

const only = ({ aborts }: Verdicts, ...reasons: readonly AbortReason[]): boolean =>
  aborts.length > 0 && aborts.every(({ reason }) => reasons.includes(reason))

const isRegistration = ({ step }: Case): boolean =>
  step === "registration" || step === "password change"

/** What only the client reads or is served by, and what no server can judge. */
const OWN_AFFAIR = /^dealing\.registration\.(stretching|keys)\./

export const HARMLESS: readonly Kind[] = [
  {
    why: "what a client registers for itself: it may lock itself out, and nobody else in",
    covers: (attack) =>
      isRegistration(attack) &&
      attack.by === "client" &&
      attack.victim === "all" &&
      OWN_AFFAIR.test(attack.field),
  },
  {
    why: "one server's answer does not come: the login finishes with the others",
    covers: ({ step, field, mutation }) =>
      step === "response" && field === "message" && mutation === "missing",
  },
]

/** What a server refuses in a dealing or in confirmations. */
const REGISTRATION_REFUSALS: readonly AbortReason[] = [
  "malformed-payload",
  "wrong-recipients",
  "wrong-record",
  "wrong-account",
  "wrong-opaque-version",
  "wrong-signing-key",
  "wrong-threshold",
  "wrong-roster-epoch",
  "wrong-participants",
  "wrong-ake-key",
  "wrong-vector-length",
  "wrong-share",
  "wrong-confirmation",
  "missing-confirmation",
  "unexpected-confirmation",
]

export const UNATTRIBUTABLE: readonly Kind[] = [
  {
    why: "a dealing that servers refuse or that not all confirm: its author, the client, is no participant",
    covers: (attack, verdicts) =>
      isRegistration(attack) && attack.by === "client" && only(verdicts, ...REGISTRATION_REFUSALS),
  },
  {
    why: "confirmations that do not verify: who spoils one on its way is not seen, and nothing is activated",
    covers: (attack, verdicts) =>
      isRegistration(attack) && attack.by === "relay" && only(verdicts, ...REGISTRATION_REFUSALS),
  },
  {
    why: "a first login message altered on its way, which has no signature: the answer is for another one",
    covers: (attack, verdicts) =>
      attack.step === "ke1" &&
      attack.by === "relay" &&
      only(verdicts, "malformed-payload", "wrong-signature", "too-few-agree"),
  },
  {
    why: "a relay altered or exchanged a server's login answer",
    covers: (attack, verdicts) =>
      attack.step === "response" &&
      attack.by === "relay" &&
      only(verdicts, ...RELAYED, ...UNSIGNED, "stale-or-lying"),
  },
  {
    why: "a server's answer that is no answer, or no signed one: a relay can make it so",
    covers: (attack, verdicts) =>
      attack.step === "response" && attack.by === "sender" && only(verdicts, ...RELAYED),
  },
  {
    why: "a server's half of the key exchange or envelope: only the client can check it, and prove it to nobody",
    covers: (attack, verdicts) =>
      attack.step === "response" &&
      attack.by === "sender" &&
      attack.field.startsWith("ke2.") &&
      only(verdicts, ...UNSIGNED),
  },
  {
    why: "a proven evaluation for another registration or roster: the server may be behind a change",
    covers: (attack, verdicts) =>
      attack.step === "response" &&
      attack.by === "sender" &&
      (attack.field.startsWith("proven frame.") ||
        attack.field === "frame.rosterEpoch" ||
        attack.field === "message") &&
      only(verdicts, "stale-or-lying", "wrong-roster-epoch"),
  },
  {
    why: "a wrong proof of the password: who sent it is no participant",
    covers: (attack, verdicts) =>
      attack.step === "ke3" && attack.by === "client" && only(verdicts, "wrong-client-mac"),
  },
]

/** Of answers that do not decode, or are not signed by whom and for what they should be. */
const RELAYED: readonly AbortReason[] = ["malformed-payload", "unknown-sender", "wrong-signature"]

/** Of what an answer's signature does not cover. */
const UNSIGNED: readonly AbortReason[] = ["wrong-envelope", "wrong-server-mac"]
