import {
  activityBody,
  activityListing,
  activityListings,
  activityShown,
  decideActivityBody,
  decodeApproval,
  LockKeeperError,
  listActivitiesBody,
  MAX_ACTIVITY_PAGE,
} from "@lockkeeper/api"
import { encode, equalBytes } from "@lockkeeper/encoding"
import {
  knownActivity,
  listingOf,
  putActivity,
  readSubject,
  scanActivities,
  withVerdict,
} from "../policies/activities.ts"
import { checkVerdict } from "../policies/approvals.ts"
import { readCharter } from "../policies/charters.ts"
import { decodeAs, decodeField } from "../request/decode.ts"
import type { AccountOperationStep, OwnerOperationStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** What waits, and what has ended lately. */
export const listRequests: AccountOperationStep = async (step) => {
  onlyStep(step)
  const { after, limit } = decodeAs("body", listActivitiesBody, step.request.body)
  if (limit < 1 || limit > MAX_ACTIVITY_PAGE) {
    throw new LockKeeperError("invalid-request", `Ask for 1 to ${MAX_ACTIVITY_PAGE} requests.`, {
      field: "body.limit",
    })
  }
  const { deps, request } = step
  const found = await scanActivities(deps.store, request.accountId, after, limit)
  const listings = found.map(({ value }) => listingOf(value, deps.clock.now()))
  return { output: encode(activityListings, listings), changes: [], event: step.event() }
}

/** One of them with all of what it is about, for the asked one's own client to read. */
export const showRequest: AccountOperationStep = async (step) => {
  onlyStep(step)
  const { activityId } = decodeAs("body", activityBody, step.request.body)
  const { deps, request } = step
  const { value } = await knownActivity(deps.store, request.accountId, activityId)
  const subject = await readSubject(deps.store, request.accountId, value)
  const listing = listingOf(value, deps.clock.now())
  return { output: encode(activityShown, { listing, subject }), changes: [], event: step.event() }
}

/**
 * Keeps a person's verdict. Nobody's changes, but whoever has approved can still veto. The same once more
 * changes nothing. Answers the listing.
 */
export const decideRequest: AccountOperationStep = async (step) => {
  onlyStep(step)
  const { verdict: signed } = decodeAs("body", decideActivityBody, step.request.body)
  const { activityId } = decodeField("body.verdict", () => decodeApproval(signed))
  const { deps, request, account } = step
  const { value: activity, version } = await knownActivity(
    deps.store,
    request.accountId,
    activityId,
  )
  const charter = await readCharter(deps.store, account.value)
  const digest = account.value.charter
  if (charter === null || digest === null) throw new Error("an activity without a charter")
  const now = deps.clock.now()
  const listing = listingOf(activity, now)
  const isKept = activity.verdicts.some(
    (one) =>
      equalBytes(one.approval, signed.approval) && equalBytes(one.signature, signed.signature),
  )
  if (isKept) {
    return { output: encode(activityListing, listing), changes: [], event: step.event() }
  }
  if (listing.state !== "waiting") throw ended(listing.state)
  const about = { accountId: request.accountId, activity, charter, digest }
  const { person, verdict } = checkVerdict(about, signed)
  const said = activity.verdicts.map(decodeApproval).filter((one) => one.person === person)
  if (said.some((one) => one.verdict === "veto" || one.verdict === verdict)) {
    throw new LockKeeperError("already-exists", `${person} has decided already.`, {
      field: "body.verdict.person",
      remedy: "An approval can be followed by a veto, and by nothing else.",
    })
  }
  const decided = withVerdict(activity, signed)
  return {
    output: encode(activityListing, listingOf(decided, now)),
    changes: [putActivity(request.accountId, decided, version)],
    event: step.event({ note: `${verdict} by ${person}` }),
  }
}

/** The owner takes back what was asked. Once more changes nothing. */
export const cancelRequest: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { activityId } = decodeAs("body", activityBody, step.request.body)
  const { deps, request } = step
  const known = await knownActivity(deps.store, request.accountId, activityId)
  const now = deps.clock.now()
  const { state } = listingOf(known.value, now)
  if (state === "done" || state === "expired") throw ended(state)
  const cancelled = { ...known.value, state: "cancelled" } as const
  return {
    output: encode(activityListing, listingOf(cancelled, now)),
    changes:
      state === "cancelled" ? [] : [putActivity(request.accountId, cancelled, known.version)],
    event: step.event(),
  }
}

function ended(state: string): LockKeeperError {
  return new LockKeeperError("expired", `The request is over: it is ${state}.`, {
    field: "body.activityId",
    remedy: "Open another one.",
  })
}
