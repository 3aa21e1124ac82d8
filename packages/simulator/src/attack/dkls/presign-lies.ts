import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode, fixedBytes } from "@lockkeeper/encoding"
import type { dkls, Message, SignedHeader } from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { altered, headersSignedAgain, type Rewrite, signedAgain } from "../forgery.ts"
import { type Mutant, mutantsOf, type Subject } from "../mutations.ts"
import type { PresignDriver, PresignLie } from "./presign-driver.ts"
import {
  GROUP,
  messageOf,
  type Opened,
  openedOf,
  type PresignScene,
  type SaidStep,
} from "./presign-scene.ts"

const { presignResultCodec, presignStepCodecs, sealedPayloadCodec, sealPart } = dklsInside

/** One thing that a signer or a relay does otherwise. */
export interface PresignChange {
  readonly field: string
  readonly mutation: string
  readonly victim: Identifier | "all"
  readonly by: "sender" | "relay"
  readonly lie: PresignLie
  /** Headers for one place of which different recipients saw one each. */
  readonly shown?: readonly SignedHeader[]
}

type Pick = (driver: PresignDriver, sender: Identifier, step: SaidStep) => Bytes | undefined

/** A message's bytes with those of others, of other runs and of earlier steps to take values from. */
function subject(
  { recorded, again, liar, honest }: PresignScene,
  step: SaidStep,
  name: string,
  codec: Subject["codec"],
  pick: Pick,
): Subject {
  const participants = pick(recorded, honest[0]!, step)
  const sessions = pick(again, liar, step)
  const earlier = step > 1 ? pick(recorded, liar, (step - 1) as SaidStep) : undefined
  return {
    ...{ name: `${name}/${step}`, codec, encoded: pick(recorded, liar, step)!, group: GROUP },
    ...(participants && { participants }),
    ...(sessions && { sessions }),
    ...(earlier && { earlier }),
  }
}

/** Another message of the liar at a step, rightly signed. */
function signs(scene: PresignScene, step: SaidStep, message: Message): PresignLie {
  const instead = (at: dkls.PresignStep, said: Message) => (at === step ? message : said)
  return { liar: scene.liar, from: step, message: instead }
}

function signsRewritten(scene: PresignScene, step: SaidStep, change: Rewrite): PresignLie {
  const { recorded, liar, identity } = scene
  return signs(scene, step, signedAgain(messageOf(recorded, step, liar), identity, change))
}

const ALL = { victim: "all", by: "sender" } as const

/** Every field of the liar's header, signed by it. */
export function* headerLies(scene: PresignScene, step: SaidStep): Generator<PresignChange> {
  const { recorded, again, liar, honest, identity } = scene
  const header = (driver: PresignDriver, sender: Identifier) =>
    messageOf(driver, step, sender).header.bytes
  const forgeries = headersSignedAgain(messageOf(recorded, step, liar), identity, {
    name: `header/${step}`,
    participants: header(recorded, honest[0]!),
    sessions: header(again, liar),
    ...(step > 1 && { earlier: messageOf(recorded, (step - 1) as SaidStep, liar).broadcast }),
  })
  for (const { field, mutation, message } of forgeries) {
    yield { ...ALL, field, mutation, lie: signs(scene, step, message) }
  }
}

/** Every field of what the liar tells everyone. */
export function* broadcastLies(scene: PresignScene, step: SaidStep): Generator<PresignChange> {
  const codec = presignStepCodecs(scene.recorded.params.count)[step - 1]!.broadcast
  const pick: Pick = (driver, sender, at) => messageOf(driver, at, sender).broadcast
  for (const { field, mutation, encoded } of mutantsOf(
    subject(scene, step, "broadcast", codec, pick),
  )) {
    const lie = signsRewritten(scene, step, { broadcast: encoded })
    yield { ...ALL, field: `broadcast.${field}`, mutation, lie }
  }
}

/** Every field of a part that is not sealed, and bytes of a ciphertext, for one recipient. */
export function* partLies(
  scene: PresignScene,
  step: 1 | 2 | 3,
  victim: Identifier,
): Generator<PresignChange> {
  const { recorded, liar } = scene
  const { sealed } = messageOf(recorded, step, liar)
  const raw = fixedBytes(sealed.get(victim)!.length)
  const product = presignStepCodecs(recorded.params.count)[0]!.product
  const codec = step === 1 && product ? product : raw
  const pick: Pick = (driver, sender, at) => {
    const { sealed } = messageOf(driver, at, sender)
    return sealed.get(victim) ?? [...sealed.values()][0]
  }
  for (const { field, mutation, encoded } of mutantsOf(
    subject(scene, step, `part/${victim}`, codec, pick),
  )) {
    const lie = signsRewritten(scene, step, { sealed: new Map([...sealed, [victim, encoded]]) })
    yield { field: dotted("part", field), mutation, victim, by: "sender", lie }
  }
  const without = new Map([...sealed].filter(([recipient]) => recipient !== victim))
  const lie = signsRewritten(scene, step, { sealed: without })
  yield { field: "parts", mutation: "missing", victim, by: "sender", lie }
}

