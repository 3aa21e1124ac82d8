import assert from "node:assert/strict"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Codec, decode, encode } from "@lockkeeper/encoding"
import {
  type Abort,
  type AbortReason,
  abort,
  type Message,
  type Outcome,
  repair,
  type Statement,
} from "../src/index.ts"
import type { RepairedShare } from "../src/repair/verdict.ts"
import { identity, type Rewrite, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"
import { assertProven, OLD_ROSTER_EPOCH, type Shared } from "./reshare-cluster.ts"

/** The first attempt to restore a member's shares of a batch. */
export function attemptFor(
  batch: readonly Shared[],
  helpers: readonly Identifier[],
  member: Identifier,
): repair.RepairAttempt {
  const sharings = batch.map(({ sharing }) => sharing)
  const groups = sharings.map(({ group }) => group)
  const keys = repair.sharingsRoot(sharings)
  const params = { helpers, member, rosterEpoch: OLD_ROSTER_EPOCH, attempt: 1, groups, keys }
  return { params, sharings }
}

export function everyone({ params }: repair.RepairAttempt): Identifier[] {
  return [...params.helpers, params.member].sort((a, b) => a - b)
}

/** As a server does it: every state goes through its codec between steps. */
export class HonestParticipant {
  protected stored = new Uint8Array(0)
  protected summed = false
  readonly attempt: repair.RepairAttempt
  readonly identifier: Identifier
  readonly self: repair.RepairIdentity
  readonly seed: string
  readonly batch: readonly Shared[]
  repaired: readonly RepairedShare[] | null = null

  constructor(attempt: repair.RepairAttempt, batch: readonly Shared[], identifier: Identifier) {
    this.attempt = attempt
    this.batch = batch
    this.identifier = identifier
    this.seed = `repair/${attempt.params.attempt}/${identifier}`
    this.self = { signer: identity(identifier), verifyKeys: rosterOf(everyone(attempt)) }
  }

  #keep<S>(codec: Codec<S>, outcome: Outcome<{ state: S; message: Message }>): Outcome<Message> {
    if (!outcome.ok) return outcome
    this.stored = encode(codec, outcome.value.state)
    return { ok: true, value: outcome.value.message }
  }

  step(
    step: repair.RepairStep,
    { opens, splits, sums, complaints }: repair.RepairDelivery,
    about: "split" | "sum" | null,
  ): Outcome<Message> {
    const { params, sharings } = this.attempt
    switch (step) {
      case "open": {
        const randomness = seeded(`${this.seed}/open`, repair.OPEN_RANDOMNESS_LENGTH)
        const lost = this.identifier === params.member
        const known = sharings.map((sharing) => (lost ? null : sharing))
        const request = { params, sharings, known }
        const outcome = repair.repairOpen(request, this.identifier, this.self, randomness)
        return this.#keep(repair.repairOpenedCodec, outcome)
      }
      case "split": {
        const randomness = seeded(`${this.seed}/split`, repair.splitRandomnessLength(params))
        const state = decode(repair.repairOpenedCodec, this.stored)
        const shares = this.batch.map(({ shares }) =>
          Secret.copyOf(shares.get(this.identifier)!.expose()),
        )
        const outcome = repair.repairSplit(state, opens, shares, this.self, randomness)
        return this.#keep(repair.repairSplitCodec, outcome)
      }
      case "sum": {
        const randomness = seeded(`${this.seed}/sum`, repair.SUM_RANDOMNESS_LENGTH)
        const state = decode(repair.repairSplitCodec, this.stored)
        const outcome = repair.repairSum(state, splits, this.self, randomness)
        this.summed = outcome.ok
        return this.#keep(repair.repairSummedCodec, outcome)
      }
      case "verdict": {
        const state = decode(repair.repairOpenedCodec, this.stored)
        const outcome = repair.repairVerdict(state, { opens, splits, sums }, this.self)
        if (!outcome.ok) return outcome
        this.repaired = outcome.value.shares
        return { ok: true, value: outcome.value.message }
      }
      case "answer": {
        const state = this.summed
          ? decode(repair.repairSummedCodec, this.stored)
          : decode(repair.repairSplitCodec, this.stored)
        const outcome = repair.repairAnswer(state, about!, complaints, this.self)
        return outcome.ok ? { ok: true, value: outcome.value.message } : outcome
      }
    }
  }

  protected standBy(step: repair.RepairStep, sent: Statement): void {
    if (step === "open") {
      const state = decode(repair.repairOpenedCodec, this.stored)
      this.stored = encode(repair.repairOpenedCodec, { ...state, opening: sent })
    }
    if (step === "split") {
      const state = decode(repair.repairSplitCodec, this.stored)
      this.stored = encode(repair.repairSplitCodec, { ...state, split: sent })
    }
  }
}

