import type { Identifier } from "@lockkeeper/crypto"
import type { Attack, Target } from "../harness.ts"
import { problemOf } from "./expected.ts"
import { SETUP_HARMLESS, SETUP_UNATTRIBUTABLE } from "./setup-kinds.ts"
import {
  type SetupChange,
  setupBroadcastLies,
  setupComputedLies,
  setupHeaderLies,
  setupRelayLies,
  transferLies,
} from "./setup-lies.ts"
import { setupMessages, statusAttacks } from "./setup-messages.ts"
import {
  SETUP_SAID_STEPS,
  type SetupSaidStep,
  type SetupScene,
  type SetupSceneOptions,
  setupScene,
  setupVerdicts,
} from "./setup-scene.ts"

const STEP_NAMES: Readonly<Record<SetupSaidStep, string>> = {
  1: "open",
  2: "exchange",
  3: "confirm",
}

function* changesAt(scene: SetupScene, step: SetupSaidStep): Generator<SetupChange> {
  if (scene.options.brief) {
    yield* setupBroadcastLies(scene, step)
    const [victim] = scene.honest
    if (step !== 2 || victim === undefined) return
    for (const change of transferLies(scene, victim)) if (!/\d/.test(change.field)) yield change
    return
  }
  yield* setupHeaderLies(scene, step)
  yield* setupBroadcastLies(scene, step)
  if (step === 2) for (const victim of scene.honest) yield* transferLies(scene, victim)
  yield* setupComputedLies(scene, step, 2)
  yield* setupRelayLies(scene, step, scene.honest[0]!)
  yield* setupMessages(scene, step)
}

export function setupAttack(
  protocol: string,
  scene: SetupScene,
  step: SetupSaidStep,
  change: SetupChange,
): Attack {
  const { field, mutation, victim, by, lie } = change
  const { recorded, parties, options, liar } = scene
  const { participants } = options
  const honest: readonly Identifier[] = by === "relay" ? participants : scene.honest
  return {
    ...{ protocol, step: STEP_NAMES[step], field, mutation, by, sender: liar, victim },
    run() {
      const end = recorded.before(lie.from).finish(lie)
      return setupVerdicts(parties, participants, honest, end)
    },
  }
}

/** Setup of all pairs among a few participants, of whom one lies about everything in turn. */
export function setupTarget(options: SetupSceneOptions): Target {
  const { participants, liar } = options
  const protocol = `dkls-setup ${participants.length} liar ${liar}`
  return {
    ...{ protocol, steps: SETUP_SAID_STEPS.map((step) => STEP_NAMES[step]) },
    *attacks() {
      const scene = setupScene(options)
      for (const step of SETUP_SAID_STEPS) {
        for (const change of changesAt(scene, step)) {
          yield setupAttack(protocol, scene, step, change)
        }
      }
      yield* statusAttacks(protocol, scene)
    },
    harmless: SETUP_HARMLESS,
    unattributable: SETUP_UNATTRIBUTABLE,
    problemOf,
  }
}
