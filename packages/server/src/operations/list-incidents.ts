import {
  incidentListings,
  LockKeeperError,
  listIncidentsBody,
  MAX_INCIDENTS_PAGE,
} from "@lockkeeper/api"
import { encode } from "@lockkeeper/encoding"
import { decodeAs } from "../request/decode.ts"
import type { OperationStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** What this server has recorded against servers of the roster, without the evidence itself. */
export const listIncidents: OperationStep = async (step) => {
  onlyStep(step)
  const { after, limit } = decodeAs("body", listIncidentsBody, step.request.body)
  if (limit < 1 || limit > MAX_INCIDENTS_PAGE) {
    throw new LockKeeperError("invalid-request", `A page has 1 to ${MAX_INCIDENTS_PAGE}.`, {
      field: "body.limit",
    })
  }
  const { incidents } = step
  const page = incidents.all().filter(({ number }) => number > after)
  const listed = page.slice(0, limit).map((incident) => incidents.listing(incident))
  return { output: encode(incidentListings, listed), changes: [], event: step.event() }
}
