import type { Kind } from "../harness.ts"
import { BY_RELAY, BY_SENDER } from "../kinds.ts"
import { COMPUTED_HARMLESS, COMPUTED_UNATTRIBUTABLE, isIn, stoppedFor } from "./kinds.ts"

/** Why an opening is for something else than was asked, by its fields and by what it follows from. */
const ELSEWHERE = [
  {
    why: "opened for another run: a coordinator may have asked for two",
    reason: "wrong-session",
    places: ["broadcast.params", "task.params"],
  },
  {
    why: "opened for another key of the id: two generations of a key may both have been confirmed",
    reason: "wrong-key",
    places: ["broadcast.key", "task.public"],
  },
  {
    why: "names another setup of a pair: a setup's last step may have reached one end only",
    reason: "wrong-setup",
    places: ["broadcast.setups", "task.pairs"],
  },
] as const

export const PRESIGN_UNATTRIBUTABLE: readonly Kind[] = [
  ...BY_RELAY,
  ...BY_SENDER,
  ...ELSEWHERE.map(
    ({ why, reason, places }): Kind => ({
      why,
      covers: ({ by, step, field }, verdicts) =>
        by === "sender" && step === "open" && isIn(field, places) && stoppedFor(verdicts, [reason]),
    }),
  ),
  ...COMPUTED_UNATTRIBUTABLE,
]

export const PRESIGN_HARMLESS: readonly Kind[] = COMPUTED_HARMLESS
