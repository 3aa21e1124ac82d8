import type { OpenAnswer } from "@lockkeeper/api"
import type { Counters } from "../counters.ts"
import type { Guesses } from "../guesses.ts"
import type { Incidents } from "../incidents/incidents.ts"
import type { OperatorRates } from "../limits/operator-rates.ts"
import type { Dependencies } from "../ports/dependencies.ts"
import type { ServerSelf } from "../self.ts"
import type { SessionStage } from "./sessions.ts"

/** What a process opens sessions with. */
export interface OpeningContext {
  readonly self: ServerSelf
  readonly deps: Dependencies
  readonly guesses: Guesses
  readonly counters: Counters
  readonly incidents: Incidents
  readonly operatorRates: OperatorRates
}

/** What an opening operation decides: its answer, and the session's stage when there is to be one. */
export interface Opening {
  readonly answer: OpenAnswer
  readonly stage: SessionStage
  readonly expiresAt: number
}
