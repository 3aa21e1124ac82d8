import {
  type Approval,
  decodeApproval,
  type EventApproval,
  LockKeeperError,
  type SignedApproval,
  verifyApproval,
} from "@lockkeeper/api"
import { type Bytes, equalBytes } from "@lockkeeper/encoding"
import type { ApprovalFacts, Charter, Person } from "@lockkeeper/policy"
import { decodeField } from "../request/decode.ts"
import type { Activity } from "./activities.ts"
import { personOf } from "./charters.ts"

const FIELD = "body.verdict"

/** What a verdict is about, as this server knows it. */
interface About {
  readonly accountId: Bytes
  readonly activity: Activity
  readonly charter: Charter
  /** Digest of the charter in force. */
  readonly digest: Bytes
}

/**
 * Checks that a verdict is a person's of the charter in force, about this activity and nothing else.
 *
 * @throws LockKeeperError naming the field that is not as it is here.
 */
export function checkVerdict(about: About, signed: SignedApproval): Approval {
  const said = decodeField(FIELD, () => decodeApproval(signed))
  const { activity, charter, digest } = about
  const { version } = charter.policy
  const same = (a: Bytes | null, b: Bytes | null) =>
    a === null || b === null ? a === b : equalBytes(a, b)
  const fields: readonly (readonly [keyof Approval, boolean])[] = [
    ["accountId", equalBytes(said.accountId, about.accountId)],
    ["activityId", equalBytes(said.activityId, activity.activityId)],
    ["subject", equalBytes(said.subject, activity.subject)],
    ["intent", same(said.intent, activity.intent)],
    ["charter", equalBytes(said.charter, digest) && equalBytes(activity.charter, digest)],
    ["policyVersion", said.policyVersion === version && activity.policyVersion === version],
    ["expiresAt", said.expiresAt === activity.expiresAt],
  ]
  const wrong = fields.find(([, holds]) => !holds)
  if (wrong !== undefined) throw other(wrong[0])
  const person = personOf(charter, said.credential)
  if (person === null || person.kind === "auditor" || person.id !== said.person) throw nobody()
  if (!verifyApproval(signed)) {
    throw new LockKeeperError("unauthenticated", "The verdict is not signed by its key.", {
      field: `${FIELD}.signature`,
      remedy: "Sign the verdict's bytes as they are sent.",
    })
  }
  return said
}

function other(field: keyof Approval): LockKeeperError {
  return new LockKeeperError("permission-denied", `The verdict has another ${field}.`, {
    field: `${FIELD}.${field}`,
    remedy: "Look at the request as it stands, and decide anew.",
  })
}

function nobody(): LockKeeperError {
  return new LockKeeperError("permission-denied", "The key is no approver's in the charter.", {
    field: `${FIELD}.credential`,
    remedy: "Ask who keeps the account's policy.",
  })
}

/** What an activity's verdicts count for now. */
export interface Backing {
  readonly facts: readonly ApprovalFacts[]
  readonly logged: readonly EventApproval[]
}

export const NO_BACKING: Backing = { facts: [], logged: [] }

/**
 * The verdicts of an activity that is used now, by whoever the charter has now. None of an activity
 * that was opened under another charter, has ended, or was used by another request.
 */
export function backingOf(about: About, now: number, request: Bytes): Backing {
  const { activity, charter, digest } = about
  const isOurs = activity.doneBy !== null && equalBytes(activity.doneBy, request)
  if (activity.state !== "open" && !(activity.state === "done" && isOurs)) return NO_BACKING
  if (now >= activity.expiresAt || !equalBytes(activity.charter, digest)) return NO_BACKING
  const counted = activity.verdicts.flatMap((signed) => {
    const { credential, person: id, verdict } = decodeApproval(signed)
    const person: Person | null = personOf(charter, credential)
    if (person === null || person.id !== id || !verifyApproval(signed)) return []
    return [{ person, verdict, credential }]
  })
  return {
    facts: counted.map(({ person: { id, roles }, verdict }) => ({ person: id, roles, verdict })),
    logged: counted.map(({ person, verdict, credential }) => {
      return { person: person.id, credential, verdict }
    }),
  }
}
