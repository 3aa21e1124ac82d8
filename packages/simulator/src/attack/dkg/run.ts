import { groupByName, type Identifier, interpolate, type Scalar } from "@lockkeeper/crypto"
import { type Bytes, type Codec, decode, encode, equalBytes } from "@lockkeeper/encoding"
import {
  type Abort,
  dkg,
  groupOf,
  type KeyCertificate,
  type KeyPackage,
  type KeyType,
  type Message,
  type Outcome,
  type Statement,
  verifyKeyCertificate,
} from "@lockkeeper/protocols"
import type { Verdicts } from "../harness.ts"
import { identityOf, rosterOf, seeded } from "../seeded.ts"

/** A run of the key generation that is fixed but for what the attack changes. */
export interface Setting {
  readonly params: dkg.DkgParams
  /** Seed of everyone's randomness: another session has another. */
  readonly seed: string
}

export function settingOf(
  keyType: KeyType,
  change: Partial<dkg.DkgParams> = {},
  seed = "run",
): Setting {
  const keyId = seeded(`key/${keyType}`)
  const participants = [1, 2, 3]
  const additive = new Map<Identifier, Bytes>()
  const params = { keyId, keyType, minSigners: 2, participants, rosterEpoch: 7, attempt: 1 }
  return { params: { additive, ...params, ...change }, seed }
}

/**
 * What an attack changes. `answers` is what a dishonest participant sends in place of its answer, to
 * everyone; null is silence. `delivers` is what somebody between puts in place of a message to one
 * recipient, and `collects` in place of what the coordinator gets.
 */
export interface Meddling {
  readonly dishonest: Identifier | null
  answers?(step: dkg.DkgStep, message: Message, self: Dishonest): readonly Message[] | null
  collects?(step: dkg.DkgStep, sender: Identifier, message: Message): readonly Message[]
  delivers?(recipient: Identifier, message: Message): readonly Message[]
}

/** What a dishonest participant knows of itself. */
export interface Dishonest {
  readonly identifier: Identifier
  /** Its state after the step, as its server would store it. */
  readonly stored: Bytes
}

interface Participants {
  readonly stored: Map<Identifier, Bytes>
  readonly aborts: Map<Identifier, Abort>
}

interface Checkpoint {
  readonly task: dkg.DkgTask
  readonly stored: ReadonlyMap<Identifier, Bytes>
}

interface Result extends Participants {
  readonly task: dkg.DkgTask
  readonly keys: ReadonlyMap<Identifier, KeyPackage>
  readonly certificates: readonly KeyCertificate[]
}

/** Everyone in a run: servers, and devices with shares of their own. */
export function everyoneIn({ participants, additive }: dkg.DkgParams): readonly Identifier[] {
  return [...participants, ...additive.keys()]
}

const identityFor = (params: dkg.DkgParams, identifier: Identifier): dkg.DkgIdentity => ({
  signer: identityOf(identifier),
  verifyKeys: rosterOf(params.participants),
})

function keep<S>(
  { stored }: Participants,
  identifier: Identifier,
  codec: Codec<S>,
  outcome: Outcome<{ state: S; message: Message }>,
): Outcome<Message> {
  if (!outcome.ok) return outcome
  stored.set(identifier, encode(codec, outcome.value.state))
  return { ok: true, value: outcome.value.message }
}

function runStep(
  { params, seed }: Setting,
  participants: Participants,
  identifier: Identifier,
  step: dkg.DkgStep,
  messages: readonly Message[],
): Outcome<Message> {
  const self = identityFor(params, identifier)
  const name = `${seed}/${params.attempt}/${identifier}/${step}`
  const state = <S>(codec: Codec<S>) => decode(codec, participants.stored.get(identifier) as Bytes)
  switch (step) {
    case "open": {
      const randomness = seeded(name, dkg.openRandomnessLength(params, identifier))
      const outcome = dkg.dkgOpen(params, identifier, self, randomness)
      return keep(participants, identifier, dkg.dkgOpenedCodec, outcome)
    }
    case "reveal": {
      const randomness = seeded(name, dkg.revealRandomnessLength(params, identifier))
      const outcome = dkg.dkgReveal(state(dkg.dkgOpenedCodec), messages, self, randomness)
      return keep(participants, identifier, dkg.dkgRevealedCodec, outcome)
    }
    case "verdict": {
      const outcome = dkg.dkgVerdict(state(dkg.dkgRevealedCodec), messages, self)
      return keep(participants, identifier, dkg.dkgJudgedCodec, outcome)
    }
    case "answer": {
      const outcome = dkg.dkgAnswer(state(dkg.dkgJudgedCodec), messages, self)
      return outcome.ok ? { ok: true, value: outcome.value.message } : outcome
    }
  }
}

