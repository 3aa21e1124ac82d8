import type { Identifier } from "@lockkeeper/crypto"
import type { Bytes } from "@lockkeeper/encoding"
import type { Abort, Message, Outcome, Statement } from "@lockkeeper/protocols"

/** The messages that one participant is given with a step, by what they are there for. */
export type Delivery = Readonly<Record<string, readonly Message[]>>

/** What a coordinator asks of whom. */
export interface Asked {
  readonly step: string
  readonly deliveries: ReadonlyMap<Identifier, Delivery>
}

export interface Response {
  readonly from: Identifier
  readonly message: Message
}

/** What a participant says, and the state that its server would store with it. */
export interface Stepped {
  readonly message: Message
  readonly stored: Bytes
}

/** Where a run ended for those who keep to it. */
export interface Ending {
  readonly aborts: readonly Abort[]
  readonly finished: boolean
  readonly accepted: readonly string[]
}

/**
 * A protocol of signed rounds under a coordinator's step machine: every step by its real function, and
 * every state as the bytes that a server stores.
 */
export interface Rounds<Task> {
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
  readonly participants: readonly Identifier[]
  begin(): Task
  /** Null when the run is over. */
  asked(task: Task): Asked | null
  step(task: Task, identifier: Identifier, given: Given): Outcome<Stepped>
  /** The state of a liar that goes on as if what it sent were what it should have sent. */
  standBy(stored: Bytes, step: string, sent: Statement): Bytes
  advance(task: Task, responses: readonly Response[]): Task
  end(task: Task, stored: ReadonlyMap<Identifier, Bytes>, honest: readonly Identifier[]): Ending
}

/** What a participant has when it is asked. */
export interface Given {
  /** As it stored it with the step before; empty before the first. */
  readonly stored: Bytes
  readonly delivery: Delivery
}

/**
 * What an attack changes. `answers` is what a dishonest participant sends in place of its answer, to
 * everyone; null is silence. `delivers` is what somebody between puts in place of a message to one
 * recipient, and `collects` in place of what the coordinator gets.
 */
export interface Meddling {
  readonly dishonest: Identifier | null
  answers?(step: string, message: Message): readonly Message[] | null
  collects?(step: string, sender: Identifier, message: Message): readonly Message[]
  delivers?(recipient: Identifier, message: Message, step: string): readonly Message[]
}
