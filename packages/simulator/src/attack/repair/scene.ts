import { type GroupName, groupByName, type Identifier } from "@lockkeeper/crypto"
import { repair } from "@lockkeeper/protocols"
import { repairStepPayloads } from "@lockkeeper/protocols/payloads"
import { record } from "../rounds/drive.ts"
import type { Scene } from "../rounds/scene.ts"
import { sharedSecret } from "../rounds/sharings.ts"
import { RepairRounds, type RepairSetting } from "./run.ts"

/** Who restores whose shares of what. */
export interface RepairCase {
  /** As targets are called. */
  readonly name: string
  readonly holders: readonly Identifier[]
  readonly helpers: readonly Identifier[]
  readonly member: Identifier
  readonly groups: readonly GroupName[]
  /** Of whom one after the other is dishonest. */
  readonly liars: readonly Identifier[]
}

/** The roster in force: evidence is verified with it. */
const ROSTER_EPOCH = 7

export type Change = Partial<repair.RepairParams> & { readonly batch?: string }

export function settingOf(
  { holders, helpers, member, groups }: RepairCase,
  { batch: name = "batch", ...change }: Change = {},
  seed = "run",
): RepairSetting {
  const batch = groups.map((group, i) =>
    sharedSecret(`${name}/${i}/${group}`, group, helpers.length, holders),
  )
  const sharings = batch.map(({ sharing }) => sharing)
  const params: repair.RepairParams = {
    ...{ helpers, member, rosterEpoch: ROSTER_EPOCH, attempt: 1, groups },
    ...{ keys: repair.sharingsRoot(sharings), ...change },
  }
  return { attempt: { params, sharings }, batch, seed }
}

export interface RepairScene extends Scene<repair.RepairTask> {
  readonly of: RepairCase
  readonly setting: RepairSetting
}

export function sceneOf(of: RepairCase, sender: Identifier): RepairScene {
  const setting = settingOf(of)
  const rounds = new RepairRounds(setting)
  const { params } = setting.attempt
  const { helpers, member } = params
  const rows = repairStepPayloads(params)
  const readers: Readonly<Record<string, readonly Identifier[]>> = {
    open: rounds.participants,
    split: rounds.participants,
    sum: [member],
  }
  // A helper, and the member, which compares what helpers saw.
  const victims = [helpers.find((i) => i !== sender) as Identifier, member]
  return {
    ...{ of, setting, rounds, sender, protocol: of.name },
    groups: params.groups.map((group) => groupByName(group)),
    codecs: new Map(rows.map((row) => [row.step, row])),
    steps: ["open", "split", "sum", "verdict"],
    honest: record(rounds),
    elsewhere: record(new RepairRounds(settingOf(of, {}, "another session"))),
    victimsOf: (step) => victims.filter((i) => i !== sender && (readers[step] ?? []).includes(i)),
  }
}
