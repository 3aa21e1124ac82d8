import type { Identifier } from "@lockkeeper/crypto"
import type { Attack, Target } from "../harness.ts"
import { pooled } from "../pooled.ts"
import { computedLies } from "./computed-lies.ts"
import { problemOf } from "./expected.ts"
import { PresignDriver } from "./presign-driver.ts"
import { presignVerdicts } from "./presign-end.ts"
import { PRESIGN_HARMLESS, PRESIGN_UNATTRIBUTABLE } from "./presign-kinds.ts"
import {
  broadcastLies,
  headerLies,
  type PresignChange,
  partLies,
  payloadLies,
  relayLies,
  sealedLies,
} from "./presign-lies.ts"
import { accusations, equivocations, misplacedMessages } from "./presign-messages.ts"
import {
  type PresignScene,
  presignScene,
  SAID_STEPS,
  type SaidStep,
  type SceneOptions,
} from "./presign-scene.ts"

const STEP_NAMES: Readonly<Record<SaidStep, string>> = {
  1: "open",
  2: "exchange",
  3: "publish",
  4: "confirm",
}

/** Runs beside the recorded one, from which a relay can take messages. */
function othersOf({ recorded, again, elsewhere }: PresignScene) {
  const epoch = new PresignDriver(recorded.parties, { ...recorded.options, rosterEpoch: 8 })
  epoch.finish()
  return {
    "an earlier try's message": again,
    "another session's message": elsewhere,
    "another epoch's message": epoch,
  }
}

function* changesAt(
  scene: PresignScene,
  step: SaidStep,
  others: ReturnType<typeof othersOf>,
): Generator<PresignChange> {
  const { honest, liar } = scene
  yield* headerLies(scene, step)
  yield* broadcastLies(scene, step)
  if (step === 2 || step === 3) yield* payloadLies(scene, step)
  for (const victim of honest) {
    if (step !== 4) yield* partLies(scene, step, victim)
    if (step === 2 || step === 3) yield* sealedLies(scene, step, victim)
  }
  yield* computedLies(scene, step, 3)
  yield* relayLies(scene, step, liar, honest[0]!)
  yield* misplacedMessages(scene, step, others)
  yield* equivocations(scene, step)
  if (step !== 1) yield* accusations(scene, step)
}

/** One change as a case of the suite. */
export function presignAttack(
  protocol: string,
  scene: PresignScene,
  step: SaidStep,
  change: PresignChange,
): Attack {
  const { field, mutation, victim, by, lie, shown = [] } = change
  const { recorded, parties, options, liar } = scene
  const honest: readonly Identifier[] = by === "relay" ? options.signers : scene.honest
  return {
    ...{ protocol, step: STEP_NAMES[step], field, mutation, by, sender: liar, victim },
    run() {
      const end = recorded.before(lie.from).finish(lie)
      const verdicts = presignVerdicts(parties, honest, options.signers, end)
      const named = verdicts.aborts.some(({ culprits }) => culprits.length > 0)
      return named ? verdicts : { ...verdicts, compared: pooled(shown, parties.verifyKeys) }
    },
  }
}

/** Presigning by one signer set, in which one of them lies about everything in turn. */
export function presignTarget(options: SceneOptions): Target {
  const { minSigners, servers, liar } = options
  const protocol = `dkls-presign ${minSigners}/${servers} liar ${liar}`
  return {
    ...{ protocol, steps: SAID_STEPS.map((step) => STEP_NAMES[step]) },
    *attacks() {
      const scene = presignScene(options)
      const others = othersOf(scene)
      for (const step of SAID_STEPS) {
        for (const change of changesAt(scene, step, others)) {
          yield presignAttack(protocol, scene, step, change)
        }
      }
    },
    harmless: PRESIGN_HARMLESS,
    unattributable: PRESIGN_UNATTRIBUTABLE,
    problemOf,
  }
}
