import assert from "node:assert/strict"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  dklsMessageCodec,
  type EcdsaOrder,
  type EcdsaSignature,
  ecdsaCombine,
  ecdsaNonce,
  ecdsaSign,
  type PairSetup,
  type PresignAnswer,
  type Presignature,
  type PresignContext,
  type PresignParams,
  type PresignStep,
  presignAnswer,
  presignTask,
  work,
} from "../src/dkls/index.ts"
import {
  type Abort,
  abort,
  deliver,
  encodeEvidence,
  headerCodec,
  LIMITS,
  type Message,
  type Outcome,
  verifyEvidence,
} from "../src/index.ts"
import { type Cluster, participant, ROSTER_EPOCH, seeded, value } from "./frost-fixture.ts"

/** Both ends of a setup between two participants, as a run of setup would leave them. */
function dealtPair(low: Identifier, high: Identifier, seed: string): [PairSetup, PairSetup] {
  const name = `${seed}/${low}/${high}`
  const half = (sender: Identifier) => {
    const zeros = seeded(`${name}/${sender}/zeros`, 2048)
    const ones = seeded(`${name}/${sender}/ones`, 2048)
    const delta = seeded(`${name}/${sender}/delta`, 16)
    const chosen = Uint8Array.from(zeros, (zero, i) => {
      const transfer = i >> 4
      const bit = (delta[transfer >> 3]! >> (transfer & 7)) & 1
      return bit ? ones[i]! : zero
    })
    return { zeros, ones, delta, chosen }
  }
  const [byLow, byHigh] = [half(low), half(high)]
  const end = (own: ReturnType<typeof half>, other: ReturnType<typeof half>): PairSetup => ({
    setupDigest: seeded(`${name}/digest`, 32),
    zeroSeeds: Secret.copyOf(own.zeros),
    oneSeeds: Secret.copyOf(own.ones),
    delta: Secret.copyOf(other.delta),
    chosenSeeds: Secret.copyOf(other.chosen),
    pairSecret: Secret.copyOf(seeded(`${name}/secret`, 32)),
  })
  return [end(byLow, byHigh), end(byHigh, byLow)]
}

export type Pairs = ReadonlyMap<Identifier, ReadonlyMap<Identifier, PairSetup>>

/** A setup for every two of the participants. */
export function dealtPairs(participants: readonly Identifier[], seed = "pairs"): Pairs {
  const pairs = new Map(participants.map((id) => [id, new Map<Identifier, PairSetup>()]))
  for (const low of participants) {
    for (const high of participants) {
      if (high <= low) continue
      const [a, b] = dealtPair(low, high, seed)
      pairs.get(low)!.set(high, a)
      pairs.get(high)!.set(low, b)
    }
  }
  return pairs
}

export interface BatchOptions {
  readonly count?: number
  readonly seed?: string
  readonly pairs?: Pairs
}

export function paramsOf(
  cluster: Cluster,
  signers: readonly Identifier[],
  { count = 1, seed = "batch" }: BatchOptions = {},
): PresignParams {
  const { keyId, keyEpoch } = cluster.public
  return { batchId: seeded(seed), keyId, keyEpoch, rosterEpoch: ROSTER_EPOCH, signers, count }
}

export function contextOf(
  cluster: Cluster,
  params: PresignParams,
  identifier: Identifier,
): PresignContext {
  const { public: key, certificate, verifyKeys } = cluster
  const signer = participant(cluster, identifier).identity
  return { params, public: key, certificate, identifier, identity: { signer, verifyKeys } }
}

/** What a dishonest signer or a relay does; each is optional. */
export interface Meddling {
  /** A signer that cannot always go on from what it has made up: then it is silent. */
  readonly liar?: Identifier
  /** The first step that is not as in an honest run. */
  readonly from?: PresignStep
  /** Of a signer: with what it computes. */
  task?(step: PresignStep, identifier: Identifier, task: Bytes): Bytes
  /** Of a signer: what it makes of what it computed. */
  result?(step: PresignStep, identifier: Identifier, result: Bytes): Bytes
  /** Of a signer: what it signs. Null is silence. */
  message?(step: PresignStep, identifier: Identifier, message: Message): Message | null
  /** Of the relay: what a recipient gets. */
  deliver?(step: PresignStep, recipient: Identifier, messages: Message[]): Message[]
}

