import {
  type Bytes,
  type Codec,
  constant,
  fixedBytes,
  list,
  nullable,
  oneOf,
  safeInteger,
  struct,
  u8,
  utf8,
} from "@lockkeeper/encoding"
import { type SignedApproval, type Subject, signedApproval, subjectCodec } from "./approval.ts"

/** Longest an activity may wait, milliseconds. */
export const MAX_ACTIVITY_MS = 7 * 24 * 3_600_000

/** Most activities of one account that a server keeps: each until it expires, whatever became of it. */
export const MAX_ACTIVITIES = 64

/** Most verdicts on one activity: an approval and a veto of everybody. */
export const MAX_VERDICTS = 128

/** What has become of an activity at one server. */
export const ACTIVITY_STATES = ["waiting", "cancelled", "expired", "done"] as const
export type ActivityState = (typeof ACTIVITY_STATES)[number]

/** Body of `requests.open`, addressed to every holder. The same once more changes nothing. */
export interface OpenActivityBody {
  /** 16 bytes, the client's choice: it names the activity. */
  readonly clientKey: Bytes
  readonly subject: Subject
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
}

export const openActivityBody: Codec<OpenActivityBody> = struct<OpenActivityBody>({
  clientKey: fixedBytes(16),
  subject: subjectCodec,
  expiresAt: safeInteger,
})

/** An activity as one server has it, without its subject. */
export interface ActivityListing {
  readonly activityId: Bytes
  readonly state: ActivityState
  readonly subject: Bytes
  readonly intent: Bytes | null
  readonly charter: Bytes
  readonly policyVersion: number
  readonly openedAt: number
  readonly expiresAt: number
  readonly verdicts: readonly SignedApproval[]
}

export const activityListing: Codec<ActivityListing> = struct<ActivityListing>({
  activityId: fixedBytes(32),
  state: oneOf(...ACTIVITY_STATES),
  subject: fixedBytes(32),
  intent: nullable(fixedBytes(32)),
  charter: fixedBytes(32),
  policyVersion: safeInteger,
  openedAt: safeInteger,
  expiresAt: safeInteger,
  verdicts: list(signedApproval, MAX_VERDICTS),
})

/** Body of `requests.list`: activities after this id, or from the start. */
export interface ListActivitiesBody {
  readonly after: Bytes | null
  readonly limit: number
}

/** Most activities on one page. */
export const MAX_ACTIVITY_PAGE = 16

export const listActivitiesBody: Codec<ListActivitiesBody> = struct<ListActivitiesBody>({
  after: nullable(fixedBytes(32)),
  limit: u8,
})

export const activityListings: Codec<readonly ActivityListing[]> = list(
  activityListing,
  MAX_ACTIVITY_PAGE,
)

/** Body of `requests.show` and `requests.cancel`. */
export const activityBody: Codec<{ readonly activityId: Bytes }> = struct<{
  readonly activityId: Bytes
}>({ activityId: fixedBytes(32) })

/** Answer of `requests.show`: with the subject itself, for whoever is asked decodes it alone. */
export interface ActivityShown {
  readonly listing: ActivityListing
  readonly subject: Subject
}

export const activityShown: Codec<ActivityShown> = struct<ActivityShown>({
  listing: activityListing,
  subject: subjectCodec,
})

/** Body of `requests.decide`: whoever brings it, the verdict speaks for who signed it. */
export const decideActivityBody: Codec<{ readonly verdict: SignedApproval }> = struct<{
  readonly verdict: SignedApproval
}>({ verdict: signedApproval })

/** What a credential signs to open a session: the keys of that one hello, for which account, and when. */
export interface Visit {
  readonly transcript: Bytes
  readonly accountId: Bytes
  readonly issuedAt: number
}

export const visitInput: Codec<Visit & { readonly label: null }> = struct<
  Visit & { readonly label: null }
>({
  label: constant(utf8("lockkeeper/visit/v1")),
  transcript: fixedBytes(32),
  accountId: fixedBytes(32),
  issuedAt: safeInteger,
})
