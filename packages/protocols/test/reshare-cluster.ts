import assert from "node:assert/strict"
import {
  evaluatePolynomial,
  type GroupName,
  groupByName,
  type Identifier,
  interpolate,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import { type Codec, decode, encode } from "@lockkeeper/encoding"
import {
  type Abort,
  type AbortReason,
  abort,
  encodeEvidence,
  LIMITS,
  type Message,
  type Outcome,
  reshare,
  type Statement,
  type sharing,
  verifyEvidence,
} from "../src/index.ts"
import { identity, type Rewrite, rewrite, rosterOf, seeded } from "./messages-fixtures.ts"

export const OLD_ROSTER_EPOCH = 7
export const NEW_ROSTER_EPOCH = 8

/** One secret as its holders share it. */
export interface Shared {
  readonly sharing: sharing.Sharing
  readonly shares: ReadonlyMap<Identifier, Secret>
}

/** A sharing as a key generation could have left it. */
export function sharedSecret(
  name: string,
  groupName: GroupName,
  minSigners: number,
  holders: readonly Identifier[],
): Shared {
  const group = groupByName(groupName)
  const coefficients = Array.from({ length: minSigners }, (_, k) =>
    group.scalarFromUniform(seeded(`${name}/${k}`, 64)),
  )
  const shares = new Map<Identifier, Secret>()
  const verifyingShares = new Map<Identifier, Uint8Array<ArrayBuffer>>()
  for (const holder of holders) {
    const share = evaluatePolynomial(group, coefficients, holder)
    verifyingShares.set(holder, group.multiplyBase(share))
    shares.set(holder, new Secret(share))
  }
  const sharing = {
    ...{ id: seeded(`${name}/id`, 32), context: seeded(`${name}/context`, 32), group: groupName },
    ...{ keyEpoch: 3, rosterEpoch: OLD_ROSTER_EPOCH, minSigners },
    verifyingKey: group.multiplyBase(coefficients[0]!),
    verifyingShares,
  }
  return { sharing, shares }
}

const GROUPS: readonly GroupName[] = ["edwards25519", "secp256k1", "ristretto255"]

/** A batch of one secret in each group. */
export function mixedBatch(minSigners: number, holders: readonly Identifier[]): Shared[] {
  return GROUPS.map((group) => sharedSecret(group, group, minSigners, holders))
}

export interface Target {
  readonly kind?: "refresh" | "reshare"
  readonly dealers: readonly Identifier[]
  readonly holders: readonly Identifier[]
  readonly minSigners: number
  readonly rosterEpoch?: number
  readonly leaveOut?: readonly Identifier[]
}

/** The first attempt to reshare a batch. */
export function attemptFor(batch: readonly Shared[], target: Target): reshare.ReshareAttempt {
  const keys = batch.map(({ sharing }) => ({ sharing, toKeyEpoch: sharing.keyEpoch + 1 }))
  const { kind = "reshare", rosterEpoch = NEW_ROSTER_EPOCH, leaveOut = [] } = target
  const { dealers, holders, minSigners } = target
  const groups = batch.map(({ sharing }) => sharing.group)
  const params = {
    ...{ kind, dealers, holders, minSigners, rosterEpoch, attempt: 1, groups },
    keys: reshare.keysRoot(keys),
  }
  return { params, keys, leaveOut }
}

export function everyone({ params }: reshare.ReshareAttempt): Identifier[] {
  return [...new Set([...params.dealers, ...params.holders])].sort((a, b) => a - b)
}

/** As a server does it: every state goes through its codec between steps. */
export class HonestMember {
  protected stored = new Uint8Array(0)
  readonly attempt: reshare.ReshareAttempt
  readonly identifier: Identifier
  readonly self: reshare.ReshareIdentity
  readonly seed: string
  /** What it holds of the batch; empty for a new member. */
  held: readonly (reshare.Resharable | null)[]

  constructor(attempt: reshare.ReshareAttempt, batch: readonly Shared[], identifier: Identifier) {
    this.attempt = attempt
    this.identifier = identifier
    this.seed = `${attempt.params.attempt}/${identifier}`
    this.self = { signer: identity(identifier), verifyKeys: rosterOf(everyone(attempt)) }
    this.held = batch.map(({ sharing, shares }) => {
      const share = shares.get(identifier)
      if (!share) return null
      return { sharing, highestKeyEpoch: sharing.keyEpoch, share: Secret.copyOf(share.expose()) }
    })
  }

  #keep<S>(codec: Codec<S>, outcome: Outcome<{ state: S; message: Message }>): Outcome<Message> {
    if (!outcome.ok) return outcome
    this.stored = encode(codec, outcome.value.state)
    return { ok: true, value: outcome.value.message }
  }

  #state(): reshare.ReshareOpened | reshare.ReshareDealt {
    try {
      return decode(reshare.reshareOpenedCodec, this.stored)
    } catch {
      return decode(reshare.reshareDealtCodec, this.stored)
    }
  }

  get judged(): reshare.ReshareJudged {
    return decode(reshare.reshareJudgedCodec, this.stored)
  }

  step(step: reshare.ReshareStep, { messages, opens }: reshare.Delivery): Outcome<Message> {
    const { params, keys } = this.attempt
    const known = this.held
    switch (step) {
      case "open": {
        const randomness = seeded(`${this.seed}/open`, reshare.OPEN_RANDOMNESS_LENGTH)
        const request = { params, keys, known }
        const outcome = reshare.reshareOpen(request, this.identifier, this.self, randomness)
        return this.#keep(reshare.reshareOpenedCodec, outcome)
      }
      case "deal": {
        const state = decode(reshare.reshareOpenedCodec, this.stored)
        const randomness = seeded(`${this.seed}/deal`, reshare.dealRandomnessLength(state))
        const held = known as readonly reshare.Resharable[]
        const outcome = reshare.reshareDeal(state, messages, held, this.self, randomness)
        return this.#keep(reshare.reshareDealtCodec, outcome)
      }
      case "verdict": {
        const input = { opens, deals: messages, known }
        const outcome = reshare.reshareVerdict(this.#state(), input, this.self)
        return this.#keep(reshare.reshareJudgedCodec, outcome)
      }
      case "answer": {
        const { params } = this.attempt
        const state = params.holders.includes(this.identifier)
          ? this.judged
          : decode(reshare.reshareDealtCodec, this.stored)
        const outcome = reshare.reshareAnswer(state, messages, this.self)
        return outcome.ok ? { ok: true, value: outcome.value.message } : outcome
      }
    }
  }

  activate(certificate: reshare.BatchCertificate): Outcome<readonly reshare.ResharedShare[]> {
    const roster = rosterOf(this.attempt.params.holders)
    return reshare.reshareActivate(this.judged, certificate, roster)
  }

  /** It goes on as if what it sent were what it should have sent. */
  protected standBy(step: reshare.ReshareStep, sent: Statement): void {
    if (step === "open") {
      const state = decode(reshare.reshareOpenedCodec, this.stored)
      this.stored = encode(reshare.reshareOpenedCodec, { ...state, opening: sent })
    }
    if (step === "deal") {
      const state = decode(reshare.reshareDealtCodec, this.stored)
      this.stored = encode(reshare.reshareDealtCodec, { ...state, deal: sent })
    }
  }
}

