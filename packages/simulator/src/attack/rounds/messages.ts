import type { Identifier } from "@lockkeeper/crypto"
import type { Message } from "@lockkeeper/protocols"
import { altered, headersSignedAgain, signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { identityOf } from "../seeded.ts"
import { messageOf, saidOf } from "./drive.ts"
import {
  attackAt,
  inward,
  liesToAll,
  liesToOne,
  mutantsIn,
  outward,
  type Scene,
  subjectOf,
} from "./scene.ts"

/** Everything that can be done to the sender's message of one step, its sealed parts' content apart. */
export function* messageAttacks<Task>(scene: Scene<Task>, step: string): Iterable<Attack> {
  yield* payloadAttacks(scene, step)
  yield* headerAttacks(scene, step)
  yield* relayAttacks(scene, step)
}

/** The author signs another payload, for all or for one. */
function* payloadAttacks<Task>(scene: Scene<Task>, step: string): Iterable<Attack> {
  const message = messageOf(scene.honest, step, scene.sender)
  const signer = identityOf(scene.sender)
  const mutants = mutantsIn(scene.groups, subjectOf(scene, step))
  for (const { field: path, mutation, encoded } of mutants) {
    const lie = signedAgain(message, signer, { broadcast: encoded })
    const told = { step, field: `broadcast.${path}`, mutation, by: "sender" as const }
    yield attackAt(scene, { ...told, victim: "all" }, liesToAll(scene, step, lie))
    for (const victim of scene.victimsOf(step)) yield liesToOne(scene, { ...told, victim }, lie)
  }
}

/** Headers of the same step by another participant and in another session. */
function otherHeaders<Task>({ honest, elsewhere, rounds, sender }: Scene<Task>, step: string) {
  const other = rounds.participants.find((i) => i !== sender && saidOf(honest, step, i))
  const participants = other === undefined ? undefined : messageOf(honest, step, other)
  const sessions = saidOf(elsewhere, step, sender)
  return {
    ...(participants && { participants: participants.header.bytes }),
    ...(sessions && { sessions: sessions.header.bytes }),
  }
}

/** The author signs another header: its message is for another place, or echoes something else. */
function* headerAttacks<Task>(scene: Scene<Task>, step: string): Iterable<Attack> {
  const { honest, sender, protocol } = scene
  const message = messageOf(honest, step, sender)
  const forged = headersSignedAgain(message, identityOf(sender), {
    name: `${protocol}/${step}/header/${sender}`,
    ...otherHeaders(scene, step),
  })
  const [victim] = scene.victimsOf(step)
  for (const { field, mutation, message: lie } of forged) {
    const told = { step, field, mutation, by: "sender" as const }
    yield attackAt(scene, { ...told, victim: "all" }, liesToAll(scene, step, lie))
    if (victim !== undefined) yield liesToOne(scene, { ...told, victim }, lie)
  }
}

/** A relay changes bytes under the author's signature, on the way in or on the way out. */
function* relayAttacks<Task>(scene: Scene<Task>, step: string): Iterable<Attack> {
  const { honest, sender, protocol } = scene
  const message = messageOf(honest, step, sender)
  const forged = altered(message, subjectOf(scene, step), {
    name: `${protocol}/${step}/relay/${sender}`,
    ...otherHeaders(scene, step),
  })
  const [victim] = scene.victimsOf(step)
  for (const { field, mutation, message: forgery } of forged) {
    const told = { step, field, mutation, by: "relay" as const }
    yield attackAt(scene, { ...told, victim: "all" }, inward(scene, step, [forgery]))
    // Only its own part reaches a recipient: what others get is no change to it.
    if (victim === undefined || isOfAnother(field, victim)) continue
    yield attackAt(scene, { ...told, victim }, outward(message, victim, [forgery]))
  }
  yield* put(scene, step, "missing", [])
  yield* put(scene, step, "duplicated", [message, message])
  const told = { step, field: "message", mutation: "missing", victim: "all" as const }
  const silence = { dishonest: sender, answers: () => null }
  yield attackAt(scene, { ...told, by: "sender" }, silence)
}

function isOfAnother(field: string, victim: Identifier): boolean {
  return field.startsWith("sealed.") && field !== `sealed.${victim}`
}

/** A relay puts other messages in the place of the sender's, towards the coordinator or a victim. */
export function* put<Task>(
  scene: Scene<Task>,
  step: string,
  mutation: string,
  messages: readonly Message[],
): Iterable<Attack> {
  const told = { step, field: "message", mutation, by: "relay" as const }
  yield attackAt(scene, { ...told, victim: "all" }, inward(scene, step, messages))
  const [victim] = scene.victimsOf(step)
  if (victim === undefined) return
  const truth = messageOf(scene.honest, step, scene.sender)
  yield attackAt(scene, { ...told, victim }, outward(truth, victim, messages))
}
