import { type Identifier, type Secret, xwingKeyPair } from "@lockkeeper/crypto"
import { type Bytes, type Codec, decode } from "@lockkeeper/encoding"
import {
  headerCodec,
  type Message,
  openFirst,
  type SealedPlace,
  sealFirst,
} from "@lockkeeper/protocols"
import { sealedPartCodec } from "@lockkeeper/protocols/payloads"
import { signedAgain } from "../forgery.ts"
import type { Attack } from "../harness.ts"
import { mutantsOf } from "../mutations.ts"
import { identityOf } from "../seeded.ts"
import { checkpointOf, messageOf, type Recorded } from "./drive.ts"
import {
  after,
  attackAt,
  firstStep,
  liesToAll,
  mutantsIn,
  type Scene,
  subjectOf,
  type Told,
} from "./scene.ts"

/** What opens and makes sealed parts, in the states of their participants. */
export interface Secrets {
  /** What others seal to: in the state after the first step. */
  sealingSeed(opened: Bytes): Secret
  /** How the author sealed its part for `recipient`: in its state after the step that carries it. */
  randomness(stored: Bytes, step: string, recipient: Identifier): Secret
}

function placeOf(message: Message, recipient: Identifier): SealedPlace {
  return { slot: decode(headerCodec, message.header.bytes), recipient }
}

function seedOf<Task>(
  scene: Scene<Task>,
  secrets: Secrets,
  recorded: Recorded<Task>,
  recipient: Identifier,
): Secret {
  const { stored } = checkpointOf(recorded, after(scene, firstStep(scene)))
  return secrets.sealingSeed(stored.get(recipient) as Bytes)
}

/** What the sender sealed, as its recipient opens it. */
export function openedBy<Task>(
  scene: Scene<Task>,
  secrets: Secrets,
  recorded: Recorded<Task>,
  { step, recipient }: { readonly step: string; readonly recipient: Identifier },
): Bytes {
  const message = messageOf(recorded, step, scene.sender)
  const seed = seedOf(scene, secrets, recorded, recipient)
  const part = message.sealed.get(recipient) as Bytes
  return openFirst(placeOf(message, recipient), seed, part)!.payload
}

/** Seals other bytes with the author's own randomness, which it reveals when it is accused. */
export function resealed<Task>(
  scene: Scene<Task>,
  secrets: Secrets,
  { step, recipient }: { readonly step: string; readonly recipient: Identifier },
  payload: Bytes,
): Bytes {
  const { honest, sender } = scene
  const seed = seedOf(scene, secrets, honest, recipient)
  const { publicKey } = xwingKeyPair(seed.expose())
  const { stored } = checkpointOf(honest, after(scene, step))
  const randomness = secrets.randomness(stored.get(sender) as Bytes, step, recipient)
  const place = placeOf(messageOf(honest, step, sender), recipient)
  return sealFirst(place, publicKey, randomness.expose(), payload).part
}

/** Everything the sender can seal to one recipient instead of what it owes, and sign. */
export function* sealedAttacks<Task>(
  scene: Scene<Task>,
  secrets: Secrets,
  step: string,
): Iterable<Attack> {
  const message = messageOf(scene.honest, step, scene.sender)
  const signer = identityOf(scene.sender)
  const recipients = [...message.sealed.keys()]
  const lies = (told: Told, sealed: ReadonlyMap<Identifier, Bytes>) =>
    attackAt(scene, told, liesToAll(scene, step, signedAgain(message, signer, { sealed })))
  const told = { step, by: "sender" as const }
  for (const victim of recipients.slice(0, 2)) {
    const instead = (part: Bytes) => new Map(message.sealed).set(victim, part)
    for (const { field, mutation, encoded } of payloadMutants(scene, secrets, step, victim)) {
      const part = resealed(scene, secrets, { step, recipient: victim }, encoded)
      yield lies({ ...told, field: `share.${field}`, mutation, victim }, instead(part))
    }
    for (const { field, mutation, encoded } of partMutants(scene, step, victim)) {
      yield lies({ ...told, field: `sealed.${field}`, mutation, victim }, instead(encoded))
    }
    const without = new Map(message.sealed)
    without.delete(victim)
    yield lies({ ...told, field: "sealed", mutation: "missing", victim }, without)
  }
  const extra = new Map(message.sealed).set(77, new Uint8Array(40))
  yield lies({ ...told, field: "sealed", mutation: "duplicated", victim: "all" }, extra)
}

function payloadMutants<Task>(
  scene: Scene<Task>,
  secrets: Secrets,
  step: string,
  victim: Identifier,
) {
  const { honest, elsewhere, protocol, sender, codecs, groups } = scene
  const others = [...messageOf(honest, step, sender).sealed.keys()].filter((i) => i !== victim)
  const of = (recorded: Recorded<Task>, recipient: Identifier) =>
    openedBy(scene, secrets, recorded, { step, recipient })
  return mutantsIn(groups, {
    name: `${protocol}/${step}/${sender}/share/${victim}`,
    codec: codecs.get(step)?.sealed as Codec<unknown>,
    encoded: of(honest, victim),
    ...(others[0] !== undefined && { participants: of(honest, others[0]) }),
    sessions: of(elsewhere, victim),
    earlier: subjectOf(scene, firstStep(scene)).encoded,
  })
}

function partMutants<Task>(scene: Scene<Task>, step: string, victim: Identifier) {
  const { honest, elsewhere, protocol, sender } = scene
  const { sealed } = messageOf(honest, step, sender)
  const other = [...sealed.keys()].find((i) => i !== victim)
  return mutantsOf({
    name: `${protocol}/${step}/${sender}/part/${victim}`,
    codec: sealedPartCodec as Codec<unknown>,
    encoded: sealed.get(victim) as Bytes,
    ...(other !== undefined && { participants: sealed.get(other) as Bytes }),
    sessions: messageOf(elsewhere, step, sender).sealed.get(victim) as Bytes,
  })
}