function dotted(place: string, field: string): string {
  return field === "" ? place : `${place}.${field}`
}

/** Seals other content; the digest that everyone sees is that of `payload`. */
export function seals(
  scene: PresignScene,
  step: 2 | 3,
  opened: Opened,
  payload: Bytes,
  contentFor: (recipient: Identifier) => Bytes,
): PresignLie {
  const { recorded, liar: sender } = scene
  const sessionId = recorded.session()
  const result = (at: dkls.PresignStep, computed: Bytes): Bytes => {
    if (at !== step) return computed
    const { result: made, carried } = decode(presignResultCodec, computed)
    if (made.kind !== "sealed") return computed
    const parts = new Map<Identifier, Bytes>()
    for (const recipient of made.parts.keys()) {
      const place = { sessionId, step, sender, recipient }
      parts.set(recipient, sealPart(opened.secrets.get(recipient)!, place, contentFor(recipient)))
    }
    return encode(presignResultCodec, { result: { ...made, payload, parts }, carried })
  }
  return { liar: sender, from: step, result }
}

/** Every field of what the liar publishes to the signers alone: sealed to each, the same to all. */
export function* payloadLies(scene: PresignScene, step: 2 | 3): Generator<PresignChange> {
  const { recorded, liar } = scene
  const codec = presignStepCodecs(recorded.params.count)[step - 1]!.payload!
  const opened = openedOf(scene, recorded, step, liar)
  const pick: Pick = (driver, sender, at) =>
    at === 2 || at === 3 ? openedOf(scene, driver, at, sender).payload : undefined
  for (const { field, mutation, encoded } of mutantsOf(
    subject(scene, step, "payload", codec, pick),
  )) {
    const content = (recipient: Identifier) =>
      encode(sealedPayloadCodec, { payload: encoded, product: opened.products.get(recipient)! })
    const lie = seals(scene, step, opened, encoded, content)
    yield { ...ALL, field: dotted("payload", field), mutation, lie }
  }
}

/** Every field of what is sealed to one recipient alone, and another payload than was announced. */
export function* sealedLies(
  scene: PresignScene,
  step: 2 | 3,
  victim: Identifier,
): Generator<PresignChange> {
  const { recorded, liar } = scene
  const opened = openedOf(scene, recorded, step, liar)
  const whole = (recipient: Identifier, product = opened.products.get(recipient)!) =>
    encode(sealedPayloadCodec, { payload: opened.payload, product })
  const to = (changed: Bytes) => (recipient: Identifier) =>
    recipient === victim ? changed : whole(recipient)
  const changes: { field: string; mutant: Mutant; content: Bytes }[] = []
  const product = presignStepCodecs(recorded.params.count)[1]!.product!
  if (step === 2) {
    const pick: Pick = (driver, sender, at) => {
      if (at !== 2) return undefined
      const { products } = openedOf(scene, driver, at, sender)
      return products.get(victim) ?? [...products.values()][0]
    }
    for (const mutant of mutantsOf(subject(scene, step, `product/${victim}`, product, pick))) {
      const content = whole(victim, mutant.encoded)
      changes.push({ field: dotted("product", mutant.field), mutant, content })
    }
  }
  const frame = { name: `sealed/${victim}`, codec: sealedPayloadCodec, encoded: whole(victim) }
  for (const mutant of mutantsOf(frame)) {
    changes.push({ field: dotted("opened", mutant.field), mutant, content: mutant.encoded })
  }
  for (const { field, mutant, content } of changes) {
    const lie = seals(scene, step, opened, opened.payload, to(content))
    yield { field, mutation: mutant.mutation, victim, by: "sender", lie }
  }
}

/** What a relay can make of an honest signer's message on the way to one recipient. */
export function* relayLies(
  scene: PresignScene,
  step: SaidStep,
  author: Identifier,
  victim: Identifier,
): Generator<PresignChange> {
  const { recorded, again } = scene
  const whole = messageOf(recorded, step, author)
  const own = whole.sealed.get(victim)
  const delivered = { ...whole, sealed: new Map(own ? [[victim, own]] : []) }
  const name = `relay/${step}`
  const sessions = messageOf(again, step, author)
  const codec = presignStepCodecs(recorded.params.count)[step - 1]!.broadcast
  const payload = { name, codec, encoded: whole.broadcast, sessions: sessions.broadcast }
  const forgeries = altered(
    delivered,
    { ...payload, group: GROUP },
    { name, sessions: sessions.header.bytes },
  )
  for (const { field, mutation, message } of forgeries) {
    const lie: PresignLie = {
      ...{ liar: null, from: (step + 1) as dkls.PresignStep },
      deliver: (at, recipient, messages) =>
        at === step + 1 && recipient === victim
          ? messages.map((said) => (isFrom(said, whole) ? message : said))
          : messages,
    }
    yield { field, mutation, victim, by: "relay", lie }
  }
}

export function isFrom(said: Message, whole: Message): boolean {
  return Buffer.compare(said.header.bytes, whole.header.bytes) === 0
}
