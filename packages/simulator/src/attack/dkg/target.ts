import { OWNER_DEVICE } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { dkg, KeyType } from "@lockkeeper/protocols"
import { altered, headersSignedAgain, signedAgain } from "../forgery.ts"
import type { Attack, Target } from "../harness.ts"
import { mutantsOf } from "../mutations.ts"
import { identityOf } from "../seeded.ts"
import { complaintAttacks, falseAccusations } from "./complaints.ts"
import { HARMLESS, HARMLESS_OF_DEVICES, UNATTRIBUTABLE } from "./kinds.ts"
import { inward, outward } from "./relay.ts"
import { replayAttacks } from "./replays.ts"
import { messageOf } from "./run.ts"
import {
  attackAt,
  type DkgScene,
  liesToAll,
  liesToOne,
  othersIn,
  sceneOf,
  subjectOf,
} from "./scene.ts"
import { sealedAttacks } from "./sealed.ts"

const STEPS = ["open", "reveal", "verdict"] as const
const SENDER = 2

/** The key generation for one key type, attacked in every field of every message. */
export function dkgTarget(keyType: KeyType): Target {
  return {
    protocol: `dkg/${keyType}`,
    steps: [...STEPS, "answer"],
    attacks: () => attacksOn(sceneOf(keyType, SENDER)),
    harmless: HARMLESS,
    unattributable: UNATTRIBUTABLE,
  }
}

/** Beside the servers, an owner's device takes part. */
const DEVICE = OWNER_DEVICE

/** The same with an owner's device among the victims, or as the one that deviates. */
export function dkgWithDevice(keyType: KeyType, by: "server" | "device"): Target {
  const protocol = `dkg/${keyType} ${by === "server" ? "beside" : "by"} a device`
  const sender = by === "server" ? SENDER : DEVICE
  return {
    protocol,
    steps: STEPS,
    attacks: () => {
      const scene = sceneOf(keyType, sender, protocol, [DEVICE])
      return by === "server" ? messageAttacks(scene) : deviceAttacks(scene)
    },
    harmless: by === "server" ? HARMLESS : HARMLESS_OF_DEVICES,
    unattributable: UNATTRIBUTABLE,
  }
}

function* messageAttacks(scene: DkgScene): Iterable<Attack> {
  for (const step of STEPS) {
    yield* payloadAttacks(scene, step)
    yield* headerAttacks(scene, step)
    yield* relayAttacks(scene, step)
  }
}

/** It deals nothing, so that there is nothing to seal wrongly and nothing to answer for. */
function* deviceAttacks(scene: DkgScene): Iterable<Attack> {
  yield* messageAttacks(scene)
  yield* falseAccusations(scene)
  yield* replayAttacks(scene)
}

function* attacksOn(scene: DkgScene): Iterable<Attack> {
  yield* messageAttacks(scene)
  yield* sealedAttacks(scene)
  yield* complaintAttacks(scene)
  yield* replayAttacks(scene)
}

/** The author signs another payload, for all or for one. */
function* payloadAttacks(scene: DkgScene, step: dkg.DkgStep): Iterable<Attack> {
  const message = messageOf(scene.honest, step, scene.sender)
  const signer = identityOf(scene.sender)
  for (const { field: path, mutation, encoded } of mutantsOf(subjectOf(scene, step))) {
    const lie = signedAgain(message, signer, { broadcast: encoded })
    const told = { step, field: `broadcast.${path}`, mutation, by: "sender" as const }
    yield attackAt(scene, { ...told, victim: "all" }, liesToAll(scene, step, lie))
    for (const victim of othersIn(scene)) yield liesToOne(scene, { ...told, victim }, lie)
  }
}

/** The author signs another header: its message is for another place, or echoes something else. */
function* headerAttacks(scene: DkgScene, step: dkg.DkgStep): Iterable<Attack> {
  const { honest, elsewhere, sender, protocol } = scene
  const [victim] = othersIn(scene) as [Identifier]
  const message = messageOf(honest, step, sender)
  const forged = headersSignedAgain(message, identityOf(sender), {
    name: `${protocol}/${step}/header`,
    participants: messageOf(honest, step, victim).header.bytes,
    sessions: messageOf(elsewhere, step, sender).header.bytes,
  })
  for (const { field, mutation, message: lie } of forged) {
    const told = { step, field, mutation, by: "sender" as const }
    yield attackAt(scene, { ...told, victim: "all" }, liesToAll(scene, step, lie))
    yield liesToOne(scene, { ...told, victim }, lie)
  }
}

/** A relay changes bytes under the author's signature, on the way in or on the way out. */
function* relayAttacks(scene: DkgScene, step: dkg.DkgStep): Iterable<Attack> {
  const { honest, sender, protocol, elsewhere } = scene
  const [victim] = othersIn(scene) as [Identifier]
  const message = messageOf(honest, step, sender)
  const forged = altered(message, subjectOf(scene, step), {
    name: `${protocol}/${step}/relay`,
    participants: messageOf(honest, step, victim).header.bytes,
    sessions: messageOf(elsewhere, step, sender).header.bytes,
  })
  for (const { field, mutation, message: forgery } of forged) {
    const told = { step, field, mutation, by: "relay" as const }
    yield attackAt(scene, { ...told, victim: "all" }, inward(scene, step, [forgery]))
    // Only its own part reaches a recipient: what others get is no change to it.
    if (field.startsWith("sealed.") && field !== `sealed.${victim}`) continue
    yield attackAt(scene, { ...told, victim }, outward(message, victim, [forgery]))
  }
  const withheld = { step, field: "message", mutation: "missing", by: "relay" as const }
  yield attackAt(scene, { ...withheld, victim: "all" }, inward(scene, step, []))
  yield attackAt(scene, { ...withheld, victim }, outward(message, victim, []))
  const twice = { ...withheld, mutation: "duplicated" }
  yield attackAt(scene, { ...twice, victim: "all" }, inward(scene, step, [message, message]))
  yield attackAt(scene, { ...twice, victim }, outward(message, victim, [message, message]))
  const silent = { ...withheld, by: "sender" as const, victim: "all" as const }
  yield attackAt(scene, silent, { dishonest: sender, answers: () => null })
}