/** What a dishonest member sends at one step, given what it would have sent; null is silence. */
export type Misdeed = (message: Message, delivery: reshare.Delivery) => Message | null
export type Misdeeds = Partial<Record<reshare.ReshareStep, Misdeed>>

class DishonestMember extends HonestMember {
  readonly misdeeds: Misdeeds

  constructor(
    attempt: reshare.ReshareAttempt,
    batch: readonly Shared[],
    identifier: Identifier,
    misdeeds: Misdeeds,
  ) {
    super(attempt, batch, identifier)
    this.misdeeds = misdeeds
  }

  override step(step: reshare.ReshareStep, delivery: reshare.Delivery): Outcome<Message> {
    const outcome = super.step(step, delivery)
    const misdeed = this.misdeeds[step]
    if (!outcome.ok || !misdeed) return outcome
    const message = misdeed(outcome.value, delivery)
    if (message) this.standBy(step, { header: message.header, broadcast: message.broadcast })
    return message ? { ok: true, value: message } : abort("missing-messages")
  }
}

export interface RunResult {
  readonly task: reshare.ReshareTask
  /** With which the verdicts were asked for; null where none were. */
  readonly waiting: reshare.ReshareWaiting | null
  /** The batch as the holders that activated share it. */
  readonly batch: readonly Shared[]
  readonly members: ReadonlyMap<Identifier, HonestMember>
  /** What members aborted with. */
  readonly aborts: ReadonlyMap<Identifier, Abort>
}

/** The batch as those share it that activated it; the sharings are the first one's. */
export function collect(
  actives: ReadonlyMap<Identifier, readonly reshare.ResharedShare[]>,
): readonly Shared[] {
  const [first] = [...actives.values()]
  return (first ?? []).map(({ sharing }, index) => {
    const shares = new Map<Identifier, Secret>()
    for (const [holder, active] of actives) {
      assert.deepEqual(active[index]!.sharing, sharing)
      shares.set(holder, active[index]!.share)
    }
    return { sharing, shares }
  })
}

