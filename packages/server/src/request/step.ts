import type { Event } from "@lockkeeper/api"
import type { Bytes } from "@lockkeeper/encoding"
import type { Counters } from "../counters.ts"
import type { Guesses } from "../guesses.ts"
import type { Incidents } from "../incidents/incidents.ts"
import type { OneTimeLedger } from "../one-time.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import type { PresigningRoom } from "../presigning/room.ts"
import type { ServerSelf } from "../self.ts"
import type { AuthorisedRequest } from "./authorise.ts"
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
}

/** What an operation's step acts on. */
export interface Step extends AuthorisedRequest, CallContext {
  readonly step: number
  readonly input: Bytes
  /** An event about this step, to be completed by what the operation found. */
  event(details?: Partial<Event>): Event
}

/** One step of one operation. Writes nothing; throws LockKeeperError to refuse. */
export type OperationStep = (step: Step) => Promise<StepOutcome>
