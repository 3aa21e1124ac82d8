import {
  type Element,
  type Group,
  groupByName,
  type Identifier,
  interpolate,
  type Scalar,
} from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import type { Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"
import {
  allIn,
  countedServers,
  digestOf,
  type HeldShare,
  inForceIn,
  isBeyondBudget,
  nameOf,
  shown,
  soundServers,
  writtenIn,
} from "./sharings.ts"

/**
 * Asks the disks. What a server confirmed and has no certificate for counts: whoever finishes the run
 * has it come into force.
 */
export const shares: Checker = {
  name: "shares",
  holds:
    "of each key and account that t honest servers had, t honest servers hold shares of one generation that combine to it",
  check: (observed) => {
    const held = heldInTheEnd(observed)
    return [...wrongShares(held), ...lostSharings(observed, held)]
  },
}

interface Found extends HeldShare {
  readonly server: Identifier
}

function heldInTheEnd(observed: Observed): readonly Found[] {
  const sound = soundServers(observed)
  return observed.durable
    .filter(({ server }) => sound.includes(server))
    .flatMap(({ server, tables }) =>
      [...tables].flatMap(([table, rows]) =>
        [...rows.values()].flatMap(({ value }) =>
          allIn(table, value).map((one) => ({ ...one, server })),
        ),
      ),
    )
}

function wrongShares(held: readonly Found[]): readonly string[] {
  return held.flatMap((one) => {
    const group = groupByName(one.sharing.group)
    const expected = one.sharing.verifyingShares.get(one.server)
    const own = group.multiplyBase(scalarOf(one))
    if (expected !== undefined && equalBytes(own, expected)) return []
    return [`server ${one.server} holds a wrong share of ${shown(one)}`]
  })
}

function lostSharings(observed: Observed, all: readonly Found[]): readonly string[] {
  const counted = countedServers(observed)
  const held = all.filter(({ server }) => counted.includes(server))
  return [...everHeld(observed)].flatMap(([name, { servers, minSigners, latest }]) => {
    if (servers.size < minSigners || isBeyondBudget(observed, latest)) return []
    const generations = Map.groupBy(
      held.filter((one) => nameOf(one) === name),
      digestOf,
    )
    const usable = [...generations.values()].filter(combines)
    if (usable.length > 0) return []
    const most = Math.max(0, ...[...generations.values()].map((one) => holdersOf(one).size))
    return [`no generation of ${name.slice(0, 17)} is at ${minSigners} servers, but at ${most}`]
  })
}

interface EverHeld {
  /** Those that count and had a share in force at any time. */
  readonly servers: Set<Identifier>
  /** The most that it ever took. */
  readonly minSigners: number
  /** What came into force last. */
  readonly latest: HeldShare["sharing"]
}

function everHeld(observed: Observed): ReadonlyMap<string, EverHeld> {
  const counted = countedServers(observed)
  const ever = new Map<string, EverHeld>()
  const known = new Set<string>()
  for (const { commit, table, value } of writtenIn(observed, ["keys", "accounts"])) {
    if (value === null || !counted.includes(commit.server)) continue
    for (const one of inForceIn(table, value)) {
      const { sharing } = one
      const before = ever.get(nameOf(one))
      const minSigners = Math.max(before?.minSigners ?? 0, sharing.minSigners)
      const latest = known.has(digestOf(one)) ? before?.latest : sharing
      known.add(digestOf(one))
      const servers = before?.servers ?? new Set<Identifier>()
      servers.add(commit.server)
      ever.set(nameOf(one), { servers, minSigners, latest: latest ?? sharing })
    }
  }
  return ever
}

function holdersOf(all: readonly Found[]): ReadonlyMap<Identifier, Scalar> {
  return new Map(all.map((one) => [one.server, scalarOf(one)]))
}

function combines(all: readonly Found[]): boolean {
  const [first] = all
  if (first === undefined) return false
  const { group: name, minSigners, verifyingKey } = first.sharing
  const holders = [...holdersOf(all)].slice(0, minSigners)
  if (holders.length < minSigners) return false
  const group: Group = groupByName(name)
  const image: Element = group.multiplyBase(interpolate(group, new Map(holders)))
  return equalBytes(image, verifyingKey)
}

function scalarOf({ share }: HeldShare): Scalar {
  return share.expose() as Scalar
}
