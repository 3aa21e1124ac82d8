import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, decode, encode } from "@lockkeeper/encoding"
import {
  dklsMessageCodec,
  type PairSetup,
  type PairStatus,
  type SetupAnswer,
  type SetupContext,
  type SetupParams,
  type SetupStep,
  setupAnswer,
  setupTask,
  work,
} from "../src/dkls/index.ts"
import { type Abort, deliver, type Message, type Outcome } from "../src/index.ts"
import { senderOf } from "./dkls-cluster.ts"
import { seeded } from "./frost-fixture.ts"
import { identity, rosterOf } from "./messages-fixtures.ts"

export function setupParams(participants: readonly Identifier[], seed = "setup"): SetupParams {
  return { setupId: seeded(seed), rosterEpoch: 7, participants }
}

type Statuses = ReadonlyMap<Identifier, ReadonlyMap<Identifier, PairStatus>>

/** What a dishonest participant does; each is optional. */
export interface SetupMeddling {
  result?(step: SetupStep, identifier: Identifier, result: Bytes): Bytes
  message?(step: SetupStep, identifier: Identifier, message: Message): Message | null
  deliver?(step: SetupStep, recipient: Identifier, messages: Message[]): Message[]
}

/** A run of setups in which every message goes through its codec. */
export class SetupRunner {
  readonly params: SetupParams
  readonly seed: string
  readonly statuses: Statuses
  readonly states = new Map<Identifier, Bytes | null>()
  readonly said: Message[][] = []
  /** The states after each step, so that runs that differ later need not begin again. */
  readonly #history: Map<Identifier, Bytes | null>[] = []
  readonly aborts = new Map<Identifier, Abort>()
  readonly pairs = new Map<Identifier, ReadonlyMap<Identifier, PairSetup>>()

  constructor(params: SetupParams, statuses: Statuses = new Map(), seed = "setup") {
    this.params = params
    this.statuses = statuses
    this.seed = seed
  }

  contextOf(identifier: Identifier): SetupContext {
    const { params } = this
    const verifyKeys = rosterOf(params.participants)
    const pairs = this.statuses.get(identifier) ?? new Map()
    return { params, identifier, identity: { signer: identity(identifier), verifyKeys }, pairs }
  }

  step(
    step: SetupStep,
    identifier: Identifier,
    messages: readonly Message[],
    meddling: SetupMeddling = {},
  ): Outcome<SetupAnswer> {
    const context = this.contextOf(identifier)
    const state = this.states.get(identifier) ?? null
    const randomness = seeded(`${this.seed}/${identifier}/${step}`, 64)
    const task = setupTask(context, step, state, messages, randomness)
    if (!task.ok) return task
    const computed = work(task.value)
    const result = meddling.result?.(step, identifier, computed) ?? computed
    return setupAnswer(context, step, result, messages)
  }

  round(step: SetupStep, meddling: SetupMeddling = {}): void {
    const said: Message[] = []
    for (const identifier of this.params.participants) {
      if (this.aborts.has(identifier)) continue
      const others = (this.said[step - 2] ?? [])
        .filter((message) => senderOf(message) !== identifier)
        .map((message) => deliver(message, identifier))
        .map((message) => decode(dklsMessageCodec, encode(dklsMessageCodec, message)))
      const messages = meddling.deliver?.(step, identifier, others) ?? others
      const outcome = this.step(step, identifier, messages, meddling)
      if (!outcome.ok) {
        this.aborts.set(identifier, outcome.abort)
        continue
      }
      const { state, message, pairs } = outcome.value
      this.states.set(identifier, state)
      if (step === 4) this.pairs.set(identifier, pairs)
      const sent = message && (meddling.message?.(step, identifier, message) ?? message)
      if (sent) said.push(sent)
    }
    this.said.push(said)
    this.#history.push(new Map([...this.states].map(([id, state]) => [id, state?.slice() ?? null])))
  }

  /** The same run as it stood before `step`. */
  before(step: SetupStep): SetupRunner {
    const earlier = new SetupRunner(this.params, this.statuses, this.seed)
    earlier.said.push(...this.said.slice(0, step - 1))
    for (const states of this.#history.slice(0, step - 1)) {
      for (const [id, state] of states) earlier.states.set(id, state?.slice() ?? null)
      earlier.#history.push(states)
    }
    return earlier
  }

  run(meddling: SetupMeddling = {}, last: SetupStep = 4): this {
    for (const step of [1, 2, 3, 4] as const) {
      if (step > this.said.length && step <= last) this.round(step, meddling)
    }
    return this
  }
}
