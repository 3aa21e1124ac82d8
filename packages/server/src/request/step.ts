import type { Event } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import type { Counters } from "../counters.ts"
import type { Guesses } from "../guesses.ts"
import type { Incidents } from "../incidents/incidents.ts"
import type { OperatorRates } from "../limits/operator-rates.ts"
import type { OneTimeLedger } from "../one-time.ts"
import type { PolicyRoom } from "../policies/room.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import type { PresigningRoom } from "../presigning/room.ts"
import type { ResharingRoom } from "../resharing/room.ts"
import type { ServerSelf } from "../self.ts"
import type { OperatorRequest, OwnerRequest, PersonRequest } from "./authorise.ts"
import type { StepOutcome } from "./commit.ts"
import type { Session, Sessions } from "./sessions.ts"

/** What the sessions' frames are answered from. */
export interface CallContext {
  readonly self: ServerSelf
  readonly deps: Dependencies
  readonly sessions: Sessions
  readonly session: Session
  readonly oneTime: OneTimeLedger
  readonly guesses: Guesses
  readonly counters: Counters
  readonly presigning: PresigningRoom
  readonly incidents: Incidents
  readonly operatorRates: OperatorRates
  readonly resharing: ResharingRoom
  readonly policies: PolicyRoom
}

/** What an operation's step acts on, whoever asks. */
interface AnyStep extends CallContext {
  readonly step: number
  readonly input: Bytes
  /** An event about this step, to be completed by what the operation found. */
  event(details?: Partial<Event>): Event
}

/** A step in an account's name. */
export interface OwnerStep extends AnyStep, OwnerRequest {}

/** A step in the name of an operator, who has no account. */
export interface OperatorStep extends AnyStep, OperatorRequest {}

/** A step in the name of a person in an account's charter. */
export interface PersonStep extends AnyStep, PersonRequest {}

/** A step about an account, whoever of its people asks. */
export type AccountStep = OwnerStep | PersonStep

export type Step = OwnerStep | OperatorStep | PersonStep

/** One step of one operation. Writes nothing; throws LockKeeperError to refuse. */
export type OperationStep = (step: Step) => Promise<StepOutcome>

/** The same of an operation that only owners may ask for. */
export type OwnerOperationStep = (step: OwnerStep) => Promise<StepOutcome>

/** The same of an operation that owners and people in their charters may ask for. */
export type AccountOperationStep = (step: AccountStep) => Promise<StepOutcome>

/** The same of an operation that only operators may ask for. */
export type OperatorOperationStep = (step: OperatorStep) => Promise<StepOutcome>