/** A liar goes on as if what it sent were what it should have sent. */
function standBy(stored: Bytes, step: dkg.DkgStep, sent: Statement): Bytes {
  if (step === "open") {
    return encode(dkg.dkgOpenedCodec, { ...decode(dkg.dkgOpenedCodec, stored), opening: sent })
  }
  if (step !== "reveal") return stored
  return encode(dkg.dkgRevealedCodec, { ...decode(dkg.dkgRevealedCodec, stored), reveal: sent })
}

/** A dishonest participant may be caught in its own contradictions: then it falls silent. */
function orSilent<T>(dishonest: boolean, act: () => T): T | null {
  if (!dishonest) return act()
  try {
    return act()
  } catch {
    return null
  }
}

function answersOf(
  setting: Setting,
  meddling: Meddling,
  participants: Participants,
  task: Extract<dkg.DkgTask, { kind: "ask" }>,
): dkg.DkgResponse[] {
  const { step, deliveries } = task
  const responses: dkg.DkgResponse[] = []
  for (const [from, messages] of deliveries) {
    const isLiar = from === meddling.dishonest
    const got = messages.flatMap((m) => meddling.delivers?.(from, m) ?? [m])
    const outcome = orSilent(isLiar, () => runStep(setting, participants, from, step, got))
    if (outcome === null) continue
    if (!outcome.ok) {
      participants.aborts.set(from, outcome.abort)
      continue
    }
    let sent: readonly Message[] = [outcome.value]
    const stored = participants.stored.get(from) as Bytes
    if (isLiar && meddling.answers) {
      const lies = meddling.answers(step, outcome.value, { identifier: from, stored })
      sent = lies ?? []
      const [lie] = sent
      if (lie) {
        const { header, broadcast } = lie
        const next = orSilent(true, () => standBy(stored, step, { header, broadcast }))
        if (next) participants.stored.set(from, next)
      }
    }
    const collected = sent.flatMap((m) => meddling.collects?.(step, from, m) ?? [m])
    responses.push(...collected.map((message) => ({ from, message })))
  }
  return responses
}

function begin({ params }: Setting): Checkpoint {
  const task = dkg.dkgCoordinate(params, rosterOf(params.participants))
  return { task, stored: new Map() }
}

/** Drives a run to its end as a client does, from the beginning or from a checkpoint. */
function drive(
  setting: Setting,
  meddling: Meddling,
  from: Checkpoint = begin(setting),
  atStep?: (checkpoint: Checkpoint) => void,
): Result {
  const participants: Participants = { stored: new Map(from.stored), aborts: new Map() }
  let { task } = from
  while (task.kind === "ask") {
    atStep?.({ task, stored: new Map(participants.stored) })
    task = dkg.dkgAdvance(task.waiting, answersOf(setting, meddling, participants, task))
  }
  const keys = new Map<Identifier, KeyPackage>()
  const certificates: KeyCertificate[] = []
  if (task.kind === "activate") {
    atStep?.({ task, stored: new Map(participants.stored) })
    certificates.push(task.certificate)
    for (const [identifier, messages] of task.deliveries) {
      const got = messages.flatMap((m) => meddling.delivers?.(identifier, m) ?? [m])
      const outcome = orSilent(identifier === meddling.dishonest, () =>
        dkg.dkgActivate(
          decode(dkg.dkgJudgedCodec, participants.stored.get(identifier) as Bytes),
          got,
          identityFor(setting.params, identifier),
        ),
      )
      if (outcome?.ok) {
        keys.set(identifier, outcome.value.key)
        certificates.push(outcome.value.certificate)
      } else if (outcome) participants.aborts.set(identifier, outcome.abort)
    }
  }
  return { ...participants, task, keys, certificates }
}

/** A run without attack, with everything that was sent and the places to begin an attack from. */
export interface Recorded {
  readonly messages: ReadonlyMap<string, Message>
  readonly checkpoints: ReadonlyMap<string, Checkpoint>
}

const slotName = (step: string, sender: Identifier) => `${step}/${sender}`

/** Runs once and keeps what was sent. @param meddling - a lie that the attacks begin with. */
export function record(setting: Setting, meddling: Meddling = { dishonest: null }): Recorded {
  const messages = new Map<string, Message>()
  const checkpoints = new Map<string, Checkpoint>()
  const collects = (step: dkg.DkgStep, sender: Identifier, message: Message) => {
    messages.set(slotName(step, sender), message)
    return [message]
  }
  drive(setting, { ...meddling, collects }, begin(setting), (checkpoint) => {
    const { task } = checkpoint
    checkpoints.set(task.kind === "ask" ? task.step : task.kind, checkpoint)
  })
  return { messages, checkpoints }
}

