import { type Event, type EventDecision, LockKeeperError, MAX_WHAT } from "@lockkeeper/api"
import { type Bytes, toHex, utf8 } from "@lockkeeper/encoding"
import {
  type Action,
  type Charter,
  type Decision,
  decide,
  type IntentFacts,
  type KeyFacts,
  type MissingApprovals,
  OWNER,
} from "@lockkeeper/policy"
import type { Change, Versioned } from "../ports/store.ts"
import { commitEvent } from "../request/commit.ts"
import { markLogged } from "../request/refusal.ts"
import type { OwnerStep } from "../request/step.ts"
import { type Activity, activityAbout, putActivity } from "./activities.ts"
import { backingOf, NO_BACKING } from "./approvals.ts"
import { readSpending } from "./spending.ts"

/** What a policy is asked. */
export interface Asked {
  readonly action: Action
  readonly key: KeyFacts | null
  readonly intent: IntentFacts | null
  /** Digest of the content as it came. */
  readonly content: Bytes
  /** Digest of the intent. */
  readonly read: Bytes | null
  /** The intent for people. */
  readonly what: string
  /** 32 bytes: what counts no second time. */
  readonly once: Bytes
  /** Names what people may have been asked to approve. */
  readonly subject: Bytes
}

/** What is to be committed with what was allowed. */
export interface Allowed {
  readonly changes: readonly Change[]
  readonly event: Partial<Event>
}

/** Where no policy is asked. */
export const ALLOWED: Allowed = { changes: [], event: {} }

/**
 * Asks the policy in force. A refusal is in the log when this throws.
 *
 * @param about - what else is to stand in the log.
 * @throws LockKeeperError `permission-denied`, field `approvals` where those would do, else `policy`.
 */
export async function judge(
  step: OwnerStep,
  charter: Charter,
  asked: Asked,
  about: Partial<Event>,
): Promise<Allowed> {
  const policy = await step.policies.prepare(charter)
  const { store, clock } = step.deps
  const { action, key, intent, once } = asked
  const roles = charter.people.find(({ id }) => id === OWNER)?.roles ?? []
  const principal = { id: OWNER, kind: "owner", roles } as const
  const timeMs = clock.now()
  const activity = await activityAbout(store, step.request.accountId, asked.subject)
  const backing =
    activity === null
      ? NO_BACKING
      : backingOf({ ...aboutOf(step), charter, activity: activity.value }, timeMs, step.digest)
  const request = { principal, action, key, intent, timeMs, approvals: backing.facts }
  const account = toHex(step.request.accountId)
  const spending = await readSpending(store, account, { policy, facts: request, once })
  const decided = decide(policy, spending.facts)
  const decision = {
    ...eventDecision(step, charter, asked, decided.rules),
    approvals: backing.logged,
  }
  const event = { ...about, decision }
  if (decided.allow) return { changes: [...spending.changes(), ...used(step, activity)], event }
  const outcome = { outcome: "refused", reason: decided.reason } as const
  await commitEvent(step.deps, step.event({ ...event, ...outcome }))
  throw markLogged(denial(decided))
}

/** An activity serves one request, with all of its attempts. */
function used(step: OwnerStep, activity: Versioned<Activity> | null): readonly Change[] {
  if (activity === null || activity.value.state !== "open") return []
  const done = { ...activity.value, state: "done", doneBy: step.digest } as const
  return [putActivity(step.request.accountId, done, activity.version)]
}

function aboutOf({ account: { value } }: OwnerStep): { accountId: Bytes; digest: Bytes } {
  const { accountId, charter: digest } = value
  if (digest === null) throw new Error("a policy is in force that the account does not have")
  return { accountId, digest }
}

function eventDecision(
  step: OwnerStep,
  { policy: { version } }: Charter,
  { content, read, what }: Asked,
  rules: readonly string[],
): Omit<EventDecision, "approvals"> {
  const { digest: charter } = aboutOf(step)
  return {
    ...{ content, intent: read, what: cut(what), person: OWNER, policyVersion: version, charter },
    rules,
  }
}

/** As many characters as fit: an event says what was signed in short, its digest in full. */
function cut(what: string): string {
  let text = what.slice(0, MAX_WHAT)
  while (utf8(text).length > MAX_WHAT) text = text.slice(0, -1)
  return text.isWellFormed() ? text : text.slice(0, -1)
}

function denial(decided: Decision): LockKeeperError {
  const { reason, rules, limits, missing, detail } = decided
  if (reason === "approvals-missing") {
    const message = `The policy wants approvals: ${missing.map(missingText).join("; or ")}.`
    return new LockKeeperError("permission-denied", message, {
      field: "approvals",
      remedy: "Have it approved first.",
    })
  }
  const beyond = limits.filter(({ status }) => status === "beyond").map(({ limit }) => limit)
  const because = [
    ...(rules.length === 0 ? [] : [`rules ${rules.join(", ")}`]),
    ...(beyond.length === 0 ? [] : [`beyond ${beyond.join(", ")}`]),
    ...(detail === "" ? [] : [detail]),
  ]
  const why = because.length === 0 ? reason : `${reason} (${because.join("; ")})`
  return new LockKeeperError("permission-denied", `The policy does not allow it: ${why}.`, {
    field: "policy",
    remedy: "Ask for what it permits, or have the policy changed.",
  })
}

function missingText({ rule, quorums }: MissingApprovals): string {
  const lacking = quorums.map(({ quorum, need, have }) => `${have} of ${need} of ${quorum}`)
  return `${rule} has ${lacking.join(", ")}`
}
