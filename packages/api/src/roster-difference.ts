import { equalBytes } from "@lockkeeper/encoding"
import type { Member, Roster } from "./roster.ts"
import { isLeaving } from "./roster-transition.ts"

/** One identifier before and after. */
export interface MemberChange {
  readonly before: Member
  readonly after: Member
}

/** A value before and after. */
export interface ValueChange {
  readonly before: number
  readonly after: number
}

/** What changes from one roster to another. Every member is in one list at most. */
export interface RosterDifference {
  readonly added: readonly Member[]
  readonly removed: readonly Member[]
  /** The same identifier with new keys: another server, or the same one made anew. */
  readonly replaced: readonly MemberChange[]
  /** The same keys with another name, URL, operator, cloud or jurisdiction. */
  readonly moved: readonly MemberChange[]
  readonly minSigners: ValueChange | null
  readonly servers: ValueChange | null
  /** Rules that hold from now on, and those that no longer do, in words. */
  readonly demanded: readonly string[]
  readonly noLongerDemanded: readonly string[]
  readonly refreshHours: ValueChange | null
  readonly cryptoperiodDays: ValueChange | null
  /** Members that hold shares only until they have been dealt anew, and did not before. */
  readonly leaving: readonly Member[]
  /** Shares are where they are to be, and were on their way before. */
  readonly settled: boolean
}

const PLACE = ["name", "url", "operator", "cloud", "jurisdiction"] as const

const RULES = [
  ["distinctOperators", "signer sets of distinct operators"],
  ["distinctClouds", "signer sets of distinct clouds"],
  ["distinctJurisdictions", "signer sets of distinct jurisdictions"],
] as const

function haveSameKeys(one: Member, other: Member): boolean {
  return (["identityKey", "channelKey", "opaqueKey"] as const).every((field) =>
    equalBytes(one[field], other[field]),
  )
}

/** The same server in the same place, with another key to open sessions with. */
function hasNewChannelKeyAlone(before: Member, after: Member): boolean {
  const { channelKey } = after
  return (
    haveSameKeys({ ...before, channelKey }, after) && PLACE.every((f) => before[f] === after[f])
  )
}

function valueChange(before: number, after: number): ValueChange | null {
  return before === after ? null : { before, after }
}

/** What changes from `before` to `after`, member by member. */
export function rosterDifference(before: Roster, after: Roster): RosterDifference {
  const kept = before.members.flatMap((member) => {
    const next = after.members.find(({ identifier }) => identifier === member.identifier)
    return next === undefined ? [] : [{ before: member, after: next }]
  })
  const isKept = ({ identifier }: Member) => kept.some((k) => k.before.identifier === identifier)
  const rulesOf = (one: Roster, other: Roster) =>
    RULES.filter(([rule]) => one.placement[rule] && !other.placement[rule]).map(
      ([, words]) => words,
    )
  return {
    added: after.members.filter((member) => !isKept(member)),
    removed: before.members.filter((member) => !isKept(member)),
    replaced: kept.filter((k) => !haveSameKeys(k.before, k.after)),
    moved: kept.filter(
      (k) => haveSameKeys(k.before, k.after) && PLACE.some((f) => k.before[f] !== k.after[f]),
    ),
    minSigners: valueChange(before.minSigners, after.minSigners),
    servers: valueChange(before.members.length, after.members.length),
    demanded: rulesOf(after, before),
    noLongerDemanded: rulesOf(before, after),
    refreshHours: valueChange(before.refreshHours, after.refreshHours),
    cryptoperiodDays: valueChange(before.cryptoperiodDays, after.cryptoperiodDays),
    leaving: after.members.filter(
      ({ identifier }) => isLeaving(after, identifier) && !isLeaving(before, identifier),
    ),
    settled: before.transition !== null && after.transition === null,
  }
}

/** The difference for a person: one sentence for each change, none when nothing changes. */
export function describeDifference(difference: RosterDifference): readonly string[] {
  const { added, removed, replaced, moved, minSigners, servers } = difference
  return [
    ...added.map((m) => `added: ${nameOf(m)} at ${m.url}, ${placeOf(m)}`),
    ...removed.map((m) => `removed: ${nameOf(m)} at ${m.url}, ${placeOf(m)}`),
    ...difference.leaving.map((m) => `leaves when its shares have moved: ${nameOf(m)}`),
    ...replaced.map(({ before, after }) => {
      if (hasNewChannelKeyAlone(before, after)) return `new channel key: ${nameOf(before)}`
      const renamed = before.name === after.name ? "" : ` by "${after.name}"`
      return `replaced: ${nameOf(before)}${renamed}, new keys, at ${after.url}, ${placeOf(after)}`
    }),
    ...moved.map(({ before, after }) => `moved: ${nameOf(before)}, ${placeChanges(before, after)}`),
    ...sentence("threshold", minSigners, String),
    ...sentence("servers", servers, String),
    ...difference.demanded.map((rule) => `demanded from now on: ${rule}`),
    ...difference.noLongerDemanded.map((rule) => `no longer demanded: ${rule}`),
    ...sentence("refresh", difference.refreshHours, (n) =>
      n === 0 ? "never" : `every ${n} hours`,
    ),
    ...sentence("cryptoperiod", difference.cryptoperiodDays, (n) =>
      n === 0 ? "none" : `${n} days`,
    ),
    ...(difference.settled ? ["settled: every share is where the roster wants it"] : []),
  ]
}

function sentence(
  what: string,
  change: ValueChange | null,
  say: (value: number) => string,
): readonly string[] {
  return change === null ? [] : [`${what}: ${say(change.before)} before, ${say(change.after)} now`]
}

function nameOf({ identifier, name }: Member): string {
  return `server ${identifier} "${name}"`
}

function placeOf({ operator, cloud, jurisdiction }: Member): string {
  const place = { operator, cloud, jurisdiction }
  return Object.entries(place)
    .map(([field, value]) => `${field} ${value === "" ? "unnamed" : `"${value}"`}`)
    .join(", ")
}

function placeChanges(before: Member, after: Member): string {
  return PLACE.filter((field) => before[field] !== after[field])
    .map((field) => `${field} "${before[field]}" becomes "${after[field]}"`)
    .join(", ")
}
