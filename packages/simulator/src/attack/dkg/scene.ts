import { type Group, groupByName, type Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, equalBytes } from "@lockkeeper/encoding"
import { type dkg, groupOf, type KeyType, type Message } from "@lockkeeper/protocols"
import { payloadCodecs, type StepPayloads } from "@lockkeeper/protocols/payloads"
import type { Attack, Case } from "../harness.ts"
import type { Subject } from "../mutations.ts"
import { pooled } from "../pooled.ts"
import { rosterOf } from "../seeded.ts"
import {
  attacked,
  everyoneIn,
  type Meddling,
  messageOf,
  type Recorded,
  record,
  type Setting,
  settingOf,
} from "./run.ts"

/** A run to attack, and another one whose messages are brought into it. */
export interface DkgScene {
  readonly protocol: string
  readonly setting: Setting
  readonly group: Group
  readonly codecs: ReadonlyMap<dkg.DkgStep, StepPayloads>
  readonly honest: Recorded
  readonly elsewhere: Recorded
  readonly sender: Identifier
}

/** @param devices - who takes part with a share of its own, beside the servers. */
export function sceneOf(
  keyType: KeyType,
  sender: Identifier,
  protocol = `dkg/${keyType}`,
  devices: readonly Identifier[] = [],
): DkgScene {
  const additive = rosterOf(devices)
  const setting = settingOf(keyType, { additive })
  const rows = payloadCodecs(keyType).filter(({ protocol }) => protocol === "dkg")
  return {
    protocol,
    setting,
    group: groupByName(groupOf(keyType)),
    codecs: new Map(rows.map((row) => [row.step as dkg.DkgStep, row])),
    honest: record(setting),
    elsewhere: record(settingOf(keyType, { additive }, "another session")),
    sender,
  }
}

export function othersIn({ setting, sender }: DkgScene): readonly Identifier[] {
  return everyoneIn(setting.params).filter((other) => other !== sender)
}

/** Those among them that get shares from each other. */
export function serversBeside({ setting, sender }: DkgScene): readonly Identifier[] {
  return setting.params.participants.filter((other) => other !== sender)
}

/** The sender's payload of a step, with where other values for its fields come from. */
export function subjectOf(scene: DkgScene, step: dkg.DkgStep, recorded = scene.honest): Subject {
  const { codecs, group, elsewhere, sender, protocol } = scene
  const said = (from: Recorded, at: string, who: Identifier): Bytes | undefined =>
    from.messages.get(`${at}/${who}`)?.broadcast
  const participants = said(recorded, step, othersIn(scene)[0] as Identifier)
  const sessions = said(elsewhere, step, sender)
  const earlier = step === "open" ? undefined : said(recorded, "open", sender)
  return {
    name: `${protocol}/${step}`,
    codec: codecs.get(step)?.broadcast as Codec<unknown>,
    encoded: messageOf(recorded, step, sender).broadcast,
    group,
    ...(participants && { participants }),
    ...(sessions && { sessions }),
    ...(earlier && { earlier }),
  }
}

type Told = Omit<Case, "protocol" | "sender"> & { readonly sender?: Identifier }

/** An attack that begins at a step of a recorded run. */
export function attackAt(
  scene: DkgScene,
  told: Told & { readonly step: dkg.DkgStep },
  meddling: Meddling,
  recorded: Recorded = scene.honest,
): Attack {
  const { protocol, sender, setting } = scene
  const run = () => attacked(setting, recorded, told.step, meddling)
  return { protocol, sender, ...told, run }
}

/** The sender signs `lie` instead, for everyone. */
export function liesToAll(scene: DkgScene, step: dkg.DkgStep, lie: Message): Meddling {
  return {
    dishonest: scene.sender,
    answers: (at, message) => [at === step ? lie : message],
  }
}

/**
 * The sender signs `lie` for one recipient alone, with a coordinator that helps it. Neither sees
 * both messages in the run; they are compared after it.
 */
export function liesToOne(
  scene: DkgScene,
  told: Told & { readonly step: dkg.DkgStep; readonly victim: Identifier },
  lie: Message,
  recorded: Recorded = scene.honest,
): Attack {
  const { sender, setting } = scene
  const truth = messageOf(recorded, told.step, sender)
  const delivers = (recipient: Identifier, message: Message) => [
    recipient === told.victim && equalBytes(message.header.bytes, truth.header.bytes)
      ? lie
      : message,
  ]
  const attack = attackAt(scene, told, { dishonest: sender, delivers }, recorded)
  const verifyKeys = rosterOf(everyoneIn(setting.params))
  return {
    ...attack,
    async run() {
      const verdicts = await attack.run()
      const named = verdicts.aborts.some(({ culprits }) => culprits.length > 0)
      return named
        ? verdicts
        : { ...verdicts, compared: pooled([truth.header, lie.header], verifyKeys) }
    },
  }
}
