import { type GroupName, groupByName, type Identifier } from "@lockkeeper/crypto"
import { reshare } from "@lockkeeper/protocols"
import { reshareStepPayloads } from "@lockkeeper/protocols/payloads"
import { record } from "../rounds/drive.ts"
import type { Scene } from "../rounds/scene.ts"
import { sharedSecret } from "../rounds/sharings.ts"
import { ReshareRounds, type ReshareSetting } from "./run.ts"

/** From which holders to which, and of what. */
export interface ReshareCase {
  /** As targets are called. */
  readonly name: string
  readonly kind: "refresh" | "reshare"
  readonly from: { readonly minSigners: number; readonly holders: readonly Identifier[] }
  readonly dealers: readonly Identifier[]
  readonly minSigners: number
  readonly holders: readonly Identifier[]
  readonly groups: readonly GroupName[]
  /** Of whom one after the other is dishonest. */
  readonly liars: readonly Identifier[]
}

/** The roster of the new holders: evidence is verified with it. */
const ROSTER_EPOCH = 7

export type Change = Partial<reshare.ReshareParams> & { readonly batch?: string }

export function settingOf(
  { kind, from, dealers, minSigners, holders, groups }: ReshareCase,
  { batch: name = "batch", ...change }: Change = {},
  seed = "run",
): ReshareSetting {
  const batch = groups.map((group, i) =>
    sharedSecret(`${name}/${i}/${group}`, group, from.minSigners, from.holders),
  )
  const keys = batch.map(({ sharing }) => ({ sharing, toKeyEpoch: sharing.keyEpoch + 1 }))
  const params: reshare.ReshareParams = {
    ...{ kind, dealers, holders, minSigners, rosterEpoch: ROSTER_EPOCH, attempt: 1, groups },
    keys: reshare.keysRoot(keys),
    ...change,
  }
  return { attempt: { params, keys, leaveOut: [] }, batch, seed }
}

export interface ReshareScene extends Scene<reshare.ReshareTask> {
  readonly of: ReshareCase
  readonly setting: ReshareSetting
  readonly rounds: ReshareRounds
}

export function sceneOf(of: ReshareCase, sender: Identifier): ReshareScene {
  const setting = settingOf(of)
  const rounds = new ReshareRounds(setting)
  const { params } = setting.attempt
  const rows = reshareStepPayloads(params)
  const victims = {
    open: rounds.participants,
    deal: params.holders,
  } as Readonly<Record<string, readonly Identifier[]>>
  return {
    ...{ of, setting, rounds, sender, protocol: of.name },
    groups: params.groups.map((group) => groupByName(group)),
    codecs: new Map(rows.map((row) => [row.step, row])),
    steps: ["open", "deal", "verdict"],
    honest: record(rounds),
    elsewhere: record(new ReshareRounds(settingOf(of, {}, "another session"))),
    victimsOf: (step) => ends(victims[step] ?? [], sender),
  }
}

/** The first and the last of the others: one that stays and one that is new, where there are such. */
function ends(all: readonly Identifier[], sender: Identifier): readonly Identifier[] {
  const others = all.filter((i) => i !== sender)
  return [...new Set([...others.slice(0, 1), ...others.slice(-1)])]
}
