import {
  type FollowedChain,
  type Member,
  type MemberChange,
  placementMargin,
  type Roster,
  type RosterDifference,
  type Transition,
} from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { moment, table } from "./text.ts"

/** A roster for a person, public keys shortened. */
export function rosterText(roster: Roster, digest: Bytes): string {
  const { members, minSigners, placement, refreshHours, cryptoperiodDays, transition } = roster
  const rules = [
    placement.distinctOperators ? "operators" : "",
    placement.distinctClouds ? "clouds" : "",
    placement.distinctJurisdictions ? "jurisdictions" : "",
  ].filter((rule) => rule !== "")
  const head = table([
    ["roster", String(roster.rosterEpoch)],
    ["threshold", `${minSigners} of ${members.length}`],
    ["created", moment(roster.createdAt)],
    ["signer sets", rules.length === 0 ? "any" : `from distinct ${rules.join(", ")}`],
    ["may be lost", placementText(roster)],
    ["refresh", refreshHours === 0 ? "when operators say so" : `every ${refreshHours} hours`],
    ["keys sign", cryptoperiodDays === 0 ? "without an end" : `for ${cryptoperiodDays} days`],
    ...(transition === null ? [] : [["in transition", transitionText(roster, transition)]]),
    ["digest to pin", toHex(digest)],
  ])
  const columns = ["ID", "NAME", "URL", "OPERATOR", "CLOUD", "JURISDICTION", "IDENTITY KEY"]
  const rows = members.map((member) => [
    String(member.identifier),
    member.name,
    member.url,
    member.operator || "-",
    member.cloud || "-",
    member.jurisdiction || "-",
    toHex(member.identityKey),
  ])
  return `${head}\n${table([columns, ...rows])}`
}

/** What is on its way under a roster. */
function transitionText(
  { members, minSigners }: Roster,
  { leaving, minSignersBefore }: Transition,
) {
  const names = members.filter((m) => leaving.includes(m.identifier)).map(({ name }) => name)
  const who = names.length === 0 ? "" : `; ${names.join(", ")} leave when it has`
  const many = minSigners === minSignersBefore ? "" : ` from threshold ${minSignersBefore}`
  return `shares move to the other holders${many}${who}`
}

/** How many servers the roster's rules let it lose. */
export function placementText(roster: Roster): string {
  const { possible, mayLose } = placementMargin(roster)
  if (!possible) return "no signer set is allowed at all"
  return mayLose === 0
    ? "none of the servers"
    : `any ${mayLose} of ${roster.members.length} servers`
}

/** The rosters before the one in force, one a line. */
export function chainText({ before }: FollowedChain): string {
  if (before.length === 0) return ""
  const rows = before.map(({ roster, digest }) => [
    String(roster.rosterEpoch),
    moment(roster.createdAt),
    `${roster.minSigners} of ${roster.members.length}`,
    toHex(digest),
  ])
  return `\nFollows from:\n${table([["ROSTER", "CREATED", "THRESHOLD", "DIGEST"], ...rows])}`
}

export function chainJson({ before }: FollowedChain): Readonly<Record<string, unknown>> {
  const earlier = before.map(({ roster, digest }) => ({
    rosterEpoch: roster.rosterEpoch,
    createdAt: roster.createdAt,
    digest: toHex(digest),
  }))
  return { before: earlier }
}

function memberJson({ identityKey, channelKey: _, opaqueKey, ...member }: Member) {
  return { ...member, identityKey: toHex(identityKey), opaqueKey: toHex(opaqueKey) }
}

/** A roster for a program; channel keys are left out for their length. */
export function rosterJson(roster: Roster, digest: Bytes): Readonly<Record<string, unknown>> {
  const { members, previousDigest, ...rest } = roster
  return {
    digest: toHex(digest),
    ...rest,
    previousDigest: toHex(previousDigest),
    margin: placementMargin(roster),
    members: members.map(memberJson),
  }
}

/** What changes, for a program. */
export function differenceJson(difference: RosterDifference): Readonly<Record<string, unknown>> {
  const { added, removed, replaced, moved, leaving, ...rest } = difference
  const changeJson = ({ before, after }: MemberChange) => ({
    before: memberJson(before),
    after: memberJson(after),
  })
  return {
    added: added.map(memberJson),
    removed: removed.map(memberJson),
    replaced: replaced.map(changeJson),
    moved: moved.map(changeJson),
    leaving: leaving.map(memberJson),
    ...rest,
  }
}
