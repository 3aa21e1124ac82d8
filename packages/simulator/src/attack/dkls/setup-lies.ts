import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import type { dkls, Message } from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { altered, headersSignedAgain, type Rewrite, signedAgain } from "../forgery.ts"
import { type Mutant, mutantsOf, type Subject } from "../mutations.ts"
import { some } from "./computed-lies.ts"
import { isFrom } from "./presign-lies.ts"
import { GROUP } from "./presign-scene.ts"
import type { SetupDriver, SetupLie } from "./setup-driver.ts"
import { type SetupSaidStep, type SetupScene, setupMessageOf } from "./setup-scene.ts"

const { framedCodec, setupResultCodec, setupStepCodecs, setupTaskCodec } = dklsInside

/** One thing that a participant or a relay does otherwise. */
export interface SetupChange {
  readonly field: string
  readonly mutation: string
  readonly victim: Identifier | "all"
  readonly by: "sender" | "relay"
  readonly lie: SetupLie
}

type Pick = (driver: SetupDriver, sender: Identifier, step: SetupSaidStep) => Bytes | undefined

function subject(
  { recorded, again, liar, honest }: SetupScene,
  step: SetupSaidStep,
  name: string,
  codec: Subject["codec"],
  pick: Pick,
): Subject {
  const participants = pick(recorded, honest[0]!, step)
  const sessions = pick(again, liar, step)
  const earlier = step > 1 ? pick(recorded, liar, 1) : undefined
  return {
    ...{ name: `setup ${name}/${step}`, codec, encoded: pick(recorded, liar, step)!, group: GROUP },
    ...(participants && { participants }),
    ...(sessions && { sessions }),
    ...(earlier && { earlier }),
  }
}

function signs(scene: SetupScene, step: SetupSaidStep, message: Message): SetupLie {
  const instead = (at: dkls.SetupStep, said: Message) => (at === step ? message : said)
  return { liar: scene.liar, from: step, message: instead }
}

function signsRewritten(scene: SetupScene, step: SetupSaidStep, change: Rewrite): SetupLie {
  const { recorded, liar, identity } = scene
  return signs(scene, step, signedAgain(setupMessageOf(recorded, step, liar), identity, change))
}

const ALL = { victim: "all", by: "sender" } as const

/** Every field of the liar's header, signed by it. */
export function* setupHeaderLies(scene: SetupScene, step: SetupSaidStep): Generator<SetupChange> {
  const { recorded, again, liar, honest, identity } = scene
  const header = (driver: SetupDriver, sender: Identifier) =>
    setupMessageOf(driver, step, sender).header.bytes
  const forgeries = headersSignedAgain(setupMessageOf(recorded, step, liar), identity, {
    name: `setup header/${step}`,
    participants: header(recorded, honest[0]!),
    sessions: header(again, liar),
    ...(step > 1 && { earlier: setupMessageOf(recorded, 1, liar).broadcast }),
  })
  for (const { field, mutation, message } of forgeries) {
    yield { ...ALL, field, mutation, lie: signs(scene, step, message) }
  }
}

/** Every field of what the liar tells everyone. */
export function* setupBroadcastLies(
  scene: SetupScene,
  step: SetupSaidStep,
): Generator<SetupChange> {
  const { broadcast } = setupStepCodecs[step - 1]!
  const pick: Pick = (driver, sender, at) => setupMessageOf(driver, at, sender).broadcast
  const mutants =
    step === 2
      ? [{ field: "", mutation: "longer", encoded: Uint8Array.of(0) } as const]
      : mutantsOf(subject(scene, step, "broadcast", broadcast, pick))
  for (const { field, mutation, encoded } of mutants) {
    const lie = signsRewritten(scene, step, { broadcast: encoded })
    yield { ...ALL, field: `broadcast.${field}`, mutation, lie }
  }
}

/** Every kind of point of the base transfers for one other, and no part for it. */
export function* transferLies(scene: SetupScene, victim: Identifier): Generator<SetupChange> {
  const { recorded, liar } = scene
  const { sealed } = setupMessageOf(recorded, 2, liar)
  const pick: Pick = (driver, sender, at) => {
    if (at !== 2) return undefined
    const { sealed } = setupMessageOf(driver, 2, sender)
    return sealed.get(victim) ?? [...sealed.values()][0]
  }
  const codec = setupStepCodecs[1]!.product!
  for (const { field, mutation, encoded } of mutantsOf(
    subject(scene, 2, `part/${victim}`, codec, pick),
  )) {
    const lie = signsRewritten(scene, 2, { sealed: new Map([...sealed, [victim, encoded]]) })
    const name = field === "" ? "part" : `part.${field}`
    yield { field: name, mutation, victim, by: "sender", lie }
  }
  const without = new Map([...sealed].filter(([recipient]) => recipient !== victim))
  const lie = signsRewritten(scene, 2, { sealed: without })
  yield { field: "parts", mutation: "missing", victim, by: "sender", lie }
}

