import type { Identifier } from "@lockkeeper/crypto"
import type { dkg, KeyType, Message } from "@lockkeeper/protocols"
import { signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { identityOf } from "../seeded.ts"
import { inward, outward } from "./relay.ts"
import { messageOf, record, settingOf } from "./run.ts"
import { attackAt, type DkgScene, othersIn } from "./scene.ts"

const OTHER_KEY = new Uint8Array(32).fill(7)

const STEPS = ["open", "reveal", "verdict"] as const

/** Messages out of place: of other runs, steps, tries and rosters, and two for one place. */
export function* replayAttacks(scene: DkgScene): Iterable<Attack> {
  const { params } = scene.setting
  const { additive } = params
  const keyType = params.keyType as KeyType
  const others = {
    "another session's message": scene.elsewhere,
    "an earlier attempt's message": record(settingOf(keyType, { additive, attempt: 2 })),
    "another epoch's message": record(settingOf(keyType, { additive, rosterEpoch: 8 })),
    "another key's message": record(settingOf(keyType, { additive, keyId: OTHER_KEY })),
  }
  const [victim] = othersIn(scene) as [Identifier]
  for (const step of STEPS) {
    const truth = messageOf(scene.honest, step, scene.sender)
    const put = function* (mutation: string, instead: readonly Message[]): Iterable<Attack> {
      const told = { step, field: "message", mutation }
      yield attackAt(scene, { ...told, by: "relay", victim: "all" }, inward(scene, step, instead))
      yield attackAt(scene, { ...told, by: "relay", victim }, outward(truth, victim, instead))
      const lies = { dishonest: scene.sender, answers: answersWith(step, instead) }
      yield attackAt(scene, { ...told, by: "sender", victim: "all" }, lies)
    }
    for (const [mutation, recorded] of Object.entries(others)) {
      yield* put(mutation, [messageOf(recorded, step, scene.sender)])
    }
    for (const other of STEPS) {
      if (other === step) continue
      const mutation = `the message of ${other}`
      yield* put(mutation, [messageOf(scene.honest, other, scene.sender)])
    }
    yield* put("another participant's message", [messageOf(scene.honest, step, victim)])
    yield* equivocations(scene, step)
  }
}

function answersWith(step: dkg.DkgStep, instead: readonly Message[]) {
  return (at: dkg.DkgStep, message: Message) => (at === step ? instead : [message])
}

/** Two signed messages for one place, in both orders, given to one coordinator. */
function* equivocations(scene: DkgScene, step: dkg.DkgStep): Iterable<Attack> {
  const truth = messageOf(scene.honest, step, scene.sender)
  const signer = identityOf(scene.sender)
  const shorter = truth.broadcast.slice(0, -1)
  const lies = [
    signedAgain(truth, signer, { broadcast: shorter }),
    signedAgain(truth, signer, { header: { previousDigest: new Uint8Array(32).fill(9) } }),
    messageAgain(scene, step),
  ]
  const told = { step, field: "message", by: "sender" as const, victim: "all" as const }
  for (const [i, lie] of lies.entries()) {
    for (const instead of [
      [truth, lie],
      [lie, truth],
    ]) {
      const mutation = `equivocation ${i}${instead[0] === lie ? ", reversed" : ""}`
      const answers = answersWith(step, instead)
      yield attackAt(scene, { ...told, mutation }, { dishonest: scene.sender, answers })
    }
  }
}

/** Another message that is faultless by itself: what a restored server would sign. */
function messageAgain(scene: DkgScene, step: dkg.DkgStep): Message {
  const { broadcast, sealed } = messageOf(scene.elsewhere, step, scene.sender)
  const truth = messageOf(scene.honest, step, scene.sender)
  return signedAgain(truth, identityOf(scene.sender), { broadcast, sealed })
}
