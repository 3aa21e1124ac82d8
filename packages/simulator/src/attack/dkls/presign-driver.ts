import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  type Abort,
  abort,
  deliver,
  digestsOf,
  dkls,
  type Message,
  type Outcome,
} from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { seeded } from "../seeded.ts"
import { type Parties, ROSTER_EPOCH } from "./parties.ts"

const { presignSession, presignStateCodec, presignTrailCodec } = dklsInside

export type Pairs = ReadonlyMap<Identifier, ReadonlyMap<Identifier, dkls.PairSetup>>

/** What a dishonest signer, or the coordinator, does at the steps from `from` on. */
export interface PresignLie {
  /** Null where the coordinator alone is dishonest. */
  readonly liar: Identifier | null
  readonly from: dkls.PresignStep
  /** With what it computes. */
  task?(step: dkls.PresignStep, task: Bytes): Bytes
  /** What it makes of what it computed. */
  result?(step: dkls.PresignStep, result: Bytes): Bytes
  /** What it signs. Null is silence. */
  message?(step: dkls.PresignStep, message: Message): Message | null
  /** Of a dishonest coordinator: what a recipient gets of the step before. */
  deliver?(step: dkls.PresignStep, recipient: Identifier, messages: Message[]): Message[]
}

/** What everyone honest came to. */
export interface PresignEnd {
  /** Of honest signers, and of the coordinator under 0. */
  readonly aborts: ReadonlyMap<Identifier, Abort>
  /** Whom an honest signer accused. */
  readonly accusations: ReadonlyMap<Identifier, Identifier>
  /** Honest signers who could go on although they have accused somebody. */
  readonly unstopped: readonly Identifier[]
  /** Of everyone who has any, the dishonest one too. */
  readonly presignatures: ReadonlyMap<Identifier, readonly dkls.Presignature[]>
}

export const COORDINATOR: Identifier = 0

export interface PresignOptions {
  readonly signers: readonly Identifier[]
  readonly pairs: Pairs
  readonly count?: number
  readonly rosterEpoch?: number
  /** Of the signers' randomness. */
  readonly seed?: string
  /** Names the batch; runs of one batch differ by the seed alone. */
  readonly batch?: string
}

type States = ReadonlyMap<Identifier, Bytes | null>

/**
 * A run of presigning in which each state and message goes through its bytes. It remembers how it stood
 * before each step, so that an attack on a late step does not begin anew.
 */
export class PresignDriver {
  readonly parties: Parties
  readonly params: dkls.PresignParams
  readonly options: PresignOptions
  /** What was said at each step, by whom it came from, whatever its header says. */
  readonly said: ReadonlyMap<Identifier, Message>[] = []
  readonly presignatures = new Map<Identifier, readonly dkls.Presignature[]>()
  readonly #history: States[] = []
  readonly #states = new Map<Identifier, Bytes | null>()
  readonly #aborts = new Map<Identifier, Abort>()
  readonly #accusations = new Map<Identifier, Identifier>()

  constructor(parties: Parties, options: PresignOptions) {
    const { keyId, keyEpoch } = parties.public
    const { signers, count = 1, batch = "batch", rosterEpoch = ROSTER_EPOCH } = options
    this.parties = parties
    this.options = options
    this.params = {
      ...{ batchId: seeded(batch), keyId, keyEpoch },
      ...{ rosterEpoch, signers, count },
    }
  }

  contextOf(identifier: Identifier): dkls.PresignContext {
    const { public: key, certificate, verifyKeys, identities } = this.parties
    const identity = { signer: identities.get(identifier)!, verifyKeys }
    return { params: this.params, public: key, certificate, identifier, identity }
  }

  /** Names the session, once everyone has opened. */
  run(): dklsInside.PresignRun {
    return { params: this.params, openings: digestsOf(this.said[0]!) }
  }

  relayed(): Message[][] {
    return this.said.map((messages) => [...messages.values()])
  }

  session(): Bytes {
    return presignSession(this.run())
  }

  /** What a signer remembers after a step of this run. */
  stateAfter(step: dkls.PresignStep, identifier: Identifier): Bytes {
    return this.#history[step - 1]!.get(identifier)!.slice()
  }

