import type { AbortReason } from "@lockkeeper/protocols"
import type { Case, Kind, Verdicts } from "../harness.ts"
import { BY_RELAY, BY_SENDER } from "../kinds.ts"

const every = ({ aborts }: Verdicts, ...reasons: readonly AbortReason[]): boolean =>
  aborts.length > 0 && aborts.every(({ reason }) => reasons.includes(reason))

const aroundAShare = ({ step, field }: Case): boolean =>
  step === "share" && /^(header\.|signature$|sealed$)/.test(field)

export const HARMLESS: readonly Kind[] = [
  {
    why: "the shares add up to a valid signature: what stands around one of them does not matter",
    covers: (attack) => aroundAShare(attack),
  },
  {
    why: "another name for the signer's own nonces",
    covers: ({ step, by, field }) =>
      step === "commitment" && by === "sender" && field === "header.sessionId",
  },
  {
    why: "enough others sign without the signer whose commitment does not come",
    covers: ({ step, field, mutation }) =>
      step === "commitment" && field === "message" && mutation === "missing",
  },
  {
    why: "the number of the try is no part of what is signed",
    covers: ({ step, by, field }) =>
      step === "package" && by === "coordinator" && field === "attempt",
  },
]

const FOR_ANOTHER_KEY = ["broadcast.", "broadcast.keyId", "broadcast.keyEpoch"]

export const UNATTRIBUTABLE: readonly Kind[] = [
  {
    why: "a commitment for another key or generation: signers have such, and a coordinator mixes them up",
    covers: (attack, verdicts) =>
      attack.step === "commitment" &&
      attack.by === "sender" &&
      (FOR_ANOTHER_KEY.includes(attack.field) || attack.field === "message") &&
      every(verdicts, "wrong-key", "wrong-key-epoch"),
  },
  {
    why: "a commitment of another session, key or signer in the sender's place: who put it there is not seen",
    covers: (attack, verdicts) =>
      attack.step === "commitment" &&
      attack.field === "message" &&
      every(verdicts, "wrong-key", "commitment-mismatch", "duplicate-signer", "missing-messages"),
  },
  {
    why: "a signed message with parts or an echo that FROST has not: counts as silence, as which it is no worse",
    covers: (attack, verdicts) =>
      attack.by === "sender" &&
      ((attack.field === "sealed" && every(verdicts, "unexpected-part")) ||
        (attack.step === "commitment" &&
          attack.field === "header.previousDigest" &&
          every(verdicts, "echo-mismatch"))),
  },
  {
    why: "a package without a device that must sign: the coordinator may have left its commitment out",
    covers: ({ step, field, mutation }, verdicts) =>
      mutation === "missing" &&
      ((step === "commitment" && field === "message") || step === "package") &&
      verdicts.aborts.some(({ reason }) => reason === "missing-additive-signer") &&
      every(verdicts, "missing-additive-signer", "missing-messages", "not-a-signer"),
  },
  ...BY_RELAY,
  ...BY_SENDER,
  {
    why: "a package that signers refuse: who puts packages together is no participant",
    covers: ({ step, by }, verdicts) =>
      step === "package" &&
      by === "coordinator" &&
      verdicts.aborts.some(({ reason }) => reason !== "missing-messages") &&
      every(verdicts, ...PACKAGE_REFUSALS),
  },
]

const PACKAGE_REFUSALS: readonly AbortReason[] = [
  "missing-messages",
  "not-approved",
  "wrong-key",
  "wrong-key-epoch",
  "wrong-roster-epoch",
  "not-a-signer",
  "duplicate-signer",
  "unsorted-signers",
  "too-few-signers",
  "commitment-mismatch",
  "malformed-header",
  "wrong-signature",
  "part-mismatch",
  "unsupported-tweak",
  "wrong-session",
  "unexpected-part",
  "wrong-suite",
  "unknown-sender",
]
