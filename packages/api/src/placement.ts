import type { Identifier } from "@lockkeeper/crypto"
import { LockKeeperError } from "./errors.ts"
import { type Member, memberOf, type Roster } from "./roster.ts"

const RULES = [
  ["operator", "distinctOperators"],
  ["cloud", "distinctClouds"],
  ["jurisdiction", "distinctJurisdictions"],
] as const

/** What members of one signer set may not share. */
function demanded({ placement }: Roster): readonly ("operator" | "cloud" | "jurisdiction")[] {
  return RULES.filter(([, rule]) => placement[rule]).map(([field]) => field)
}

/** The first placement rule that a signer set breaks, in words, or null. */
export function placementViolation(
  roster: Roster,
  signerSet: readonly Identifier[],
): string | null {
  const members = signerSet.map((identifier) => memberOf(roster, identifier))
  for (const field of demanded(roster)) {
    const seen = new Set<string>()
    for (const member of members) {
      if (seen.has(member[field])) return `two servers share the ${field} "${member[field]}"`
      seen.add(member[field])
    }
  }
  return null
}

/** How far a roster's placement rules leave signer sets. */
export interface PlacementMargin {
  /** Whether any t members may sign together. */
  readonly possible: boolean
  /** How many members may be lost, whichever they are, and t of the rest may still sign together. */
  readonly mayLose: number
}

/** For each member, by its place in the roster, a bit for every other that may not sign with it. */
function conflictsOf(roster: Roster, among: readonly Member[]): readonly number[] {
  const fields = demanded(roster)
  return among.map((member, i) =>
    among.reduce((bits, other, j) => {
      const conflict = i !== j && fields.some((field) => member[field] === other[field])
      return conflict ? bits | (1 << j) : bits
    }, 0),
  )
}

/** `size` members of those in `left` without a conflict, as bits, or null when there are none. */
function setWithin(conflicts: readonly number[], left: number, size: number): number | null {
  if (size === 0) return 0
  if (bitCount(left) < size) return null
  for (let rest = left; rest !== 0; rest &= rest - 1) {
    const at = 31 - Math.clz32(rest & -rest)
    const others = rest & (rest - 1) & ~(conflicts[at] ?? 0)
    const found = setWithin(conflicts, others, size - 1)
    if (found !== null) return found | (1 << at)
  }
  return null
}

/** Most losses that are looked at one by one; a roster for which that is too few may lose more. */
const MAX_LOSSES = 1024

/**
 * Fewest members whose loss leaves no signer set: one of any set has to be among them. What is found
 * is never too many; it may be too few once `MAX_LOSSES` were looked at.
 */
function fewestToStop(conflicts: readonly number[], all: number, size: number): number {
  let losses = [all]
  for (let lost = 0; ; lost++) {
    const next = new Set<number>()
    for (const left of losses) {
      const set = setWithin(conflicts, left, size)
      if (set === null) return lost
      for (let rest = set; rest !== 0; rest &= rest - 1) next.add(left & ~(rest & -rest))
    }
    if (next.size > MAX_LOSSES) return lost + 1
    losses = [...next]
  }
}

/** Members that conflict, in groups: null unless all of a group conflict and no others. */
function groupsOf(conflicts: readonly number[]): readonly number[] | null {
  const groups = new Map<number, number>()
  for (const [at, bits] of conflicts.entries()) {
    const group = bits | (1 << at)
    groups.set(group, (groups.get(group) ?? 0) + 1)
  }
  const whole = [...groups].every(([group, members]) => bitCount(group) === members)
  return whole ? [...groups.values()] : null
}

function bitCount(bits: number): number {
  let count = 0
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++
  return count
}

/** What the roster's placement rules leave: bounded work, for any roster that decodes. */
export function placementMargin(roster: Roster): PlacementMargin {
  const { members, minSigners } = roster
  const conflicts = conflictsOf(roster, members)
  const groups = groupsOf(conflicts)
  const toStop =
    groups === null
      ? fewestToStop(conflicts, 2 ** members.length - 1, minSigners)
      : // Of each group one signs: losing the smallest whole groups costs most sets for their size.
        [...groups]
          .sort((a, b) => a - b)
          .slice(0, Math.max(0, groups.length - minSigners + 1))
          .reduce((sum, size) => sum + size, 0)
  return { possible: toStop > 0, mayLose: Math.max(0, toStop - 1) }
}

/** Whether t of these members may sign together. */
export function signerSetAmong(roster: Roster, among: readonly Identifier[]): boolean {
  const members = roster.members.filter(({ identifier }) => among.includes(identifier))
  const all = 2 ** members.length - 1
  return setWithin(conflictsOf(roster, members), all, roster.minSigners) !== null
}

/** @throws LockKeeperError `misconfigured` when the rules leave no t members that sign together. */
export function checkPlacement(roster: Roster): void {
  if (placementMargin(roster).possible) return
  const shared = demanded(roster).join(", ")
  throw new LockKeeperError(
    "misconfigured",
    `No ${roster.minSigners} servers may sign together: too many share the same ${shared}.`,
    {
      field: "placement",
      remedy: "Add servers elsewhere, lower the threshold, or demand less.",
    },
  )
}