/** A run in which every state goes through its bytes and every message through its codec. */
export class PresignRunner {
  readonly cluster: Cluster
  readonly params: PresignParams
  readonly pairs: Pairs
  readonly seed: string
  readonly states = new Map<Identifier, Bytes | null>()
  /** What was said at each step. */
  readonly said: Message[][] = []
  /** The states after each step, so that runs that differ later need not begin again. */
  readonly #history: Map<Identifier, Bytes | null>[] = []
  readonly aborts = new Map<Identifier, Abort>()
  readonly accusations = new Map<Identifier, Identifier>()
  readonly presignatures = new Map<Identifier, readonly Presignature[]>()

  constructor(cluster: Cluster, signers: readonly Identifier[], options: BatchOptions = {}) {
    this.cluster = cluster
    this.params = paramsOf(cluster, signers, options)
    this.seed = options.seed ?? "batch"
    this.pairs = options.pairs ?? dealtPairs(signers)
  }

  /** One signer's answer to a step. */
  step(
    step: PresignStep,
    identifier: Identifier,
    messages: readonly Message[],
    meddling: Meddling = {},
  ): Outcome<PresignAnswer> {
    const context = contextOf(this.cluster, this.params, identifier)
    const { signingShare } = participant(this.cluster, identifier).key
    const secrets = { signingShare, pairs: this.pairs.get(identifier)! }
    const state = this.states.get(identifier) ?? null
    const randomness = seeded(`${this.seed}/${identifier}/${step}`, 64)
    const task = presignTask(context, step, state, messages, secrets, randomness)
    if (!task.ok) return task
    const computed = work(meddling.task?.(step, identifier, task.value) ?? task.value)
    const result = meddling.result?.(step, identifier, computed) ?? computed
    return presignAnswer(context, step, result, messages)
  }

  #answer(
    step: PresignStep,
    identifier: Identifier,
    messages: readonly Message[],
    meddling: Meddling,
  ): Outcome<PresignAnswer> {
    try {
      return this.step(step, identifier, messages, meddling)
    } catch (error) {
      if (identifier !== meddling.liar) throw error
      return abort("missing-messages")
    }
  }

  /** All signers' answers to a step; those that stopped before say nothing. */
  round(step: PresignStep, meddling: Meddling = {}): void {
    const before = this.said[step - 2] ?? []
    const said: Message[] = []
    for (const identifier of this.params.signers) {
      if (this.aborts.has(identifier) || this.accusations.has(identifier)) continue
      const others = before
        .filter((message) => senderOf(message) !== identifier)
        .map((message) => recoded(deliver(message, identifier)))
      const messages = meddling.deliver?.(step, identifier, others) ?? others
      const outcome = this.#answer(step, identifier, messages, meddling)
      if (!outcome.ok) {
        this.aborts.set(identifier, outcome.abort)
        continue
      }
      const { state, message, accused, presignatures } = outcome.value
      this.states.set(identifier, state)
      if (accused !== null) this.accusations.set(identifier, accused)
      if (step === 5) this.presignatures.set(identifier, presignatures)
      const sent = message && (meddling.message?.(step, identifier, message) ?? message)
      if (sent) said.push(sent)
    }
    this.said.push(said)
    this.#history.push(new Map([...this.states].map(([id, state]) => [id, state?.slice() ?? null])))
  }

  /** The same run as it stood before `step`. */
  before(step: PresignStep): PresignRunner {
    const { count } = this.params
    const options = { count, seed: this.seed, pairs: this.pairs }
    const earlier = new PresignRunner(this.cluster, this.params.signers, options)
    earlier.said.push(...this.said.slice(0, step - 1))
    for (const states of this.#history.slice(0, step - 1)) {
      for (const [id, state] of states) earlier.states.set(id, state?.slice() ?? null)
      earlier.#history.push(states)
    }
    return earlier
  }

  run(meddling: Meddling = {}): this {
    for (const step of [1, 2, 3, 4, 5] as const) {
      if (step > this.said.length) this.round(step, meddling)
    }
    return this
  }
}