/** Drives a run to its end the way the maintenance daemon does, with the coordinator's machine. */
export function drive(
  attempt: reshare.ReshareAttempt,
  batch: readonly Shared[],
  misdeeds: Readonly<Record<Identifier, Misdeeds>> = {},
): RunResult {
  const members = new Map(
    everyone(attempt).map((i) => [
      i,
      misdeeds[i]
        ? new DishonestMember(attempt, batch, i, misdeeds[i])
        : new HonestMember(attempt, batch, i),
    ]),
  )
  return driveMembers(attempt, members)
}

export function driveMembers(
  attempt: reshare.ReshareAttempt,
  members: ReadonlyMap<Identifier, HonestMember>,
): RunResult {
  const aborts = new Map<Identifier, Abort>()
  const verifyKeys = rosterOf(everyone(attempt))
  const { params, keys, leaveOut } = attempt
  let task = reshare.reshareCoordinate(params, keys, verifyKeys, leaveOut)
  let waiting: reshare.ReshareWaiting | null = null
  while (task.kind === "ask") {
    if (task.step === "verdict") waiting = task.waiting
    const responses = []
    for (const [from, delivery] of task.deliveries) {
      const answer = members.get(from)!.step(task.step, delivery)
      if (answer.ok) responses.push({ from, message: answer.value })
      else aborts.set(from, answer.abort)
    }
    task = reshare.reshareAdvance(task.waiting, responses)
  }
  const actives = new Map<Identifier, readonly reshare.ResharedShare[]>()
  if (task.kind === "confirmed") {
    for (const holder of task.certificate.confirmations.keys()) {
      const outcome = members.get(holder)!.activate(task.certificate)
      if (outcome.ok) actives.set(holder, outcome.value)
      else aborts.set(holder, outcome.abort)
    }
  }
  return { task, waiting, batch: collect(actives), members, aborts }
}

/** A misdeed that signs a changed message, as its sender can. */
export function signs(
  sender: Identifier,
  change: (message: Message, delivery: reshare.Delivery) => Rewrite,
): Misdeed {
  return (message, delivery) => rewrite(message, identity(sender), change(message, delivery))
}

/** Evidence names its culprit offline, to a party with identity keys alone, from at most 64 KiB. */
export function assertProven(found: Abort, verifyKeys: ReadonlyMap<Identifier, Uint8Array>): void {
  const named = found.evidence.map((evidence) => {
    const encoded = encodeEvidence(evidence)
    assert.ok(encoded.length <= LIMITS.evidence)
    const verdict = verifyEvidence(encoded, verifyKeys)
    assert.ok(verdict.valid && "culprit" in verdict, JSON.stringify(verdict))
    return verdict
  })
  assert.deepEqual(
    named.map(({ culprit }) => culprit),
    found.culprits,
  )
  if (named[0]) assert.equal(named[0].reason, found.reason)
}

interface Expected {
  readonly reason: AbortReason
  readonly culprits?: readonly Identifier[]
  readonly silent?: readonly Identifier[]
}

/** The run must end here for exactly this reason, and every culprit is proven. */
export function assertAborted(
  { task, batch }: RunResult,
  attempt: reshare.ReshareAttempt,
  { reason, culprits = [], silent = [] }: Expected,
): Abort {
  assert.equal(
    task.kind,
    "aborted",
    JSON.stringify(task.kind === "confirmed" && task.fault?.reason),
  )
  const found = task.abort
  assert.deepEqual(
    { reason: found.reason, culprits: found.culprits, silent: found.silent },
    { reason, culprits, silent },
  )
  assert.equal(batch.length, 0)
  assertProven(found, rosterOf(everyone(attempt)))
  return found
}

export function subsets<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]]
  return items.flatMap((item, i) =>
    subsets(items.slice(i + 1), size - 1).map((rest) => [item, ...rest]),
  )
}

/** The public key that shares at these places interpolate to; only a test may do this. */
export function publicKeyOf(
  { sharing }: Pick<Shared, "sharing">,
  shares: readonly (readonly [Identifier, Secret])[],
) {
  const group = groupByName(sharing.group)
  const points = shares.map(([i, share]) => [i, share.expose() as Scalar] as const)
  return group.multiplyBase(interpolate(group, new Map(points)))
}

/** Every t holders of the sharing have its key, and fewer have not. */
export function assertShares(shared: Shared): void {
  const { sharing, shares } = shared
  const group = groupByName(sharing.group)
  for (const [holder, share] of shares) {
    const image = group.multiplyBase(share.expose() as Scalar)
    assert.deepEqual(image, sharing.verifyingShares.get(holder))
  }
  for (const some of subsets([...shares], sharing.minSigners)) {
    assert.deepEqual(publicKeyOf(shared, some), sharing.verifyingKey)
  }
  for (const fewer of subsets([...shares], sharing.minSigners - 1)) {
    assert.notDeepEqual(publicKeyOf(shared, fewer), sharing.verifyingKey)
  }
}
