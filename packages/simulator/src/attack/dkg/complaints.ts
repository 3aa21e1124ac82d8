import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, encode } from "@lockkeeper/encoding"
import type { dkg, Message } from "@lockkeeper/protocols"
import { altered, headersSignedAgain, signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { mutantsOf } from "../mutations.ts"
import { identityOf } from "../seeded.ts"
import { type Meddling, messageOf, type Recorded, record } from "./run.ts"
import { attackAt, type DkgScene, liesToAll, othersIn, subjectOf } from "./scene.ts"
import { resealed } from "./sealed.ts"

type Complaint = { readonly kind: "complain"; readonly dealers: readonly Identifier[] }

/** False accusations, and everything that can be wrong with a dealer's answer to a true one. */
export function* complaintAttacks(scene: DkgScene): Iterable<Attack> {
  yield* falseAccusations(scene)
  yield* answersOfAGuiltyDealer(scene)
  yield accusedByAll(scene)
  yield* answersOfAnAccusedDealer(scene)
}

function complaint(scene: DkgScene, dealers: readonly Identifier[]): Message {
  const codec = scene.codecs.get("verdict")!.broadcast as Codec<Complaint>
  const broadcast = encode(codec, { kind: "complain", dealers })
  const message = messageOf(scene.honest, "verdict", scene.sender)
  return signedAgain(message, identityOf(scene.sender), { broadcast })
}

export function* falseAccusations(scene: DkgScene): Iterable<Attack> {
  const { sender, honest } = scene
  const others = othersIn(scene)
  const told = { step: "verdict" as const, by: "sender" as const, mutation: "false accusation" }
  const lists = [...others.map((other) => [other]), others, [sender], [99], [], [...others, 99]]
  for (const dealers of lists) {
    const attack = { ...told, field: `dealers ${dealers.join(" ")}`, victim: "all" as const }
    yield attackAt(scene, attack, liesToAll(scene, "verdict", complaint(scene, dealers)))
  }
  const twice = subjectOf(scene, "verdict").codec
  const both = complaint(scene, others)
  for (const { field, mutation, encoded } of mutantsOf({
    name: `${scene.protocol}/complaint`,
    codec: twice,
    encoded: both.broadcast,
  })) {
    const message = messageOf(honest, "verdict", sender)
    const lie = signedAgain(message, identityOf(sender), { broadcast: encoded })
    const attack = { ...told, field: `complaint.${field}`, mutation, victim: "all" as const }
    yield attackAt(scene, attack, liesToAll(scene, "verdict", lie))
  }
  const alone = { ...told, mutation: "false accusation, answer withheld", by: "sender" as const }
  const [victim] = others as [Identifier]
  yield attackAt(
    scene,
    { ...alone, field: `dealers ${victim}`, victim },
    {
      ...liesToAll(scene, "verdict", complaint(scene, [victim])),
      collects: (step, _from, message) => (step === "answer" ? [] : [message]),
    },
  )
}

/** The dealer sealed a wrong share to the victim, which complains; now it answers. */
function dealtWrongly(scene: DkgScene): { readonly victim: Identifier; readonly base: Meddling } {
  const [victim] = othersIn(scene) as [Identifier]
  const message = messageOf(scene.honest, "reveal", scene.sender)
  const part = resealed(scene, victim, new Uint8Array(32).fill(1))
  const sealed = new Map(message.sealed).set(victim, part)
  const lie = signedAgain(message, identityOf(scene.sender), { sealed })
  return { victim, base: liesToAll(scene, "reveal", lie) }
}

function* answersOfAGuiltyDealer(scene: DkgScene): Iterable<Attack> {
  const { victim, base } = dealtWrongly(scene)
  const guilty = record(scene.setting, base)
  const told = { step: "answer" as const, by: "sender" as const, victim }
  const message = messageOf(guilty, "answer", scene.sender)
  const signer = identityOf(scene.sender)
  for (const { field, mutation, encoded } of answerMutants(scene, guilty)) {
    const lie = signedAgain(message, signer, { broadcast: encoded })
    const attack = { ...told, field: `broadcast.${field}`, mutation }
    yield attackAt(scene, attack, liesToAll(scene, "answer", lie), guilty)
  }
  const headers = headersSignedAgain(message, signer, { name: `${scene.protocol}/answer/header` })
  for (const { field, mutation, message: lie } of headers) {
    const attack = { ...told, field, mutation }
    yield attackAt(scene, attack, liesToAll(scene, "answer", lie), guilty)
  }
  const silence = { ...told, field: "message", mutation: "missing" }
  yield attackAt(scene, silence, { dishonest: scene.sender, answers: () => null }, guilty)
}

/** A dealer that everyone accuses, rightly, and that is silent: no answer is needed to name it. */
function accusedByAll(scene: DkgScene): Attack {
  const message = messageOf(scene.honest, "reveal", scene.sender)
  const wrong = new Uint8Array(32).fill(1)
  const sealed = new Map(othersIn(scene).map((i) => [i, resealed(scene, i, wrong)]))
  const lie = signedAgain(message, identityOf(scene.sender), { sealed })
  const guilty = record(scene.setting, liesToAll(scene, "reveal", lie))
  const told = { step: "answer", by: "sender", victim: "all" } as const
  const silence = { ...told, field: "message", mutation: "missing" }
  return attackAt(scene, silence, { dishonest: scene.sender, answers: () => null }, guilty)
}

function answerMutants(scene: DkgScene, recorded: Recorded) {
  const earlier: Bytes = messageOf(scene.honest, "open", scene.sender).broadcast
  return mutantsOf({ ...subjectOf(scene, "answer", recorded), earlier })
}

/**
 * An honest dealer answers a false accusation, and a relay alters the answer: to the accuser's help,
 * if it could get the dealer named.
 */
function* answersOfAnAccusedDealer(scene: DkgScene): Iterable<Attack> {
  const [accuser] = othersIn(scene) as [Identifier]
  const seen = { ...scene, sender: accuser }
  const accusing = liesToAll(seen, "verdict", complaint(seen, [scene.sender]))
  const disputed = record(scene.setting, accusing)
  const message = messageOf(disputed, "answer", scene.sender)
  const payload = { ...subjectOf(scene, "answer", disputed) }
  const forged = altered(message, payload, { name: `${scene.protocol}/answer/relay` })
  for (const { field, mutation, message: forgery } of forged) {
    const told = { step: "answer" as const, by: "relay" as const, field, mutation }
    const collects = (step: dkg.DkgStep, from: Identifier, sent: Message) =>
      step === "answer" && from === scene.sender ? [forgery] : [sent]
    const attack = { ...told, victim: "all" as const }
    yield attackAt(scene, attack, { dishonest: accuser, collects }, disputed)
  }
}
