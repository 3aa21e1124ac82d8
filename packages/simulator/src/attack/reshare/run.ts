import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, type Codec, DecodeError, decode, encode, toHex } from "@lockkeeper/encoding"
import { type Message, type Outcome, reshare, type Statement } from "@lockkeeper/protocols"
import type { Asked, Ending, Given, Response, Rounds, Stepped } from "../rounds/rounds.ts"
import type { Secrets } from "../rounds/sealed.ts"
import { type Shared, wrongShares } from "../rounds/sharings.ts"
import { identityOf, rosterOf, seeded } from "../seeded.ts"

/** A run that is fixed but for what the attack changes. */
export interface ReshareSetting {
  readonly attempt: reshare.ReshareAttempt
  /** The batch as its holders really share it. */
  readonly batch: readonly Shared[]
  /** Seed of everyone's randomness: another session has another. */
  readonly seed: string
}

/** What single participants are asked instead, and what they deal from: by whom. */
export interface Differing {
  readonly requests?: ReadonlyMap<Identifier, reshare.ReshareAttempt>
  readonly shares?: ReadonlyMap<Identifier, readonly Secret[]>
}

export function everyoneIn({ params }: reshare.ReshareAttempt): Identifier[] {
  return [...new Set([...params.dealers, ...params.holders])].sort((a, b) => a - b)
}

/** Dealers that stay deal, those that are new wait: their state after the first step is the same. */
function openedOrDealt(stored: Bytes): reshare.ReshareOpened | reshare.ReshareDealt {
  try {
    return decode(reshare.reshareDealtCodec, stored)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return decode(reshare.reshareOpenedCodec, stored)
  }
}

function judgedOrDealt(stored: Bytes): reshare.ReshareJudged | reshare.ReshareDealt {
  try {
    return decode(reshare.reshareJudgedCodec, stored)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return decode(reshare.reshareDealtCodec, stored)
  }
}

function kept<S>(
  codec: Codec<S>,
  outcome: Outcome<{ readonly state: S; readonly message: Message }>,
): Outcome<Stepped> {
  if (!outcome.ok) return outcome
  const { state, message } = outcome.value
  return { ok: true, value: { message, stored: encode(codec, state) } }
}

/** A refresh or reshare, driven by its own coordinator. */
export class ReshareRounds implements Rounds<reshare.ReshareTask> {
  readonly setting: ReshareSetting
  readonly participants: readonly Identifier[]
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly #differing: Differing

  constructor(setting: ReshareSetting, differing: Differing = {}) {
    this.setting = setting
    this.#differing = differing
    this.participants = everyoneIn(setting.attempt)
    this.verifyKeys = rosterOf(this.participants)
  }

  begin(): reshare.ReshareTask {
    const { params, keys, leaveOut } = this.setting.attempt
    return reshare.reshareCoordinate(params, keys, this.verifyKeys, leaveOut)
  }

  asked(task: reshare.ReshareTask): Asked | null {
    return task.kind === "ask" ? (task as unknown as Asked) : null
  }

  advance(task: reshare.ReshareTask, responses: readonly Response[]): reshare.ReshareTask {
    return task.kind === "ask" ? reshare.reshareAdvance(task.waiting, responses) : task
  }

  step(task: reshare.ReshareTask, identifier: Identifier, given: Given): Outcome<Stepped> {
    if (task.kind !== "ask") throw new Error("nobody is asked any more")
    const { attempt, seed } = this.setting
    const self = { signer: identityOf(identifier), verifyKeys: this.verifyKeys }
    const { params, keys } = this.#differing.requests?.get(identifier) ?? attempt
    const name = `${seed}/${params.attempt}/${identifier}/${task.step}`
    const { stored } = given
    const { messages, opens } = given.delivery as unknown as reshare.Delivery
    switch (task.step) {
      case "open": {
        const known = keys.map(({ sharing }) => this.#known(identifier, sharing.id))
        const randomness = seeded(name, reshare.OPEN_RANDOMNESS_LENGTH)
        const request = { params, keys, known }
        const outcome = reshare.reshareOpen(request, identifier, self, randomness)
        return kept(reshare.reshareOpenedCodec, outcome)
      }
      case "deal": {
        const state = decode(reshare.reshareOpenedCodec, stored)
        const randomness = seeded(name, reshare.dealRandomnessLength(state))
        const held = this.#held(identifier, state.keys)
        const outcome = reshare.reshareDeal(state, messages, held, self, randomness)
        return kept(reshare.reshareDealtCodec, outcome)
      }
      case "verdict": {
        const state = openedOrDealt(stored)
        const known = state.keys.map(({ sharing }) => this.#known(identifier, sharing.id))
        const outcome = reshare.reshareVerdict(state, { opens, deals: messages, known }, self)
        return kept(reshare.reshareJudgedCodec, outcome)
      }
      case "answer": {
        const outcome = reshare.reshareAnswer(judgedOrDealt(stored), messages, self)
        if (!outcome.ok) return outcome
        return { ok: true, value: { message: outcome.value.message, stored } }
      }
    }
  }

  /** What a participant really knows of a key, whatever it is told. */
  #known(identifier: Identifier, id: Bytes): reshare.KnownSharing | null {
    const key = this.setting.batch.find(({ sharing }) => toHex(sharing.id) === toHex(id))
    if (!key?.shares.has(identifier)) return null
    return { sharing: key.sharing, highestKeyEpoch: key.sharing.keyEpoch }
  }

  #held(identifier: Identifier, keys: readonly reshare.ReshareKey[]): reshare.Resharable[] {
    const lies = this.#differing.shares?.get(identifier)
    return keys.map((key, index) => {
      const known = this.#known(identifier, key.sharing.id) as reshare.KnownSharing
      const found = this.setting.batch.find(({ sharing }) => {
        return toHex(sharing.id) === toHex(key.sharing.id)
      })
      const share = lies?.[index] ?? (found?.shares.get(identifier) as Secret)
      return { ...known, share: Secret.copyOf(share.expose()) }
    })
  }