/** What a dishonest participant sends at one step, given what it would have sent; null is silence. */
export type Misdeed = (message: Message, delivery: repair.RepairDelivery) => Message | null
export type Misdeeds = Partial<Record<repair.RepairStep, Misdeed>>

class DishonestParticipant extends HonestParticipant {
  readonly misdeeds: Misdeeds

  constructor(
    attempt: repair.RepairAttempt,
    batch: readonly Shared[],
    identifier: Identifier,
    misdeeds: Misdeeds,
  ) {
    super(attempt, batch, identifier)
    this.misdeeds = misdeeds
  }

  override step(
    step: repair.RepairStep,
    delivery: repair.RepairDelivery,
    about: "split" | "sum" | null,
  ): Outcome<Message> {
    const outcome = super.step(step, delivery, about)
    const misdeed = this.misdeeds[step]
    if (!outcome.ok || !misdeed) return outcome
    const message = misdeed(outcome.value, delivery)
    if (message) this.standBy(step, { header: message.header, broadcast: message.broadcast })
    return message ? { ok: true, value: message } : abort("missing-messages")
  }
}

export interface RunResult {
  readonly task: repair.RepairTask
  readonly repaired: readonly RepairedShare[] | null
  readonly aborts: ReadonlyMap<Identifier, Abort>
}

export type Participants = ReadonlyMap<Identifier, HonestParticipant>

export function participantsOf(
  attempt: repair.RepairAttempt,
  batch: readonly Shared[],
  misdeeds: Readonly<Record<Identifier, Misdeeds>> = {},
): Participants {
  return new Map(
    everyone(attempt).map((i) => [
      i,
      misdeeds[i]
        ? new DishonestParticipant(attempt, batch, i, misdeeds[i])
        : new HonestParticipant(attempt, batch, i),
    ]),
  )
}

/** Drives a run to its end the way the maintenance daemon does, with the coordinator's machine. */
export function drive(
  attempt: repair.RepairAttempt,
  batch: readonly Shared[],
  misdeeds: Readonly<Record<Identifier, Misdeeds>> = {},
): RunResult {
  return driveParticipants(attempt, participantsOf(attempt, batch, misdeeds))
}

/** What a participant says beside its answer to a step, or nothing. */
type Beside = (from: Identifier, step: repair.RepairStep, said: Message) => Message | null

export function driveParticipants(
  attempt: repair.RepairAttempt,
  participants: Participants,
  beside: Beside = () => null,
): RunResult {
  const aborts = new Map<Identifier, Abort>()
  const { params, sharings } = attempt
  let task = repair.repairCoordinate(params, sharings, rosterOf(everyone(attempt)))
  while (task.kind === "ask") {
    const responses = []
    for (const [from, delivery] of task.deliveries) {
      const answer = participants.get(from)!.step(task.step, delivery, task.about)
      if (!answer.ok) {
        aborts.set(from, answer.abort)
        continue
      }
      responses.push({ from, message: answer.value })
      const further = beside(from, task.step, answer.value)
      if (further !== null) responses.push({ from, message: further })
    }
    task = repair.repairAdvance(task.waiting, responses)
  }
  return { task, repaired: participants.get(params.member)!.repaired, aborts }
}

export function signs(
  sender: Identifier,
  change: (message: Message, delivery: repair.RepairDelivery) => Rewrite,
): Misdeed {
  return (message, delivery) => rewrite(message, identity(sender), change(message, delivery))
}

/** The member has exactly the shares it had. */
export function assertRepaired(
  { task, repaired, aborts }: RunResult,
  attempt: repair.RepairAttempt,
  batch: readonly Shared[],
): void {
  assert.equal(task.kind, "repaired", JSON.stringify([...aborts]))
  assert.equal(repaired?.length, batch.length)
  for (const [index, { sharing, share }] of repaired!.entries()) {
    assert.deepEqual(sharing, batch[index]!.sharing)
    assert.deepEqual(share.expose(), batch[index]!.shares.get(attempt.params.member)!.expose())
  }
}

/** The run must end here for exactly this reason, and every culprit is proven. */
export function assertAborted(
  { task, repaired }: RunResult,
  attempt: repair.RepairAttempt,
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
  assert.equal(repaired, null)
  assertProven(found, rosterOf(everyone(attempt)))
  return found
}
