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
  digestOf,
  type HeldShare,
  inForceIn,
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

function lostSharings(observed: Observed, held: readonly Found[]): readonly string[] {
  const { minSigners } = observed
  return [...everHeld(observed)].flatMap(([name, servers]) => {
    if (servers.size < minSigners) return []
    const generations = Map.groupBy(
      held.filter((one) => nameOf(one) === name),
      digestOf,
    )
    const usable = [...generations.values()].filter((all) => combines(all, minSigners))
    if (usable.length > 0) return []
    const most = Math.max(0, ...[...generations.values()].map((all) => holdersOf(all).size))
    return [`no generation of ${name.slice(0, 17)} is at ${minSigners} servers, but at ${most}`]
  })
}

/** Which sound servers had a share in force at any time. */
function everHeld(observed: Observed): ReadonlyMap<string, ReadonlySet<Identifier>> {
  const sound = soundServers(observed)
  const ever = new Map<string, Set<Identifier>>()
  for (const { commit, table, value } of writtenIn(observed, ["keys", "accounts"])) {
    if (value === null || !sound.includes(commit.server)) continue
    for (const one of inForceIn(table, value)) {
      const holders = ever.get(nameOf(one)) ?? new Set<Identifier>()
      ever.set(nameOf(one), holders.add(commit.server))
    }
  }
  return ever
}

function holdersOf(all: readonly Found[]): ReadonlyMap<Identifier, Scalar> {
  return new Map(all.map((one) => [one.server, scalarOf(one)]))
}

function combines(all: readonly Found[], minSigners: number): boolean {
  const [first] = all
  const holders = [...holdersOf(all)].slice(0, minSigners)
  if (first === undefined || holders.length < minSigners) return false
  const group: Group = groupByName(first.sharing.group)
  const image: Element = group.multiplyBase(interpolate(group, new Map(holders)))
  return equalBytes(image, first.sharing.verifyingKey)
}

function scalarOf({ share }: HeldShare): Scalar {
  return share.expose() as Scalar
}
