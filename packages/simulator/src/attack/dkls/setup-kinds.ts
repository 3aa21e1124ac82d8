import type { Kind } from "../harness.ts"
import { BY_RELAY, BY_SENDER } from "../kinds.ts"
import {
  COMPUTED_HARMLESS,
  COMPUTED_UNATTRIBUTABLE,
  isComputed,
  isIn,
  stoppedFor,
} from "./kinds.ts"

export const SETUP_UNATTRIBUTABLE: readonly Kind[] = [
  ...BY_RELAY,
  ...BY_SENDER,
  {
    why: "opened for another run: a coordinator may have asked for two",
    covers: ({ by, step, field }, verdicts) =>
      by === "sender" &&
      step === "open" &&
      isIn(field, ["broadcast.params"]) &&
      stoppedFor(verdicts, ["wrong-session"]),
  },
  {
    why: "a part that no evidence has room for: its sender has merely given no answer",
    covers: ({ by, sender, step, field }, { aborts }) =>
      by === "sender" &&
      step === "exchange" &&
      field === "part" &&
      aborts.some(({ reason, silent }) => reason === "malformed-payload" && silent?.[0] === sender),
  },
  {
    why: "names another setup when it is used: a setup's last step may have reached one end only",
    covers: (about, verdicts) => isComputed(about) && stoppedFor(verdicts, ["wrong-setup"]),
  },
  ...COMPUTED_UNATTRIBUTABLE,
]

export const SETUP_HARMLESS: readonly Kind[] = [
  {
    why: "another nonce is as good: whatever its bytes, they make the session new for their author",
    covers: ({ step, by, field }) =>
      step === "open" && by === "sender" && field === "header.sessionId",
  },
  {
    why: "what an end says of its pairs is its own to say: at most no pair is set up",
    covers: ({ by, field }) => by === "sender" && field === "statuses",
  },
  ...COMPUTED_HARMLESS,
]
