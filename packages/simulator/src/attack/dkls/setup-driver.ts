import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import { type Abort, abort, deliver, dkls, type Message, type Outcome } from "@lockkeeper/protocols"
import { dklsInside } from "@lockkeeper/protocols/payloads"
import { seeded } from "../seeded.ts"
import { type Parties, ROSTER_EPOCH } from "./parties.ts"
import { COORDINATOR, recoded, travels } from "./presign-driver.ts"

const { setupStateCodec, setupTrailCodec } = dklsInside

/** What a dishonest participant, or the coordinator, does at the steps from `from` on. */
export interface SetupLie {
  /** Null where the coordinator alone is dishonest. */
  readonly liar: Identifier | null
  readonly from: dkls.SetupStep
  /** With what it computes. */
  task?(step: dkls.SetupStep, task: Bytes): Bytes
  /** What it makes of what it computed. */
  result?(step: dkls.SetupStep, result: Bytes): Bytes
  /** What it signs. Null is silence. */
  message?(step: dkls.SetupStep, message: Message): Message | null
  /** Of a dishonest coordinator: what a recipient gets of the step before. */
  deliver?(step: dkls.SetupStep, recipient: Identifier, messages: Message[]): Message[]
}

export interface SetupEnd {
  /** Of honest participants, and of the coordinator under 0. */
  readonly aborts: ReadonlyMap<Identifier, Abort>
  /** Of everyone who came to the end, the dishonest one too. */
  readonly pairs: ReadonlyMap<Identifier, ReadonlyMap<Identifier, dkls.PairSetup>>
}

export type Statuses = ReadonlyMap<Identifier, ReadonlyMap<Identifier, dkls.PairStatus>>

export interface SetupOptions {
  readonly participants: readonly Identifier[]
  readonly seed?: string
  /** Names the run asked for; runs of one name differ by the seed alone. */
  readonly run?: string
  /** How participants stand to each other; those that are missing have no pairs. */
  readonly statuses?: Statuses
}

type States = ReadonlyMap<Identifier, Bytes | null>

/** A run of pair setups in which each state and message goes through its bytes. */
export class SetupDriver {
  readonly parties: Parties
  readonly params: dkls.SetupParams
  readonly options: SetupOptions
  /** What was said at each step, by whom it came from, whatever its header says. */
  readonly said: ReadonlyMap<Identifier, Message>[] = []
  readonly pairs = new Map<Identifier, ReadonlyMap<Identifier, dkls.PairSetup>>()
  readonly #history: States[] = []
  readonly #states = new Map<Identifier, Bytes | null>()
  readonly #aborts = new Map<Identifier, Abort>()

  constructor(parties: Parties, options: SetupOptions) {
    const { participants, run = "setup" } = options
    this.parties = parties
    this.options = options
    this.params = { setupId: seeded(run), rosterEpoch: ROSTER_EPOCH, participants }
  }

  relayed(): Message[][] {
    return this.said.map((messages) => [...messages.values()])
  }

