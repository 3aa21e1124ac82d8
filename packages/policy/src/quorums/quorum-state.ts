import type { Quorum, Who } from "../document/document.ts"
import type { ApprovalFacts, RequestFacts } from "../facts/facts.ts"

/** How far a quorum has come. */
export interface QuorumState {
  readonly quorum: string
  readonly status: "approved" | "open" | "vetoed"
  readonly need: number
  readonly have: number
  readonly approvedBy: readonly string[]
  readonly vetoedBy: readonly string[]
}

interface Approver {
  readonly person: string
  readonly roles: ReadonlySet<string>
  readonly approves: boolean
}

/**
 * Counts people, not approvals: whoever approves with two keys counts once, with the greatest of the
 * weights that fit; whoever approves and vetoes has vetoed.
 */
export function quorumState(quorum: Quorum, facts: RequestFacts): QuorumState {
  const people = peopleOf(facts.approvals)
  const approvedBy: string[] = []
  const vetoedBy: string[] = []
  let have = 0
  for (const person of people) {
    if (!person.approves && quorum.veto.some((who) => fits(who, person))) {
      vetoedBy.push(person.person)
    }
    const isRequester = person.person === facts.principal.id
    if (!person.approves || (isRequester && !quorum.requesterMayApprove)) continue
    const weight = weightOf(quorum, person)
    if (weight > 0) approvedBy.push(person.person)
    have += weight
  }
  const status = vetoedBy.length > 0 ? "vetoed" : have >= quorum.need ? "approved" : "open"
  return { quorum: quorum.name, status, need: quorum.need, have, approvedBy, vetoedBy }
}

/** Members weigh at most 1000 and approvals are at most 128, so that sums are exact. */
const weightOf = (quorum: Quorum, person: Approver): number =>
  quorum.members.reduce(
    (most, { who, weight }) => (fits(who, person) ? Math.max(most, weight) : most),
    0,
  )

const fits = (who: Who, { person, roles }: Approver): boolean =>
  who.kind === "person" ? who.person === person : roles.has(who.role)

function peopleOf(approvals: readonly ApprovalFacts[]): readonly Approver[] {
  const byPerson = Map.groupBy(approvals, ({ person }) => person)
  return [...byPerson.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([person, given]) => ({
      person,
      roles: new Set(given.flatMap(({ roles }) => roles)),
      approves: given.every(({ verdict }) => verdict === "approve"),
    }))
}
