import {
  type ActivityListing,
  type ActivityState,
  LockKeeperError,
  MAX_ACTIVITIES,
  MAX_VERDICTS,
  type SignedApproval,
  type Subject,
  signedApproval,
  subjectCodec,
} from "@lockkeeper/api"
import {
  type Bytes,
  type Codec,
  decode,
  encode,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
  struct,
  toHex,
} from "@lockkeeper/encoding"
import type { Change, Store, Versioned } from "../ports/store.ts"

const TABLE = "activities"

/** What this server keeps of an activity beside its subject. */
export interface Activity extends Omit<ActivityListing, "state"> {
  readonly state: "open" | "cancelled" | "done"
  /** The request that it was done by; its other attempts are the same request. */
  readonly doneBy: Bytes | null
}

export const activityRow: Codec<Activity> = struct<Activity>({
  activityId: fixedBytes(32),
  state: oneOf("open", "cancelled", "done"),
  subject: fixedBytes(32),
  intent: nullable(fixedBytes(32)),
  charter: fixedBytes(32),
  policyVersion: safeInteger,
  openedAt: safeInteger,
  expiresAt: safeInteger,
  verdicts: list(signedApproval, MAX_VERDICTS),
  doneBy: nullable(fixedBytes(32)),
})

const rowId = (accountId: Bytes, activityId: Bytes) =>
  `${toHex(accountId)}-activity-${toHex(activityId)}`
const subjectRowId = (accountId: Bytes, activityId: Bytes) =>
  `${toHex(accountId)}-content-${toHex(activityId)}`
/** Where the last activity about a subject is named. */
const lastRowId = (accountId: Bytes, subject: Bytes) =>
  `${toHex(accountId)}-subject-${toHex(subject)}`

/** As people see it at this moment. */
export function listingOf(activity: Activity, now: number): ActivityListing {
  const { doneBy: _, ...listing } = activity
  return { ...listing, state: stateAt(activity, now) }
}

function stateAt({ state, expiresAt }: Activity, now: number): ActivityState {
  if (state !== "open") return state
  return now >= expiresAt ? "expired" : "waiting"
}

export async function readActivity(
  store: Store,
  accountId: Bytes,
  activityId: Bytes,
): Promise<Versioned<Activity> | null> {
  const row = await store.read(TABLE, rowId(accountId, activityId))
  return row === null ? null : { version: row.version, value: decode(activityRow, row.value) }
}

/** @throws LockKeeperError `not-found` */
export async function knownActivity(
  store: Store,
  accountId: Bytes,
  activityId: Bytes,
): Promise<Versioned<Activity>> {
  const activity = await readActivity(store, accountId, activityId)
  if (activity !== null) return activity
  throw new LockKeeperError("not-found", "The account has no such request at this server.", {
    field: "body.activityId",
    remedy: "List the account's requests.",
  })
}

export async function readSubject(
  store: Store,
  accountId: Bytes,
  { activityId }: Pick<Activity, "activityId">,
): Promise<Subject> {
  const row = await store.read(TABLE, subjectRowId(accountId, activityId))
  if (row === null) throw new Error("an activity is kept without its subject")
  return decode(subjectCodec, row.value)
}

/** The last activity about a subject, or null. */
export async function activityAbout(
  store: Store,
  accountId: Bytes,
  subject: Bytes,
): Promise<Versioned<Activity> | null> {
  const last = await store.read(TABLE, lastRowId(accountId, subject))
  return last === null ? null : await readActivity(store, accountId, last.value)
}

/** Activities in the order of their ids, after `after`, at most `limit`. */
export async function scanActivities(
  store: Store,
  accountId: Bytes,
  after: Bytes | null,
  limit: number,
): Promise<readonly Versioned<Activity>[]> {
  const prefix = `${toHex(accountId)}-activity-`
  const start = after === null ? prefix : `${prefix}${toHex(after)}`
  const rows = await store.scan(TABLE, prefix, start, limit)
  return rows.map(({ version, value }) => ({ version, value: decode(activityRow, value) }))
}

export function putActivity(
  accountId: Bytes,
  activity: Activity,
  ifVersion: number | "absent",
): Change {
  const id = rowId(accountId, activity.activityId)
  return { kind: "put", table: TABLE, id, ifVersion, value: encode(activityRow, activity) }
}

/** The activity with one more verdict. */
export function withVerdict(activity: Activity, verdict: SignedApproval): Activity {
  return { ...activity, verdicts: [...activity.verdicts, verdict] }
}

/**
 * What keeps a new activity and its subject, and drops one that has expired where there are too many.
 *
 * @throws LockKeeperError `rate-limited` when as many are kept, none of which has expired.
 */
export async function openActivity(
  store: Store,
  accountId: Bytes,
  activity: Activity,
  subject: Subject,
): Promise<readonly Change[]> {
  const last = await store.read(TABLE, lastRowId(accountId, activity.subject))
  const kept = await scanActivities(store, accountId, null, MAX_ACTIVITIES + 1)
  const dropped =
    kept.length < MAX_ACTIVITIES ? [] : await dropExpired(store, accountId, activity.openedAt, kept)
  return [
    ...dropped.filter(
      (change) => change.kind !== "take" || change.id !== lastRowId(accountId, activity.subject),
    ),
    putActivity(accountId, activity, "absent"),
    {
      ...{ kind: "put", table: TABLE, id: subjectRowId(accountId, activity.activityId) },
      ...{ ifVersion: "absent", value: encode(subjectCodec, subject) },
    },
    {
      ...{ kind: "put", table: TABLE, id: lastRowId(accountId, activity.subject) },
      ...{ ifVersion: last?.version ?? "absent", value: activity.activityId.slice() },
    },
  ]
}

async function dropExpired(
  store: Store,
  accountId: Bytes,
  now: number,
  kept: readonly Versioned<Activity>[],
): Promise<readonly Change[]> {
  // One that was cancelled, vetoed or used could be opened anew under its name until its end, and be
  // backed by those of its verdicts that suit: it is kept for as long as they are worth anything.
  const over = kept.filter(({ value }) => now >= value.expiresAt)
  const [oldest] = over.sort((a, b) => a.value.openedAt - b.value.openedAt)
  if (oldest === undefined) {
    throw new LockKeeperError(
      "rate-limited",
      `${MAX_ACTIVITIES} requests of the account are kept until their end.`,
      { remedy: "Wait until one of them has expired; have the next ones wait for less long." },
    )
  }
  const { activityId, subject } = oldest.value
  const last = await store.read(TABLE, lastRowId(accountId, subject))
  const isLast = last !== null && toHex(last.value) === toHex(activityId)
  const ids = [rowId(accountId, activityId), subjectRowId(accountId, activityId)]
  const changes: Change[] = []
  for (const id of isLast ? [...ids, lastRowId(accountId, subject)] : ids) {
    const row = await store.read(TABLE, id)
    if (row !== null) changes.push({ kind: "take", table: TABLE, id, version: row.version })
  }
  return changes
}
