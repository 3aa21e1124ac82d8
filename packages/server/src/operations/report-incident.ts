import { incidentReceipt, LockKeeperError, reportIncidentBody } from "@lockkeeper/api"
import { sha256 } from "@lockkeeper/crypto"
import { encode, toHex } from "@lockkeeper/encoding"
import type { Incident } from "../incidents/incidents.ts"
import { judgeEvidence, type Proof } from "../incidents/judge.ts"
import { loggedIncidents } from "../incidents/own.ts"
import type { StepOutcome } from "../request/commit.ts"
import { decodeAs } from "../request/decode.ts"
import type { OperationStep, Step } from "../request/step.ts"
import { buryOwn } from "./bulk-step.ts"
import { onlyStep } from "./steps.ts"

/**
 * Takes note of evidence that a coordinator brings. It counts for what it proves to this server under
 * its own roster, whoever brings it; without valid evidence nobody's word counts.
 */
export const reportIncident: OperationStep = async (step) => {
  onlyStep(step)
  const { evidence } = decodeAs("body", reportIncidentBody, step.request.body)
  const { incidents } = step
  const known = incidents.byDigest(sha256(evidence))
  if (known !== null) return answered(step, known)
  checkRate(step)
  const judged = judgeEvidence(step.self, evidence)
  if (!judged.valid) {
    throw new LockKeeperError("invalid-request", `The evidence proves nothing: ${judged.why}.`, {
      field: "body.evidence",
      remedy: "Check it with `lockkeeper evidence verify`.",
    })
  }
  return recorded(step, judged.proof)
}

async function recorded(step: Step, proof: Proof): Promise<StepOutcome> {
  const { incidents } = step
  const { reason, servers } = proof
  let recording = incidents.record([proof], "reported")
  // Where somebody else is recording the same, it may yet fail.
  for (let other = incidents.pendingOf(proof); other !== null; other = incidents.pendingOf(proof)) {
    if (recording.incidents.length > 0) break
    await other
    recording = incidents.record([proof], "reported")
  }
  const [first] = recording.incidents
  if (first === undefined) {
    return answered(step, incidents.recordOf(proof) ?? incidents.closestTo(proof))
  }
  try {
    const pair = servers.length === 2 ? ([servers[0], servers[1]] as [number, number]) : null
    return {
      ...answered(step, first, true),
      changes: [...recording.changes, ...(await buryOwn(step, pair, reason))],
      event: step.event({
        ...{ reason, pair, culprits: pair === null ? servers : [] },
        incidents: loggedIncidents(recording),
      }),
      afterCommit: recording.committed,
      release: recording.release,
    }
  } catch (error) {
    recording.release()
    throw error
  }
}

function answered(step: Step, incident: Incident, isNew = false): StepOutcome {
  const { number } = incident
  const quarantined = step.incidents.stateOf(incident) === "quarantined" ? incident.servers : []
  const output = encode(incidentReceipt, { number, isNew, quarantined })
  return { output, changes: [], event: step.event() }
}

/** Verifying takes milliseconds, which nobody may ask for without end: a server's operators together. */
function checkRate(step: Step): void {
  const isOperator = step.role === "operator"
  const reporter = isOperator ? `${step.operator.server}` : toHex(step.request.accountId)
  if (step.incidents.reports.take(reporter, step.deps.clock.now())) return
  const who = isOperator ? "A server's operators report" : "This account reports"
  throw new LockKeeperError("rate-limited", `${who} evidence too often.`, {
    field: "body.evidence",
    remedy: "Wait a moment and report it again.",
  })
}