/** What a relay can make of a message on the way to one recipient. */
export function* setupRelayLies(
  scene: SetupScene,
  step: SetupSaidStep,
  victim: Identifier,
): Generator<SetupChange> {
  const { recorded, again, liar: author } = scene
  const whole = setupMessageOf(recorded, step, author)
  const own = whole.sealed.get(victim)
  const delivered = { ...whole, sealed: new Map(own ? [[victim, own]] : []) }
  const name = `setup relay/${step}`
  const sessions = setupMessageOf(again, step, author)
  const { broadcast: codec } = setupStepCodecs[step - 1]!
  const payload = { name, codec, encoded: whole.broadcast, sessions: sessions.broadcast }
  const forgeries = altered(delivered, step === 2 ? null : { ...payload, group: GROUP }, {
    name,
    sessions: sessions.header.bytes,
  })
  for (const { field, mutation, message } of forgeries) {
    const next = (step + 1) as dkls.SetupStep
    const lie: SetupLie = {
      ...{ liar: null, from: next },
      deliver: (at, recipient, messages) =>
        at === next && recipient === victim
          ? messages.map((said) => (isFrom(said, whole) ? message : said))
          : messages,
    }
    yield { field, mutation, victim, by: "relay", lie }
  }
}

/** What the step before has kept, by the step that starts from it; what a step keeps likewise. */
const KEPT_BEFORE = { 1: null, 2: null, 3: dklsInside.exchangedSetupCodec } as const
const KEPT_AFTER = {
  1: null,
  2: dklsInside.exchangedSetupCodec,
  3: dklsInside.pairSetupsCodec,
} as const

/** What the liar computes from other values, or makes otherwise of what it has computed. */
export function* setupComputedLies(
  scene: SetupScene,
  step: SetupSaidStep,
  each: number,
): Generator<SetupChange> {
  const { recorded, again, liar, honest, computed } = scene
  const from = [
    computed(recorded, step, liar),
    computed(recorded, step, honest[0]!),
    computed(again, step, liar),
  ] as const
  const of = (name: string, codec: Subject["codec"], pick: (made: (typeof from)[0]) => Bytes) => {
    const [encoded, participants, sessions] = from.map(pick) as [Bytes, Bytes, Bytes]
    const subject = { name: `setup ${name}/${step}`, codec, encoded, participants, sessions }
    return some({ ...subject, group: GROUP }, each)
  }
  const body = ({ task }: (typeof from)[0]) => decode(framedCodec, task).body
  const asTask = (changed: Bytes): SetupLie => {
    const framed = encode(framedCodec, { protocol: "setup", body: changed.slice() })
    return { liar, from: step, task: (at, honest) => (at === step ? framed : honest) }
  }
  const asResult = (changed: Bytes): SetupLie => {
    return { liar, from: step, result: (at, honest) => (at === step ? changed : honest) }
  }
  const told = (field: string, mutation: Mutant["mutation"], lie: SetupLie): SetupChange => {
    return { ...ALL, field, mutation, lie }
  }
  for (const { field, mutation, encoded } of of("task", setupTaskCodec, body)) {
    yield told(`task.${field}`, mutation, asTask(encoded))
  }
  for (const { field, mutation, encoded } of of("result", setupResultCodec, (c) => c.result)) {
    yield told(`result.${field}`, mutation, asResult(encoded))
  }
  const before = KEPT_BEFORE[step]
  if (before) {
    const task = (made: (typeof from)[0]) => decode(setupTaskCodec, body(made))
    for (const { field, mutation, encoded } of of("task secret", before, (c) => task(c).secret)) {
      const changed = encode(setupTaskCodec, { ...task(from[0]), secret: encoded })
      yield told(`task secret.${field}`, mutation, asTask(changed))
    }
  }
  const after = KEPT_AFTER[step]
  if (after) {
    const { result, carried } = decode(setupResultCodec, from[0].result)
    const secret = (made: (typeof from)[0]): Bytes => {
      const { result } = decode(setupResultCodec, made.result)
      return "secret" in result ? result.secret : new Uint8Array()
    }
    if (!("secret" in result)) return
    for (const { field, mutation, encoded } of of("result secret", after, secret)) {
      const made = { result: { ...result, secret: encoded }, carried }
      yield told(`result secret.${field}`, mutation, asResult(encode(setupResultCodec, made)))
    }
  }
}
