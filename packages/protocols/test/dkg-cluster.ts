import assert from "node:assert/strict"
import type { Identifier } from "@lockkeeper/crypto"
import { type Codec, decode, encode } from "@lockkeeper/encoding"
import {
  type DkgIdentity,
  type DkgParams,
  type DkgStep,
  type DkgTask,
  dkgActivate,
  dkgAdvance,
  dkgAnswer,
  dkgCoordinate,
  dkgJudgedCodec,
  dkgOpen,
  dkgOpenedCodec,
  dkgReveal,
  dkgRevealedCodec,
  dkgVerdict,
  openRandomnessLength,
  revealRandomnessLength,
} from "../src/dkg/index.ts"
import {
  type Abort,
  type AbortReason,
  abort,
  encodeEvidence,
  type KeyCertificate,
  type KeyPackage,
  type KeyType,
  LIMITS,
  type Message,
  type Outcome,
  type Statement,
  verifyEvidence,
} from "../src/index.ts"
import { identity, type Rewrite, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"

export function paramsFor(
  minSigners: number,
  participants: readonly Identifier[],
  keyType: KeyType = "ed25519",
  attempt = 1,
  additive: readonly Identifier[] = [],
): DkgParams {
  const keyId = seeded(`key ${keyType}`, 32)
  const devices = rosterOf(additive)
  const rest = { rosterEpoch: 7, attempt }
  return { keyId, keyType, minSigners, participants, additive: devices, ...rest }
}

/** What one participant answers at each step; tests replace single steps by misbehaviour. */
export interface Participant {
  step(step: DkgStep, deliveries: readonly Message[]): Outcome<Message>
  activate(
    deliveries: readonly Message[],
  ): Outcome<{ key: KeyPackage; certificate: KeyCertificate }>
}

/** As a server does it: every state goes through its codec between steps. */
export class HonestParticipant implements Participant {
  /** The encoded state, as a server would have sealed it. */
  protected stored = new Uint8Array(0)
  readonly params: DkgParams
  readonly identifier: Identifier
  readonly self: DkgIdentity
  readonly seed: string

  constructor(params: DkgParams, identifier: Identifier, seed: string) {
    this.params = params
    this.identifier = identifier
    this.seed = `${seed}/${params.attempt}/${identifier}`
    this.self = { signer: identity(identifier), verifyKeys: rosterOf(params.participants) }
  }

  #keep<S>(codec: Codec<S>, outcome: Outcome<{ state: S; message: Message }>): Outcome<Message> {
    if (!outcome.ok) return outcome
    this.stored = encode(codec, outcome.value.state)
    return { ok: true, value: outcome.value.message }
  }

  step(step: DkgStep, deliveries: readonly Message[]): Outcome<Message> {
    const { identifier } = this
    switch (step) {
      case "open": {
        const randomness = seeded(
          `${this.seed}/open`,
          openRandomnessLength(this.params, identifier),
        )
        const outcome = dkgOpen(this.params, this.identifier, this.self, randomness)
        return this.#keep(dkgOpenedCodec, outcome)
      }
      case "reveal": {
        const randomness = seeded(
          `${this.seed}/reveal`,
          revealRandomnessLength(this.params, identifier),
        )
        const state = decode(dkgOpenedCodec, this.stored)
        return this.#keep(dkgRevealedCodec, dkgReveal(state, deliveries, this.self, randomness))
      }
      case "verdict": {
        const state = decode(dkgRevealedCodec, this.stored)
        return this.#keep(dkgJudgedCodec, dkgVerdict(state, deliveries, this.self))
      }
      case "answer": {
        const outcome = dkgAnswer(decode(dkgJudgedCodec, this.stored), deliveries, this.self)
        return outcome.ok ? { ok: true, value: outcome.value.message } : outcome
      }
    }
  }

  activate(deliveries: readonly Message[]) {
    return dkgActivate(decode(dkgJudgedCodec, this.stored), deliveries, this.self)
  }
}

export interface RunResult {
  readonly task: DkgTask
  readonly keys: ReadonlyMap<Identifier, KeyPackage>
  readonly certificates: readonly KeyCertificate[]
  /** What participants aborted with, by participant. */
  readonly aborts: ReadonlyMap<Identifier, Abort>
}

