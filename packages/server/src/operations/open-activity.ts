import {
  type ActivityListing,
  activityIdOf,
  activityListing,
  LockKeeperError,
  MAX_ACTIVITY_MS,
  openActivityBody,
  type Subject,
  subjectDigest,
} from "@lockkeeper/api"
import { type Bytes, decode, encode, equalBytes } from "@lockkeeper/encoding"
import { type Charter, charterCodec } from "@lockkeeper/policy"
import { keyCertificateCodec } from "@lockkeeper/protocols"
import { intentDigest } from "@lockkeeper/transactions"
import { checkPath, checkRegistered } from "../children.ts"
import { readListing } from "../keys.ts"
import {
  type Activity,
  activityAbout,
  listingOf,
  openActivity,
  readActivity,
} from "../policies/activities.ts"
import { readCharter } from "../policies/charters.ts"
import { IntentReader } from "../policies/intent-reader.ts"
import { readSigning } from "../policies/judge-signing.ts"
import { decodeAs } from "../request/decode.ts"
import type { OwnerOperationStep, OwnerStep } from "../request/step.ts"
import { onlyStep } from "./steps.ts"

/** Puts something before the people who are to approve it. Answers its listing. */
export const openRequest: OwnerOperationStep = async (step) => {
  onlyStep(step)
  const { clientKey, subject, expiresAt } = decodeAs("body", openActivityBody, step.request.body)
  const { deps, account, request } = step
  const now = deps.clock.now()
  const charter = await readCharter(deps.store, account.value)
  const digest = account.value.charter
  if (charter === null || digest === null) {
    throw new LockKeeperError("permission-denied", "The account has no policy to approve under.", {
      field: "policy",
      remedy: "Set one; until then its owner decides alone.",
    })
  }
  const activityId = activityIdOf(request.accountId, clientKey)
  const named = subjectDigest(subject)
  const known = await readActivity(deps.store, request.accountId, activityId)
  if (known !== null) {
    if (!equalBytes(known.value.subject, named) || known.value.expiresAt !== expiresAt) {
      throw new LockKeeperError("already-exists", "That key names another request.", {
        field: "body.clientKey",
        remedy: "Choose another for each request.",
      })
    }
    return { output: shown(listingOf(known.value, now)), changes: [], event: step.event() }
  }
  if (expiresAt <= now || expiresAt - now > MAX_ACTIVITY_MS) {
    throw new LockKeeperError("invalid-request", "A request waits for up to seven days.", {
      field: "body.expiresAt",
    })
  }
  await checkFree(step, named)
  const activity: Activity = {
    ...{ activityId, state: "open", subject: named, charter: digest, doneBy: null, verdicts: [] },
    ...{ policyVersion: charter.policy.version, openedAt: now, expiresAt },
    intent: await intentOf(step, charter, subject),
  }
  return {
    output: shown(listingOf(activity, now)),
    changes: await openActivity(deps.store, request.accountId, activity, subject),
    event: step.event(subject.kind === "sign" ? { keyId: subject.keyId } : {}),
  }
}

const shown = (listing: ActivityListing): Bytes => encode(activityListing, listing)

/** One at a time, so that it is never in doubt which of two was approved. */
async function checkFree({ deps, request }: OwnerStep, subject: Bytes): Promise<void> {
  const last = await activityAbout(deps.store, request.accountId, subject)
  if (last === null || listingOf(last.value, deps.clock.now()).state !== "waiting") return
  throw new LockKeeperError("already-exists", "Another request for the same is waiting.", {
    field: "body.subject",
    remedy: "Wait for that one, or cancel it.",
  })
}

/** What this server reads in it. @throws LockKeeperError where it would not be signed as it is. */
async function intentOf(
  { deps, request }: OwnerStep,
  charter: Charter,
  subject: Subject,
): Promise<Bytes | null> {
  if (subject.kind === "change-policy") {
    decodeAs("body.subject.charter", charterCodec, subject.charter)
    return null
  }
  const { keyId, path } = subject
  checkPath(path)
  const listing = await readListing(deps.store, request.accountId, keyId)
  await checkRegistered(deps.store, keyId, path)
  const { public: key } = decode(keyCertificateCodec, listing.certificate)
  const reader = new IntentReader(key, charter)
  readSigning({ ...subject, key }, reader)
  return reader.intent === null ? null : intentDigest(reader.intent)
}