  standBy(stored: Bytes, step: string, sent: Statement): Bytes {
    if (step === "open") {
      const state = decode(reshare.reshareOpenedCodec, stored)
      return encode(reshare.reshareOpenedCodec, { ...state, opening: sent })
    }
    if (step !== "deal") return stored
    return encode(reshare.reshareDealtCodec, {
      ...decode(reshare.reshareDealtCodec, stored),
      deal: sent,
    })
  }

  /** Everyone who confirmed activates; whoever is right must then hold a share of the same key. */
  end(
    task: reshare.ReshareTask,
    stored: ReadonlyMap<Identifier, Bytes>,
    honest: readonly Identifier[],
  ): Ending {
    if (task.kind === "ask") throw new Error("the run is not over")
    if (task.kind === "aborted") return { aborts: [task.abort], finished: false, accepted: [] }
    const aborts = task.fault ? [task.fault] : []
    const confirmed = honest.filter((i) => task.certificate.confirmations.has(i))
    const active = new Map<Identifier, readonly reshare.ResharedShare[]>()
    for (const identifier of confirmed) {
      const state = decode(reshare.reshareJudgedCodec, stored.get(identifier) as Bytes)
      const outcome = reshare.reshareActivate(state, task.certificate, this.verifyKeys)
      if (outcome.ok) active.set(identifier, outcome.value)
      else aborts.push(outcome.abort)
    }
    const owed = honest.filter((i) => this.setting.attempt.params.holders.includes(i))
    // Whoever is missing from a quorum is known to be, and has its share repaired.
    const finished = owed.every((i) => active.has(i) || task.missing.includes(i))
    return { aborts, finished, accepted: this.wrongResults(active) }
  }

  /** What is wrong with what is in force. */
  wrongResults(active: ReadonlyMap<Identifier, readonly reshare.ResharedShare[]>): string[] {
    const { batch, attempt } = this.setting
    const { params, keys } = attempt
    const { rosterEpoch, minSigners } = params
    const roster = { rosterEpoch, minSigners, verifyKeys: this.verifyKeys }
    const [first] = [...active.values()]
    if (!first) return ["a certificate that nobody honest confirmed"]
    const wrong: string[] = []
    if (active.size < minSigners) wrong.push("fewer honest holders than sign")
    for (const [index, { sharing }] of first.entries()) {
      const before = batch.find((key) => toHex(key.sharing.id) === toHex(sharing.id))
      const shares = new Map([...active].map(([i, one]) => [i, one[index]!.share]))
      const found = before ? wrongShares(before.sharing, { sharing, shares }) : "a stranger's key"
      if (found) wrong.push(found)
      if (sharing.keyEpoch !== keys[index]?.toKeyEpoch) wrong.push("another keyEpoch")
      if (sharing.minSigners !== minSigners) wrong.push("another threshold")
      const { certificate } = first[index]!
      if (before && !reshare.mayErase(before.sharing, certificate, roster).ok) {
        wrong.push("a certificate that nobody may erase old shares on")
      }
      for (const one of active.values()) {
        const other = one[index]!.sharing
        const same = [...other.verifyingShares].every(
          ([i, image]) => toHex(image) === toHex(sharing.verifyingShares.get(i) as Bytes),
        )
        if (!same) wrong.push("two sharings of one generation")
      }
    }
    return wrong
  }
}

export const reshareSecrets: Secrets = {
  sealingSeed: (opened) => decode(reshare.reshareOpenedCodec, opened).sealingSeed as Secret,
  randomness: (stored, _step, recipient) =>
    decode(reshare.reshareDealtCodec, stored).randomness.get(recipient) as Secret,
}
