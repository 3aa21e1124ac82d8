import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, type Codec, encode } from "@lockkeeper/encoding"
import type { Message } from "@lockkeeper/protocols"
import { altered, headersSignedAgain, signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { type Mutant, mutantsOf } from "../mutations.ts"
import { identityOf } from "../seeded.ts"
import { messageOf, type Recorded, record } from "./drive.ts"
import { attackAt, firstStep, liesToAll, type Scene, subjectOf } from "./scene.ts"
import { openedBy, resealed, type Secrets } from "./sealed.ts"

/** Instead of the index of a key: the part as a whole. */
export const WHOLE_PART = 0xffff

/** Name of the step in which accused participants say how they sealed. */
const ANSWER = "answer"

interface Complaint {
  readonly dealer: Identifier
  readonly index: number
}

/** Where in a protocol parts are complained of, and by whom. */
export interface Dispute {
  /** The step that carries the parts. */
  readonly sealedAt: string
  readonly complainsAt: string
}

function complaining<Task>(
  scene: Scene<Task>,
  { complainsAt }: Dispute,
  accuser: Identifier,
  complaints: readonly Complaint[],
): Message {
  const codec = scene.codecs.get(complainsAt)?.broadcast as Codec<unknown>
  const broadcast = encode(codec, { kind: "complain", complaints })
  const message = messageOf(scene.honest, complainsAt, accuser)
  // Whoever complains seals nothing.
  return signedAgain(message, identityOf(accuser), { broadcast, sealed: new Map() })
}

/**
 * False accusations by the scene's sender, and a relay that alters the answer to one: to the accuser's
 * help, if it could get the honest one named.
 */
export function* falseAccusations<Task>(
  scene: Scene<Task>,
  dispute: Dispute,
  accused: readonly Identifier[],
): Iterable<Attack> {
  const { sender, groups } = scene
  const { complainsAt } = dispute
  const told = { step: complainsAt, by: "sender" as const, mutation: "false accusation" }
  const last = groups.length - 1
  const [victim] = accused as [Identifier]
  const about = (index: number) => accused.map((dealer) => ({ dealer, index }))
  const lists: readonly (readonly Complaint[])[] = [
    ...[0, last, WHOLE_PART].flatMap((index) => about(index).map((one) => [one])),
    ...[about(0), about(WHOLE_PART), []],
    ...[groups.length, 0xfffe].map((index) => [{ dealer: victim, index }]),
    ...[sender, 99].map((dealer) => [{ dealer, index: 0 }]),
    [...about(0), { dealer: 99, index: 0 }],
    [about(0)[0]!, about(last)[0]!],
    [...about(0)].reverse(),
  ]
  const seen = new Set<string>()
  for (const complaints of lists) {
    const field = `complaint ${complaints.map((c) => `${c.dealer}:${c.index}`).join(" ")}`
    if (seen.has(field)) continue
    seen.add(field)
    const lie = complaining(scene, dispute, sender, complaints)
    const meddling = liesToAll(scene, complainsAt, lie)
    yield attackAt(scene, { ...told, field, victim: "all" }, meddling)
  }
  const one = complaining(scene, dispute, sender, about(0))
  const mutants = mutantsOf({
    name: `${scene.protocol}/complaint/${sender}`,
    codec: scene.codecs.get(complainsAt)?.broadcast as Codec<unknown>,
    encoded: one.broadcast,
  })
  for (const { field, mutation, encoded } of mutants) {
    const lie = signedAgain(one, identityOf(sender), { broadcast: encoded })
    const attack = { ...told, field: `complaint.${field}`, mutation, victim: "all" as const }
    yield attackAt(scene, attack, liesToAll(scene, complainsAt, lie))
  }
  yield* unanswered(scene, dispute, victim)
  yield* answersOfAnAccused(scene, dispute, victim)
}

function* unanswered<Task>(
  scene: Scene<Task>,
  dispute: Dispute,
  victim: Identifier,
): Iterable<Attack> {
  const step = dispute.complainsAt
  const lie = complaining(scene, dispute, scene.sender, [{ dealer: victim, index: 0 }])
  const mutation = "false accusation, answer withheld"
  const told = { step, by: "sender" as const, mutation, field: `complaint ${victim}`, victim }
  yield attackAt(scene, told, {
    ...liesToAll(scene, step, lie),
    collects: (at, _from, message) => (at === ANSWER ? [] : [message]),
  })
}

/** An honest participant answers a false accusation, and a relay alters the answer. */
function* answersOfAnAccused<Task>(
  scene: Scene<Task>,
  dispute: Dispute,
  accused: Identifier,
): Iterable<Attack> {
  const { sender: accuser, protocol, rounds } = scene
  const lie = complaining(scene, dispute, accuser, [{ dealer: accused, index: 0 }])
  const disputed = record(rounds, liesToAll(scene, dispute.complainsAt, lie))
  const seen = { ...scene, sender: accused }
  const message = messageOf(disputed, ANSWER, accused)
  const name = `${protocol}/${dispute.complainsAt}/answer/relay`
  const forged = altered(message, subjectOf(seen, ANSWER, disputed), { name })
  for (const { field, mutation, message: forgery } of forged) {
    const told = { step: ANSWER, by: "relay" as const, field, mutation, victim: "all" as const }
    const collects = (step: string, from: Identifier, sent: Message) =>
      step === ANSWER && from === accused ? [forgery] : [sent]
    yield attackAt(seen, told, { dishonest: accuser, collects }, disputed)
  }
}

/** What the sender seals to whom, wrongly, before it is rightly accused of it. */
interface Guilt {
  readonly what: string
  readonly wrong: ReadonlyMap<Identifier, Bytes>
}

function guiltsOf<Task>(
  scene: Scene<Task>,
  secrets: Secrets,
  step: string,
  victims: readonly Identifier[],
): readonly Guilt[] {
  const { groups } = scene
  const [victim] = victims as [Identifier]
  const right = openedBy(scene, secrets, scene.honest, { step, recipient: victim })
  const sealing = (to: Identifier, payload: Bytes) =>
    resealed(scene, secrets, { step, recipient: to }, payload)
  const at = (index: number): Bytes => {
    const payload = right.slice()
    // Still below every order: the first byte is the lowest or the highest.
    payload.fill(1, 32 * index, 32 * (index + 1))
    return payload
  }
  const alone = (what: string, part: Bytes): Guilt => ({ what, wrong: new Map([[victim, part]]) })
  const foreign = messageOf(scene.elsewhere, step, scene.sender).sealed.get(victim) as Bytes
  return [
    alone("first share", sealing(victim, at(0))),
    alone("last share", sealing(victim, at(groups.length - 1))),
    alone("too few shares", sealing(victim, right.slice(32))),
    alone("sealed elsewhere", foreign),
    ...(victims.length > 1
      ? [{ what: "to all", wrong: new Map(victims.map((to) => [to, sealing(to, at(0))])) }]
      : []),
  ]
}

/**
 * The sender sealed something wrong, its victims complain, and it answers: rightly, in every wrong way,
 * or not at all.
 */
export function* answersOfTheGuilty<Task>(
  scene: Scene<Task>,
  secrets: Secrets,
  { sealedAt }: Dispute,
): Iterable<Attack> {
  const { sender, rounds, protocol } = scene
  const signer = identityOf(sender)
  const message = messageOf(scene.honest, sealedAt, sender)
  const victims = [...message.sealed.keys()]
  for (const [nth, { what, wrong }] of guiltsOf(scene, secrets, sealedAt, victims).entries()) {
    const sealed = new Map([...message.sealed, ...wrong])
    const lie = signedAgain(message, signer, { sealed })
    const guilty = record(rounds, liesToAll(scene, sealedAt, lie))
    const victim = wrong.size > 1 ? ("all" as const) : (victims[0] as Identifier)
    const told = { step: ANSWER, by: "sender" as const, victim }
    const prefix = `${sealedAt} ${what}`
    const silence = { ...told, field: `${prefix} message`, mutation: "missing" }
    yield attackAt(scene, silence, { dishonest: sender, answers: () => null }, guilty)
    const answer = messageOf(guilty, ANSWER, sender)
    for (const { field, mutation, encoded } of answerMutants(scene, guilty)) {
      const other = signedAgain(answer, signer, { broadcast: encoded })
      const attack = { ...told, field: `${prefix} broadcast.${field}`, mutation }
      yield attackAt(scene, attack, liesToAll(scene, ANSWER, other), guilty)
    }
    if (nth > 0) continue
    const headers = headersSignedAgain(answer, signer, { name: `${protocol}/answer/header` })
    for (const { field, mutation, message: other } of headers) {
      const attack = { ...told, field, mutation }
      yield attackAt(scene, attack, liesToAll(scene, ANSWER, other), guilty)
    }
  }
}

function answerMutants<Task>(scene: Scene<Task>, recorded: Recorded<Task>): Mutant[] {
  const earlier = messageOf(scene.honest, firstStep(scene), scene.sender).broadcast
  return mutantsOf({ ...subjectOf(scene, ANSWER, recorded), earlier })
}