export function senderOf({ header }: Message): Identifier {
  return decode(headerCodec, header.bytes).sender
}

function recoded(message: Message): Message {
  return decode(dklsMessageCodec, encode(dklsMessageCodec, message))
}

/** The presignatures of an honest run, by signer. */
export function presign(
  cluster: Cluster,
  signers: readonly Identifier[],
  options: BatchOptions = {},
): ReadonlyMap<Identifier, readonly Presignature[]> {
  const runner = new PresignRunner(cluster, signers, options).run()
  for (const [identifier, { reason, field }] of runner.aborts) {
    assert.fail(`${identifier} stopped: ${reason} ${field}`)
  }
  assert.equal(runner.accusations.size, 0)
  assert.equal(runner.presignatures.size, signers.length)
  return runner.presignatures
}

export interface OrderOptions {
  readonly digest?: Bytes
  readonly path?: readonly number[]
  readonly seed?: string
  readonly attempt?: number
}

/** The order that an honest coordinator puts together for one presignature. */
export function orderFor(
  cluster: Cluster,
  { id, certificate }: Presignature,
  options: OrderOptions = {},
): EcdsaOrder {
  const { seed = "order", path = [], attempt = 1 } = options
  const { digest = seeded(`${seed}/digest`) } = options
  const { keyId, keyEpoch } = cluster.public
  const signers = [...certificate.record.signers.keys()]
  const place = { keyId, keyEpoch, rosterEpoch: ROSTER_EPOCH }
  const nonces = signers.map((identifier) => {
    const randomness = seeded(`${seed}/nonce/${identifier}`)
    const { identity: signer } = participant(cluster, identifier)
    return ecdsaNonce({ identifier, ...place, randomness }, { signer })
  })
  const requestDigest = seeded(`${seed}/request`)
  return { presignatureId: id, ...place, requestDigest, attempt, digest, path, signers, nonces }
}

/** One signer's online share. */
export function shareOf(
  cluster: Cluster,
  presignature: Presignature,
  order: EcdsaOrder,
): Outcome<Message> {
  const { identifier } = presignature
  const { verifyKeys } = cluster
  const signer = participant(cluster, identifier).identity
  return ecdsaSign(presignature, order, {
    public: cluster.public,
    identifier,
    identity: { signer, verifyKeys },
  })
}

/** The shares of all signers for one order. */
export function sharesFor(
  cluster: Cluster,
  presignatures: readonly Presignature[],
  order: EcdsaOrder,
): Map<Identifier, Message> {
  return new Map(
    presignatures.map((presignature) => [
      presignature.identifier,
      value(shareOf(cluster, presignature, order)),
    ]),
  )
}

export function combine(
  cluster: Cluster,
  { certificate }: Presignature,
  order: EcdsaOrder,
  shares: ReadonlyMap<Identifier, Message>,
): Outcome<EcdsaSignature> {
  const { verifyKeys, certificate: keyCertificate } = cluster
  return ecdsaCombine({ order, certificate, keyCertificate, shares, verifyKeys })
}

/** Signs with one presignature of a batch, with all its signers. */
export function signWith(
  cluster: Cluster,
  batch: ReadonlyMap<Identifier, readonly Presignature[]>,
  index: number,
  options: OrderOptions = {},
): { order: EcdsaOrder; signature: EcdsaSignature } {
  const presignatures = [...batch.values()].map((each) => each[index]!)
  const first = presignatures[0]!
  const order = orderFor(cluster, first, options)
  const shares = sharesFor(cluster, presignatures, order)
  return { order, signature: value(combine(cluster, first, order, shares)) }
}

/** Judges each piece of evidence offline, from its bytes and identity keys alone. */
export function verdictsOf({ evidence }: Abort, cluster: Cluster) {
  return evidence.map((item) => {
    const encoded = encodeEvidence(item)
    assert.ok(encoded.length <= LIMITS.evidence)
    return verifyEvidence(encoded, cluster.verifyKeys)
  })
}