  #step(
    step: dkls.SetupStep,
    identifier: Identifier,
    messages: readonly Message[],
    lie: SetupLie | null,
  ): Outcome<dkls.SetupAnswer> {
    const { verifyKeys, identities } = this.parties
    const identity = { signer: identities.get(identifier)!, verifyKeys }
    const pairs = this.options.statuses?.get(identifier) ?? new Map()
    const context = { params: this.params, identifier, identity, pairs }
    const randomness = seeded(`${this.options.seed ?? "setup"}/${identifier}/${step}`, 64)
    const state = this.#states.get(identifier) ?? null
    const task = dkls.setupTask(context, step, state, messages, randomness)
    if (!task.ok) return task
    const computed = dkls.work(lie?.task?.(step, task.value) ?? task.value)
    const result = lie?.result?.(step, computed) ?? computed
    return dkls.setupAnswer(context, step, result, messages)
  }

  /** Whoever lies cannot always go on from what it made up: then it is silent. */
  #answer(
    step: dkls.SetupStep,
    identifier: Identifier,
    messages: readonly Message[],
    lie: SetupLie | null,
  ): Outcome<dkls.SetupAnswer> {
    if (identifier !== lie?.liar) return this.#step(step, identifier, messages, null)
    try {
      return this.#step(step, identifier, messages, lie)
    } catch {
      return abort("missing-messages")
    }
  }

  #heardBy(step: dkls.SetupStep, identifier: Identifier, lie: SetupLie | null): Message[] {
    const others = [...(this.said[step - 2] ?? [])]
      .filter(([sender]) => sender !== identifier)
      .map(([, message]) => recoded(deliver(message, identifier)))
    return lie?.deliver?.(step, identifier, others) ?? others
  }

  round(step: dkls.SetupStep, lie: SetupLie | null = null): void {
    const said = new Map<Identifier, Message>()
    for (const identifier of this.params.participants) {
      if (this.#aborts.has(identifier)) continue
      const messages = this.#heardBy(step, identifier, lie)
      const outcome = this.#answer(step, identifier, messages, lie)
      if (!outcome.ok) {
        this.#aborts.set(identifier, outcome.abort)
        continue
      }
      const { state, message, pairs } = outcome.value
      this.#states.set(identifier, state)
      if (step === 4) this.pairs.set(identifier, pairs)
      const sent = message && identifier === lie?.liar ? this.#lied(step, message, lie) : message
      if (sent && travels(sent)) said.set(identifier, sent)
    }
    this.said.push(said)
    this.#history.push(copyOf(this.#states))
  }

  /** What the liar signs; from then on it remembers that, and not what it should have signed. */
  #lied(step: dkls.SetupStep, message: Message, lie: SetupLie): Message | null {
    const sent = lie.message ? lie.message(step, message) : message
    const { liar } = lie
    const state = liar === null ? null : this.#states.get(liar)
    if (!sent || !state || liar === null) return sent
    this.#states.set(liar, withOwn(state, step, liar, sent))
    return sent
  }

  /** The same run as it stood before `step`. */
  before(step: dkls.SetupStep): SetupDriver {
    const earlier = new SetupDriver(this.parties, this.options)
    earlier.said.push(...this.said.slice(0, step - 1))
    for (const states of this.#history.slice(0, step - 1)) {
      earlier.#states.clear()
      for (const [id, state] of copyOf(states)) earlier.#states.set(id, state)
      earlier.#history.push(states)
    }
    return earlier
  }

  finish(lie: SetupLie | null = null): SetupEnd {
    const { verifyKeys } = this.parties
    for (const step of [1, 2, 3, 4] as const) {
      if (step <= this.said.length) continue
      this.round(step, lie)
      if (step === 4 || this.#aborts.has(COORDINATOR)) continue
      const found = dkls.setupInspect(this.params, verifyKeys, this.relayed())
      if (!found.ok) this.#aborts.set(COORDINATOR, found.abort)
    }
    const isHonest = ([identifier]: readonly [Identifier, unknown]) => identifier !== lie?.liar
    return { aborts: new Map([...this.#aborts].filter(isHonest)), pairs: this.pairs }
  }
}

function copyOf(states: States): Map<Identifier, Bytes | null> {
  return new Map([...states].map(([id, state]) => [id, state?.slice() ?? null]))
}

function withOwn(state: Bytes, step: dkls.SetupStep, liar: Identifier, said: Message): Bytes {
  const { trail: encoded, secret } = decode(setupStateCodec, state)
  const trail = decode(setupTrailCodec, encoded)
  const statement = { header: said.header, broadcast: said.broadcast }
  const own = (statements: typeof trail.opens) => new Map([...statements, [liar, statement]])
  const next =
    step === 1
      ? { ...trail, opens: own(trail.opens) }
      : step === 2
        ? { ...trail, exchanges: own(trail.exchanges) }
        : trail
  return encode(setupStateCodec, { trail: encode(setupTrailCodec, next), secret })
}
