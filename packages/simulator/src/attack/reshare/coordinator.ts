import type { Identifier } from "@lockkeeper/crypto"
import { reshare } from "@lockkeeper/protocols"
import type { Attack, Verdicts } from "../harness.ts"
import { type Batches, keptBack, otherBatches } from "../rounds/batches.ts"
import { driven } from "../rounds/drive.ts"
import { ReshareRounds } from "./run.ts"
import { type ReshareScene, settingOf } from "./scene.ts"

/** Every other request, to all or to one, and messages kept back. */
export function* coordinatorAttacks(scene: ReshareScene): Iterable<Attack> {
  const { of, protocol, sender, setting } = scene
  const elsewhere = settingOf(of, { batch: "another" }).attempt
  const batches: Batches<reshare.ReshareParams, reshare.ReshareKey> = {
    ...{ name: protocol, paramsCodec: reshare.reshareParamsCodec },
    ...{ keysCodec: reshare.reshareKeysCodec, rootOf: reshare.keysRoot },
    groupOf: ({ sharing }) => sharing.group,
  }
  for (const { field, mutation, ...batch } of otherBatches(batches, setting.attempt, elsewhere)) {
    const attempt = { ...setting.attempt, ...batch }
    const told = { protocol, sender, step: "open", by: "coordinator", field, mutation } as const
    for (const victim of ["all" as const, ...strangersAndInsiders(scene)]) {
      yield { ...told, victim, run: () => asked(scene, attempt, victim) }
    }
  }
  yield* keptBack(scene)
}

/** A dealer, and whoever knows least of the old keys. */
function strangersAndInsiders({ setting, rounds }: ReshareScene): readonly Identifier[] {
  const [first] = setting.attempt.params.dealers as [Identifier]
  return [first, rounds.participants.at(-1) as Identifier]
}

/** A coordinator that goes on whatever it asks for: the machine of an honest one would refuse. */
class LyingCoordinator extends ReshareRounds {
  override begin(): reshare.ReshareTask {
    const { params, keys, leaveOut } = this.setting.attempt
    const asked = this.participants.filter((one) => !leaveOut.includes(one))
    const none = new Map<never, never>()
    const parts = { step: "open" as const, opens: none, deals: none, disputed: null }
    return {
      ...{ kind: "ask", step: "open" },
      deliveries: new Map(asked.map((one) => [one, { messages: [], opens: [] }])),
      waiting: { params, keys, verifyKeys: this.verifyKeys, asked, ...parts },
    }
  }
}

function asked(
  { setting }: ReshareScene,
  attempt: reshare.ReshareAttempt,
  victim: Identifier | "all",
): Verdicts {
  if (victim === "all") return driven(new LyingCoordinator({ ...setting, attempt }))
  return driven(new LyingCoordinator(setting, { requests: new Map([[victim, attempt]]) }))
}