export function messageOf(recorded: Recorded, step: dkg.DkgStep, sender: Identifier): Message {
  const message = recorded.messages.get(slotName(step, sender))
  if (!message) throw new Error(`participant ${sender} said nothing at ${step}`)
  return message
}

/** Passes an attack on and notes whether it changed anything. */
class Watched implements Meddling {
  readonly #meddling: Meddling
  readonly dishonest: Identifier | null
  changed = false

  constructor(meddling: Meddling) {
    this.#meddling = meddling
    this.dishonest = meddling.dishonest
  }

  #note(before: Message, after: readonly Message[] | null | undefined) {
    if (after && (after.length !== 1 || after[0] !== before)) this.changed = true
    if (after === null) this.changed = true
    return after
  }

  answers(step: dkg.DkgStep, message: Message, self: Dishonest): readonly Message[] | null {
    const { answers } = this.#meddling
    return answers ? (this.#note(message, answers(step, message, self)) ?? null) : [message]
  }

  collects(step: dkg.DkgStep, sender: Identifier, message: Message): readonly Message[] {
    return this.#note(message, this.#meddling.collects?.(step, sender, message)) ?? [message]
  }

  delivers(recipient: Identifier, message: Message): readonly Message[] {
    return this.#note(message, this.#meddling.delivers?.(recipient, message)) ?? [message]
  }
}

/** Runs an attack from the step at which it begins and says how it ended. */
export function attacked(
  setting: Setting,
  recorded: Recorded,
  step: string,
  meddling: Meddling,
): Verdicts {
  const watched = new Watched(meddling)
  const result = drive(setting, watched, recorded.checkpoints.get(step))
  if (!watched.changed) throw new Error("the attack was never carried out")
  const { params } = setting
  const honest = everyoneIn(params).filter((i) => i !== meddling.dishonest)
  const { task, aborts, keys } = result
  const ended = honest.flatMap((i) => aborts.get(i) ?? [])
  const finished = honest.every((i) => keys.has(i))
  return {
    verifyKeys: judgesOf(setting, meddling.dishonest),
    aborts: task.kind === "aborted" ? [task.abort, ...ended] : ended,
    finished,
    accepted: wrongResults(setting, result, honest),
  }
}

/** Who judges a device knows its key, as the key's certificate has it; servers are in the roster. */
function judgesOf({ params }: Setting, dishonest: Identifier | null) {
  const isDevice = dishonest !== null && params.additive.has(dishonest)
  return rosterOf(isDevice ? everyoneIn(params) : params.participants)
}

/** Keys and certificates that somebody honest holds although they are not one right key. */
function wrongResults(
  { params }: Setting,
  { keys, certificates }: Result,
  honest: readonly Identifier[],
): string[] {
  const wrong: string[] = []
  const held = honest.flatMap((i) => keys.get(i) ?? [])
  const group = groupByName(groupOf(params.keyType))
  const [first] = certificates
  for (const certificate of certificates) {
    if (!verifyKeyCertificate(certificate, rosterOf(params.participants)).ok) {
      wrong.push("a certificate that does not verify")
    }
    const { verifyingKey } = certificate.public
    if (first && !equalBytes(verifyingKey, first.public.verifyingKey)) wrong.push("two keys")
  }
  for (const { identifier, signingShare, public: pkg } of held) {
    const image = group.multiplyBase(signingShare.expose() as Scalar)
    const device = first?.public.additive.get(identifier)?.publicShare
    const expected = device ?? first?.public.verifyingShares.get(identifier)
    if (!expected || !equalBytes(image, expected)) wrong.push(`a wrong share of ${identifier}`)
    if (pkg.minSigners !== params.minSigners) wrong.push("another threshold")
  }
  const servers = held.filter(({ identifier }) => params.participants.includes(identifier))
  if (first && servers.length >= params.minSigners) {
    const some = servers.slice(0, params.minSigners)
    const shares = new Map(some.map((k) => [k.identifier, k.signingShare.expose() as Scalar]))
    const shared = group.multiplyBase(interpolate(group, shares))
    const devices = [...first.public.additive.values()]
    const image = devices.reduce((sum, one) => group.add(sum, one.publicShare), shared)
    if (!equalBytes(image, first.public.verifyingKey)) wrong.push("shares of another key")
  }
  return wrong
}
