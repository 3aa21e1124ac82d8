import type { SharingKind } from "@lockkeeper/api"
import type { Target } from "../harness.ts"
import { requestAttacks } from "./coordinator.ts"
import { HARMLESS, UNATTRIBUTABLE } from "./kinds.ts"
import { tellingAttacks } from "./lies.ts"
import { sceneOf } from "./scene.ts"

/** The last steps of a change of holders, between an operator and real servers. */
export function moveTarget(kind: SharingKind): Target {
  const protocol = `moves/${kind}`
  return {
    protocol,
    steps: ["describe", "verdict", "activate", "leave"],
    async *attacks() {
      const scene = await sceneOf(protocol, kind)
      yield* tellingAttacks(scene)
      yield* requestAttacks(scene)
    },
    harmless: HARMLESS,
    unattributable: UNATTRIBUTABLE,
  }
}

export const MOVE_TARGETS: readonly (() => Target)[] = [
  () => moveTarget("accounts"),
  () => moveTarget("keys"),
]
