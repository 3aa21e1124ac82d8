import { type EventIncident, MAX_EVENT_INCIDENTS } from "@lockkeeper/api"
import { type Abort, encodeEvidence } from "@lockkeeper/protocols"
import type { Step } from "../request/step.ts"
import type { Recording } from "./incidents.ts"
import { judgeEvidence } from "./judge.ts"

/** Most pieces of evidence that one abort answers with, and that are recorded of it. */
export const MAX_PIECES = 8

/**
 * What an abort of this server's own run proves, to be recorded in the commit of the abort. Judged
 * like what strangers bring: a name without evidence that holds is recorded nowhere.
 */
export function ownFindings({ self, incidents }: Step, { evidence }: Abort): Recording {
  const judged = evidence
    .slice(0, MAX_PIECES)
    .map((piece) => judgeEvidence(self, encodeEvidence(piece)))
  const proofs = judged.flatMap((one) => (one.valid ? [one.proof] : []))
  return incidents.record(proofs, "own")
}

/** What the log says of it. */
export function loggedIncidents({ incidents }: Recording): readonly EventIncident[] {
  return incidents
    .slice(0, MAX_EVENT_INCIDENTS)
    .map(({ number, digest }) => ({ number, evidence: digest }))
}
