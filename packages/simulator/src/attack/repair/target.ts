import type { Attack, Target } from "../harness.ts"
import { answersOfTheGuilty, falseAccusations } from "../rounds/complaints.ts"
import { record } from "../rounds/drive.ts"
import { messageAttacks } from "../rounds/messages.ts"
import { replayAttacks } from "../rounds/replays.ts"
import { spokenSteps } from "../rounds/scene.ts"
import { sealedAttacks } from "../rounds/sealed.ts"
import { coordinatorAttacks } from "./coordinator.ts"
import { HARMLESS, UNATTRIBUTABLE } from "./kinds.ts"
import { computedLies } from "./lies.ts"
import { RepairRounds, repairSecrets } from "./run.ts"
import { type RepairCase, type RepairScene, sceneOf, settingOf } from "./scene.ts"

/** Other helpers complain of summands, the member of sums. */
const OF_SUMMANDS = { sealedAt: "split", complainsAt: "sum" }
const OF_SUMS = { sealedAt: "sum", complainsAt: "verdict" }

/** A repair, attacked in every field of every message. */
export function repairTarget(of: RepairCase): Target {
  return {
    protocol: of.name,
    steps: ["open", "split", "sum", "verdict", "answer"],
    *attacks() {
      for (const [nth, liar] of of.liars.entries()) {
        const scene = sceneOf(of, liar)
        yield* participantAttacks(scene)
        if (nth === 0) yield* coordinatorAttacks(scene)
      }
    },
    harmless: HARMLESS,
    unattributable: UNATTRIBUTABLE,
  }
}

function* participantAttacks(scene: RepairScene): Iterable<Attack> {
  const { helpers, member } = scene.setting.attempt.params
  const { sender } = scene
  for (const step of spokenSteps(scene)) yield* messageAttacks(scene, step)
  yield* replayAttacks(scene, otherRuns(scene))
  if (sender === member) {
    yield* falseAccusations(scene, OF_SUMS, helpers)
    return
  }
  for (const dispute of [OF_SUMMANDS, OF_SUMS]) {
    yield* sealedAttacks(scene, repairSecrets, dispute.sealedAt)
    yield* answersOfTheGuilty(scene, repairSecrets, dispute)
  }
  yield* computedLies(scene)
  const others = helpers.filter((helper) => helper !== sender)
  yield* falseAccusations(scene, OF_SUMMANDS, others)
}

function otherRuns({ of }: RepairScene) {
  const run = (change: Parameters<typeof settingOf>[1]) =>
    record(new RepairRounds(settingOf(of, change)))
  return {
    "an earlier attempt's message": run({ attempt: 2 }),
    "another epoch's message": run({ rosterEpoch: 8 }),
    "another batch's message": run({ batch: "another" }),
  }
}
