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
import type {
  Abort,
  KeyCertificate,
  KeyPackage,
  KeyType,
  Message,
  Outcome,
} from "../src/index.ts"
import { identity, rosterOf, seeded } from "./messages-fixtures.ts"

export function paramsFor(
  minSigners: number,
  participants: readonly Identifier[],
  keyType: KeyType = "ed25519",
  attempt = 1,
): DkgParams {
  const keyId = seeded(`key ${keyType}`, 32)
  return { keyId, keyType, minSigners, participants, rosterEpoch: 7, attempt }
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
  #stored = new Uint8Array(0)
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
    this.#stored = encode(codec, outcome.value.state)
    return { ok: true, value: outcome.value.message }
  }

  step(step: DkgStep, deliveries: readonly Message[]): Outcome<Message> {
    switch (step) {
      case "open": {
        const randomness = seeded(`${this.seed}/open`, openRandomnessLength(this.params))
        const outcome = dkgOpen(this.params, this.identifier, this.self, randomness)
        return this.#keep(dkgOpenedCodec, outcome)
      }
      case "reveal": {
        const randomness = seeded(`${this.seed}/reveal`, revealRandomnessLength(this.params))
        const state = decode(dkgOpenedCodec, this.#stored)
        return this.#keep(dkgRevealedCodec, dkgReveal(state, deliveries, this.self, randomness))
      }
      case "verdict": {
        const state = decode(dkgRevealedCodec, this.#stored)
        return this.#keep(dkgJudgedCodec, dkgVerdict(state, deliveries, this.self))
      }
      case "answer": {
        const outcome = dkgAnswer(decode(dkgJudgedCodec, this.#stored), deliveries, this.self)
        return outcome.ok ? { ok: true, value: outcome.value.message } : outcome
      }
    }
  }

  activate(deliveries: readonly Message[]) {
    return dkgActivate(decode(dkgJudgedCodec, this.#stored), deliveries, this.self)
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
  const participants = new Map(params.participants.map((i) => [i, participantOf(i)]))
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
