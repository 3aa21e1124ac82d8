import type { Attack } from "../harness.ts"
import { otherShares } from "../rounds/scalars.ts"
import { computing } from "../rounds/scene.ts"
import { RepairRounds } from "./run.ts"
import type { RepairScene } from "./scene.ts"

/** A helper that splits something else than its share, and sums what it kept of that. */
export function* computedLies(scene: RepairScene): Iterable<Attack> {
  const { setting, sender, protocol } = scene
  for (const { field, mutation, shares } of otherShares(protocol, setting.batch, sender)) {
    const lying = new RepairRounds(setting, { shares: new Map([[sender, shares]]) })
    const told = { step: "split", by: "sender", field, mutation, victim: "all" } as const
    yield computing(scene, told, lying)
  }
}
