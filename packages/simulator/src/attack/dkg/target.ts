import { groupByName, type Identifier } from "@lockkeeper/crypto"
import type { Codec } from "@lockkeeper/encoding"
import { decode, encode } from "@lockkeeper/encoding"
import { dkg, groupOf, headerCodec, type KeyType, type Message } from "@lockkeeper/protocols"
import { payloadCodecs } from "@lockkeeper/protocols/payloads"
import { altered, headersSignedAgain, signedAgain } from "../forgery.ts"
import type { Attack, Case, Target, Verdicts } from "../harness.ts"
import { type Mutant, mutantsOf, type Subject } from "../mutations.ts"
import { pooled } from "../pooled.ts"
import { identityOf } from "../seeded.ts"
import { complaintAttacks } from "./complaints.ts"
import { HARMLESS, UNATTRIBUTABLE } from "./kinds.ts"
import { replays } from "./replays.ts"
import { attacked, type Meddling, messageOf, type Recorded, record, settingOf } from "./run.ts"
import { sealedAttacks } from "./sealed.ts"
import type { DkgScene } from "./scene.ts"

const STEPS = ["open", "reveal", "verdict"] as const
const SENDER = 2

/** The key generation for one key type, attacked in every field of every message. */
export function dkgTarget(keyType: KeyType): Target {
  return {
    protocol: `dkg/${keyType}`,
    steps: [...STEPS, "answer"],
    attacks: () => attacksOn(sceneOf(keyType)),
    harmless: HARMLESS,
    unattributable: UNATTRIBUTABLE,
  }
}

function sceneOf(keyType: KeyType): DkgScene {
  const setting = settingOf(keyType)
  const codecs = new Map(
    payloadCodecs(keyType)
      .filter(({ protocol }) => protocol === "dkg")
      .map((row) => [row.step as dkg.DkgStep, row]),
  )
  return {
    protocol: `dkg/${keyType}`,
    setting,
    group: groupByName(groupOf(keyType)),
    codecs,
    honest: record(setting),
    elsewhere: record(settingOf(keyType, {}, "another session")),
    sender: SENDER,
  }
}

function* attacksOn(scene: DkgScene): Iterable<Attack> {
  for (const step of STEPS) {
    yield* payloadAttacks(scene, step)
    yield* headerAttacks(scene, step)
    yield* relayAttacks(scene, step)
  }
  yield* sealedAttacks(scene)
  yield* complaintAttacks(scene)
  yield* replays(scene)
}

/** The step's message of the sender with where other values for its fields come from. */
export function subjectOf(
  { codecs, group, honest, elsewhere, sender, protocol }: DkgScene,
  step: dkg.DkgStep,
  recorded: Recorded = honest,
): Subject {
  const another = sender === 1 ? 3 : 1
  const said = (from: Recorded, who: Identifier, at = step) =>
    from.messages.get(`${at}/${who}`)?.broadcast
  const before = step === "open" ? undefined : said(recorded, sender, "open")
  const participants = said(recorded, another)
  const sessions = said(elsewhere, sender)
  return {
    name: `${protocol}/${step}`,
    codec: codecs.get(step)?.broadcast as Codec<unknown>,
    encoded: messageOf(recorded, step, sender).broadcast,
    group,
    ...(participants && { participants }),
    ...(sessions && { sessions }),
    ...(before && { earlier: before }),
  }
}
