import { reshare } from "@lockkeeper/protocols"
import type { Attack, Target } from "../harness.ts"
import { answersOfTheGuilty, falseAccusations } from "../rounds/complaints.ts"
import { record } from "../rounds/drive.ts"
import { messageAttacks } from "../rounds/messages.ts"
import { replayAttacks } from "../rounds/replays.ts"
import { spokenSteps } from "../rounds/scene.ts"
import { sealedAttacks } from "../rounds/sealed.ts"
import { certificateAttacks } from "./certificates.ts"
import { coordinatorAttacks } from "./coordinator.ts"
import { HARMLESS, HARMLESS_WITH_SPARE, UNATTRIBUTABLE } from "./kinds.ts"
import { computedLies, otherOutcomes } from "./lies.ts"
import { ReshareRounds, reshareSecrets } from "./run.ts"
import { type ReshareCase, type ReshareScene, sceneOf, settingOf } from "./scene.ts"

const DISPUTE = { sealedAt: "deal", complainsAt: "verdict" }

/** A refresh or reshare, attacked in every field of every message. */
export function reshareTarget(of: ReshareCase): Target {
  return {
    protocol: of.name,
    steps: ["open", "deal", "verdict", "answer", "activate", "erase"],
    *attacks() {
      for (const [nth, liar] of of.liars.entries()) {
        const scene = sceneOf(of, liar)
        yield* participantAttacks(scene)
        if (nth === 0) yield* coordinatorAttacks(scene)
        if (nth === 0) yield* certificateAttacks(scene)
      }
    },
    harmless: hasSpare(of) ? HARMLESS_WITH_SPARE : HARMLESS,
    unattributable: UNATTRIBUTABLE,
  }
}

/** Whether a quorum of the holders can do without one. */
function hasSpare({ minSigners, holders }: ReshareCase): boolean {
  return reshare.quorumOf(minSigners, holders.length) < holders.length
}

function* participantAttacks(scene: ReshareScene): Iterable<Attack> {
  const { dealers, holders } = scene.setting.attempt.params
  const { sender } = scene
  for (const step of spokenSteps(scene)) yield* messageAttacks(scene, step)
  yield* replayAttacks(scene, otherRuns(scene))
  if (dealers.includes(sender)) {
    yield* sealedAttacks(scene, reshareSecrets, "deal")
    yield* answersOfTheGuilty(scene, reshareSecrets, DISPUTE)
    yield* computedLies(scene)
  }
  if (!holders.includes(sender)) return
  yield* otherOutcomes(scene)
  const others = dealers.filter((dealer) => dealer !== sender)
  yield* falseAccusations(scene, DISPUTE, others)
}

function otherRuns({ of }: ReshareScene) {
  const run = (change: Parameters<typeof settingOf>[1]) =>
    record(new ReshareRounds(settingOf(of, change)))
  const sameHolders = of.kind === "refresh"
  return {
    "an earlier attempt's message": run({ attempt: 2 }),
    "another epoch's message": run({ rosterEpoch: 8 }),
    "another batch's message": run({ batch: "another" }),
    ...(sameHolders && { "the other kind's message": run({ kind: "reshare" }) }),
  }
}