  #step(
    step: dkls.PresignStep,
    identifier: Identifier,
    messages: readonly Message[],
    lie: PresignLie | null,
  ): Outcome<dkls.PresignAnswer> {
    const { options, parties } = this
    const context = this.contextOf(identifier)
    const signingShare = parties.shares.get(identifier)!
    const secrets = { signingShare, pairs: options.pairs.get(identifier)! }
    const randomness = seeded(`${options.seed ?? "run"}/${identifier}/${step}`, 64)
    const state = this.#states.get(identifier) ?? null
    const task = dkls.presignTask(context, step, state, messages, secrets, randomness)
    if (!task.ok) return task
    const computed = dkls.work(lie?.task?.(step, task.value) ?? task.value)
    const result = lie?.result?.(step, computed) ?? computed
    return dkls.presignAnswer(context, step, result, messages)
  }

  /** Whoever lies cannot always go on from what it made up: then it is silent. */
  #answer(
    step: dkls.PresignStep,
    identifier: Identifier,
    messages: readonly Message[],
    lie: PresignLie | null,
  ): Outcome<dkls.PresignAnswer> {
    if (identifier !== lie?.liar) return this.#step(step, identifier, messages, null)
    try {
      return this.#step(step, identifier, messages, lie)
    } catch {
      return abort("missing-messages")
    }
  }

  #heardBy(step: dkls.PresignStep, identifier: Identifier, lie: PresignLie | null): Message[] {
    const others = [...(this.said[step - 2] ?? [])]
      .filter(([sender]) => sender !== identifier)
      .map(([, message]) => recoded(deliver(message, identifier)))
    return lie?.deliver?.(step, identifier, others) ?? others
  }

  /** All signers' answers to a step; those that stopped before say nothing. */
  round(step: dkls.PresignStep, lie: PresignLie | null = null): void {
    const said = new Map<Identifier, Message>()
    for (const identifier of this.params.signers) {
      if (this.#aborts.has(identifier) || this.#accusations.has(identifier)) continue
      const messages = this.#heardBy(step, identifier, lie)
      const outcome = this.#answer(step, identifier, messages, lie)
      if (!outcome.ok) {
        this.#aborts.set(identifier, outcome.abort)
        continue
      }
      const { state, message, accused, presignatures } = outcome.value
      this.#states.set(identifier, state)
      if (accused !== null) this.#accusations.set(identifier, accused)
      if (step === 5) this.presignatures.set(identifier, presignatures)
      const sent = message && identifier === lie?.liar ? this.#lied(step, message, lie) : message
      if (sent && travels(sent)) said.set(identifier, sent)
    }
    this.said.push(said)
    this.#history.push(copyOf(this.#states))
  }

  /** What the liar signs; from then on it remembers that, and not what it should have signed. */
  #lied(step: dkls.PresignStep, message: Message, lie: PresignLie): Message | null {
    const sent = lie.message ? lie.message(step, message) : message
    const { liar } = lie
    const state = liar === null ? null : this.#states.get(liar)
    if (!sent || !state || liar === null) return sent
    this.#states.set(liar, withOwn(state, step, liar, sent))
    return sent
  }

  /** The same run as it stood before `step`. */
  before(step: dkls.PresignStep): PresignDriver {
    const earlier = new PresignDriver(this.parties, this.options)
    earlier.said.push(...this.said.slice(0, step - 1))
    for (const states of this.#history.slice(0, step - 1)) {
      earlier.#states.clear()
      for (const [id, state] of copyOf(states)) earlier.#states.set(id, state)
      earlier.#history.push(states)
    }
    return earlier
  }

  /** Goes on to the end; the coordinator looks at what it relays, as an honest one does. */
  finish(lie: PresignLie | null = null): PresignEnd {
    const { public: key, verifyKeys } = this.parties
    for (const step of [1, 2, 3, 4, 5] as const) {
      if (step <= this.said.length) continue
      this.round(step, lie)
      if (step === 5 || this.#aborts.has(COORDINATOR)) continue
      const found = dkls.presignInspect(this.params, key, verifyKeys, this.relayed())
      if (!found.ok) this.#aborts.set(COORDINATOR, found.abort)
    }
    const isHonest = ([identifier]: readonly [Identifier, unknown]) => identifier !== lie?.liar
    return {
      aborts: new Map([...this.#aborts].filter(isHonest)),
      accusations: new Map([...this.#accusations].filter(isHonest)),
      unstopped: [...this.#accusations.keys()].filter((id) => this.#states.get(id) !== null),
      presignatures: this.presignatures,
    }
  }
}

function copyOf(states: States): Map<Identifier, Bytes | null> {
  return new Map([...states].map(([id, state]) => [id, state?.slice() ?? null]))
}

function withOwn(state: Bytes, step: dkls.PresignStep, liar: Identifier, said: Message): Bytes {
  const { trail: encoded, secret } = decode(presignStateCodec, state)
  const trail = decode(presignTrailCodec, encoded)
  const { header, broadcast } = said
  const statement = { header, broadcast }
  const own = (statements: typeof trail.opens) => new Map([...statements, [liar, statement]])
  const next =
    step === 1
      ? { ...trail, opens: own(trail.opens) }
      : step === 2
        ? { ...trail, exchanges: own(trail.exchanges) }
        : step === 3
          ? { ...trail, publishes: own(trail.publishes) }
          : trail
  return encode(presignStateCodec, { trail: encode(presignTrailCodec, next), secret })
}

/** Whether there is a frame for it: what is too long for any is as good as not sent. */
export function travels(message: Message): boolean {
  try {
    encode(dkls.dklsMessageCodec, message)
    return true
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return false
  }
}

export function recoded(message: Message): Message {
  return decode(dkls.dklsMessageCodec, encode(dkls.dklsMessageCodec, message))
}
