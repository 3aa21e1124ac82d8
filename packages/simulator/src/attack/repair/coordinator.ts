import type { Identifier } from "@lockkeeper/crypto"
import { repair, type sharing } from "@lockkeeper/protocols"
import type { Attack, Verdicts } from "../harness.ts"
import { type Batches, keptBack, otherBatches } from "../rounds/batches.ts"
import { driven } from "../rounds/drive.ts"
import { RepairRounds } from "./run.ts"
import { type RepairScene, settingOf } from "./scene.ts"

/** Every other request, to all, to a helper or to the member, and messages kept back. */
export function* coordinatorAttacks(scene: RepairScene): Iterable<Attack> {
  const { of, protocol, sender, setting } = scene
  const { params, sharings: keys } = setting.attempt
  const elsewhere = settingOf(of, { batch: "another" }).attempt
  const batches: Batches<repair.RepairParams, sharing.Sharing> = {
    ...{ name: protocol, paramsCodec: repair.repairParamsCodec },
    ...{ keysCodec: repair.sharingsCodec, rootOf: repair.sharingsRoot },
    groupOf: ({ group }) => group,
  }
  const others = { params: elsewhere.params, keys: elsewhere.sharings }
  for (const { field, mutation, ...batch } of otherBatches(batches, { params, keys }, others)) {
    const attempt = { params: batch.params, sharings: batch.keys }
    const told = { protocol, sender, step: "open", by: "coordinator", field, mutation } as const
    for (const victim of ["all" as const, params.helpers[0] as Identifier, params.member]) {
      yield { ...told, victim, run: () => asked(scene, attempt, victim) }
    }
  }
  yield* keptBack(scene)
}

/** A coordinator that goes on whatever it asks for: the machine of an honest one would refuse. */
class LyingCoordinator extends RepairRounds {
  override begin(): repair.RepairTask {
    const { params, sharings } = this.setting.attempt
    const none = new Map<never, never>()
    const said = { opens: none, splits: none, sums: none, disputed: null }
    const nothing = { opens: [], splits: [], sums: [], complaints: [] }
    return {
      ...{ kind: "ask", step: "open", about: null },
      deliveries: new Map(this.participants.map((one) => [one, { ...nothing }])),
      waiting: { params, sharings, verifyKeys: this.verifyKeys, step: "open", ...said },
    }
  }
}

function asked(
  { setting }: RepairScene,
  attempt: repair.RepairAttempt,
  victim: Identifier | "all",
): Verdicts {
  if (victim === "all") return driven(new LyingCoordinator({ ...setting, attempt }))
  return driven(new LyingCoordinator(setting, { requests: new Map([[victim, attempt]]) }))
}
