import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Attack } from "../harness.ts"
import { checkpointOf } from "../rounds/drive.ts"
import type { Delivery } from "../rounds/rounds.ts"
import { otherShares } from "../rounds/scalars.ts"
import { attackAt, liesToAll } from "../rounds/scene.ts"
import { RepairRounds } from "./run.ts"
import type { RepairScene } from "./scene.ts"

/** A helper that splits something else than its share, with summands that fit its images. */
export function* computedLies(scene: RepairScene): Iterable<Attack> {
  const { setting, honest, sender, protocol, rounds } = scene
  const { task, stored } = checkpointOf(honest, "split")
  const delivery = rounds.asked(task)?.deliveries.get(sender as Identifier) as Delivery
  const given = { stored: stored.get(sender) as Bytes, delivery }
  for (const { field, mutation, shares } of otherShares(protocol, setting.batch, sender)) {
    const lying = new RepairRounds(setting, { shares: new Map([[sender, shares]]) })
    const outcome = lying.step(task, sender, given)
    if (!outcome.ok) throw new Error(`the liar cannot split: ${outcome.abort.reason}`)
    const told = { step: "split", by: "sender", field, mutation, victim: "all" } as const
    yield attackAt(scene, told, liesToAll(scene, "split", outcome.value.message))
  }
}