/** Drives a run to its end the way a client does, with the coordinator's machine. */
export function drive(
  params: DkgParams,
  participantOf: (identifier: Identifier) => Participant | null,
): RunResult {
  const everyone = [...params.participants, ...params.additive.keys()]
  const participants = new Map(everyone.map((i) => [i, participantOf(i)]))
  const aborts = new Map<Identifier, Abort>()
  const keys = new Map<Identifier, KeyPackage>()
  const certificates: KeyCertificate[] = []
  let task = dkgCoordinate(params, rosterOf(params.participants))
  while (task.kind === "ask") {
    const { step, deliveries } = task
    const responses = []
    for (const [from, messages] of deliveries) {
      const answer = participants.get(from)?.step(step, messages)
      if (answer?.ok) responses.push({ from, message: answer.value })
      else if (answer) aborts.set(from, answer.abort)
    }
    task = dkgAdvance(task.waiting, responses)
  }
  if (task.kind === "activate") {
    for (const [identifier, messages] of task.deliveries) {
      const outcome = participants.get(identifier)?.activate(messages)
      if (outcome?.ok) {
        keys.set(identifier, outcome.value.key)
        certificates.push(outcome.value.certificate)
      } else if (outcome) aborts.set(identifier, outcome.abort)
    }
  }
  return { task, keys, certificates, aborts }
}

export function driveHonest(params: DkgParams, seed: string): RunResult {
  return drive(params, (identifier) => new HonestParticipant(params, identifier, seed))
}

/** What a dishonest participant sends at one step, given what it would have sent; null is silence. */
export type Misdeed = (message: Message, deliveries: readonly Message[]) => Message | null

/** Honest but for the steps at which it has a misdeed. */
export class DishonestParticipant extends HonestParticipant {
  readonly misdeeds: Partial<Record<DkgStep, Misdeed>>

  constructor(
    params: DkgParams,
    identifier: Identifier,
    seed: string,
    misdeeds: Partial<Record<DkgStep, Misdeed>>,
  ) {
    super(params, identifier, seed)
    this.misdeeds = misdeeds
  }

  override step(step: DkgStep, deliveries: readonly Message[]): Outcome<Message> {
    const outcome = super.step(step, deliveries)
    const misdeed = this.misdeeds[step]
    if (!outcome.ok || !misdeed) return outcome
    const message = misdeed(outcome.value, deliveries)
    if (message) this.standBy(step, { header: message.header, broadcast: message.broadcast })
    return message ? { ok: true, value: message } : abort("missing-messages")
  }

  /** It goes on as if what it sent were what it should have sent. */
  private standBy(step: DkgStep, sent: Statement): void {
    if (step === "open") {
      const state = decode(dkgOpenedCodec, this.stored)
      this.stored = encode(dkgOpenedCodec, { ...state, opening: sent })
    }
    if (step === "reveal") {
      const state = decode(dkgRevealedCodec, this.stored)
      this.stored = encode(dkgRevealedCodec, { ...state, reveal: sent })
    }
  }
}

/** A run in which the participants with misdeeds commit them. */
export function driveWith(
  params: DkgParams,
  misdeeds: Readonly<Record<Identifier, Partial<Record<DkgStep, Misdeed>>>>,
): RunResult {
  return drive(params, (identifier) => {
    const own = misdeeds[identifier]
    return own
      ? new DishonestParticipant(params, identifier, "run", own)
      : new HonestParticipant(params, identifier, "run")
  })
}

/** A misdeed that signs a changed message, as its sender can. */
export function signs(sender: Identifier, change: (message: Message) => Rewrite): Misdeed {
  return (message) => rewrite(message, identity(sender), change(message))
}

/**
 * The run must end here for exactly this reason; every culprit has evidence that names it offline
 * for a party with nothing but identity keys, from at most 64 KiB.
 */
export function assertAborted(
  { task, keys }: RunResult,
  params: DkgParams,
  expected: {
    readonly reason: AbortReason
    readonly culprits?: readonly Identifier[]
    readonly silent?: readonly Identifier[]
  },
): Abort {
  assert.equal(task.kind, "aborted")
  const found = task.abort
  const { reason, culprits = [], silent = [] } = expected
  assert.deepEqual(
    { reason: found.reason, culprits: found.culprits, silent: found.silent },
    { reason, culprits, silent },
  )
  assert.equal(keys.size, 0)
  assert.equal(found.evidence.length, culprits.length)
  const verifyKeys = rosterOf(params.participants)
  const named = found.evidence.map((evidence) => {
    const encoded = encodeEvidence(evidence)
    assert.ok(encoded.length <= LIMITS.evidence)
    const verdict = verifyEvidence(encoded, verifyKeys)
    assert.ok(verdict.valid && "culprit" in verdict)
    return verdict
  })
  assert.deepEqual(
    named.map(({ culprit }) => culprit),
    culprits,
  )
  if (named[0]) assert.equal(named[0].reason, reason)
  return found
}
