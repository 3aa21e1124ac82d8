import type { Identifier } from "@lockkeeper/crypto"
import { encode } from "@lockkeeper/encoding"
import type { dkls, Message } from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { signedAgain } from "../forgery.ts"
import type { PresignDriver, PresignLie } from "./presign-driver.ts"
import { isFrom, type PresignChange } from "./presign-lies.ts"
import { messageOf, type PresignScene, SAID_STEPS, type SaidStep } from "./presign-scene.ts"

type Instead = (recipient: Identifier) => readonly Message[]

/** On the way to `victim`, other messages in the place of one. */
function delivers(
  { recorded, liar }: PresignScene,
  step: SaidStep,
  victim: Identifier | "all",
  by: PresignChange["by"],
  instead: Instead,
): PresignLie {
  const whole = messageOf(recorded, step, liar)
  const next = (step + 1) as dkls.PresignStep
  return {
    ...{ liar: by === "sender" ? liar : null, from: next },
    deliver: (at, recipient, messages) =>
      at === next && (victim === "all" || victim === recipient)
        ? messages.flatMap((said) => (isFrom(said, whole) ? instead(recipient) : [said]))
        : messages,
  }
}

/** As `recipient` gets it. */
function cut(message: Message, recipient: Identifier): Message {
  const own = message.sealed.get(recipient)
  return { ...message, sealed: new Map(own ? [[recipient, own]] : []) }
}

function signs(scene: PresignScene, step: SaidStep, message: Message | null): PresignLie {
  const instead = (at: dkls.PresignStep, said: Message) => (at === step ? message : said)
  return { liar: scene.liar, from: step, message: instead }
}

/** Messages of other runs, batches, rosters, steps and signers in the place of the liar's. */
export function* misplacedMessages(
  scene: PresignScene,
  step: SaidStep,
  others: Readonly<Record<string, PresignDriver>>,
): Generator<PresignChange> {
  const { recorded, liar, honest } = scene
  const [victim] = honest as readonly [Identifier]
  const found: [string, Message][] = Object.entries(others).map(([mutation, driver]) => [
    mutation,
    messageOf(driver, step, liar),
  ])
  for (const other of SAID_STEPS) {
    if (other !== step)
      found.push([`the message of step ${other}`, messageOf(recorded, other, liar)])
  }
  found.push(["another participant's message", messageOf(recorded, step, victim)])
  for (const [mutation, message] of found) {
    const told = { field: "message", mutation }
    yield { ...told, victim: "all", by: "sender", lie: signs(scene, step, message) }
    for (const towards of ["all", victim] as const) {
      const instead = (recipient: Identifier) => [cut(message, recipient)]
      const lie = delivers(scene, step, towards, "relay", instead)
      yield { ...told, victim: towards, by: "relay", lie }
    }
  }
  yield* withheld(scene, step, victim)
}

function* withheld(
  scene: PresignScene,
  step: SaidStep,
  victim: Identifier,
): Generator<PresignChange> {
  const whole = messageOf(scene.recorded, step, scene.liar)
  const told = { field: "message", victim }
  const silent = signs(scene, step, null)
  yield { ...told, mutation: "missing", victim: "all", by: "sender", lie: silent }
  const dropped = delivers(scene, step, victim, "relay", () => [])
  yield { ...told, mutation: "missing", by: "relay", lie: dropped }
  const twice = delivers(scene, step, victim, "relay", (recipient) => [
    cut(whole, recipient),
    cut(whole, recipient),
  ])
  yield { ...told, mutation: "duplicated", by: "relay", lie: twice }
  const part = [...whole.sealed].find(([recipient]) => recipient !== victim)
  if (!part) return
  const swapped = { ...whole, sealed: new Map([[victim, part[1]]]) }
  const lie = delivers(scene, step, victim, "relay", () => [swapped])
  yield { ...told, field: "part", mutation: "another participant's", by: "relay", lie }
}

/**
 * Two faultless messages for one place: to one recipient both, or one to each. The second is what a
 * server would sign that was brought back from an older copy.
 */
export function* equivocations(scene: PresignScene, step: SaidStep): Generator<PresignChange> {
  const { recorded, again, liar, honest, identity } = scene
  const truth = messageOf(recorded, step, liar)
  const { broadcast, sealed } = messageOf(again, step, liar)
  const other = signedAgain(truth, identity, { broadcast, sealed })
  const told = { field: "message", by: "sender" } as const
  for (const victim of honest) {
    const one = delivers(scene, step, victim, "sender", (recipient) => [cut(other, recipient)])
    const shown = [truth.header, other.header]
    yield { ...told, mutation: "equivocation, one each", victim, lie: one, shown }
    for (const order of [
      [truth, other],
      [other, truth],
    ]) {
      const both = delivers(scene, step, victim, "sender", (recipient) =>
        order.map((message) => cut(message, recipient)),
      )
      const mutation = order[0] === truth ? "equivocation" : "equivocation, reversed"
      yield { ...told, mutation, victim, lie: both }
    }
  }
}

/** Accusations of honest signers, of the liar itself, and of nobody who takes part. */
export function* accusations(scene: PresignScene, step: 2 | 3 | 4): Generator<PresignChange> {
  const { recorded, liar, honest, identity } = scene
  const truth = messageOf(recorded, step, liar)
  for (const accused of [...honest, liar, 99]) {
    const broadcast = encode(dklsInside.saidPayloadCodec, { kind: "accuse", accused })
    const whose = accused === liar ? "of itself" : accused === 99 ? "of a stranger" : "false"
    const told = { field: "accusation", by: "sender", victim: "all" } as const
    const bare = signedAgain(truth, identity, { broadcast, sealed: new Map() })
    const mutation = honest.includes(accused) ? `false, of ${accused}` : whose
    yield { ...told, mutation, lie: signs(scene, step, bare) }
    // An accusation beside the parts that an honest message has is none.
    if (truth.sealed.size === 0) continue
    const beside = signedAgain(truth, identity, { broadcast })
    yield { ...told, mutation: `${mutation}, with parts`, lie: signs(scene, step, beside) }
  }
}
