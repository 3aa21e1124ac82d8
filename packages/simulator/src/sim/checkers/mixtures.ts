import { groupByName, type Identifier, interpolate, type Scalar } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import type { Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"
import {
  digestOf,
  type HeldShare,
  inForceIn,
  lineageOf,
  pendingIn,
  shown,
  soundServers,
  writtenIn,
} from "./sharings.ts"

/** Most mixtures that are tried of two generations. */
const MOST = 64

/**
 * Somebody has one share too few of an earlier generation and one too few of a later one: no mixture of
 * them, as many as the one or the other takes, adds up to what they are shares of.
 */
export const mixtures: Checker = {
  name: "mixtures",
  holds: "shares of two generations do not combine, of whichever servers",
  check: (observed) =>
    [...everShared(observed).values()].flatMap((generations) => {
      const all = [...generations.values()]
      return all.flatMap((early, i) => all.slice(i + 1).flatMap((late) => mixed(early, late)))
    }),
}

interface Generation {
  readonly one: HeldShare
  readonly shares: Map<Identifier, Scalar>
}

/** By lineage and sharing, what sound servers ever held, in force or confirmed. */
function everShared(observed: Observed): ReadonlyMap<string, ReadonlyMap<string, Generation>> {
  const sound = soundServers(observed)
  const ever = new Map<string, Map<string, Generation>>()
  const tables = ["keys", "accounts", "reshare-runs"] as const
  for (const { commit, table, value } of writtenIn(observed, tables)) {
    if (value === null || !sound.includes(commit.server)) continue
    for (const one of [...inForceIn(table, value), ...pendingIn(table, value)]) {
      const generations = ever.get(lineageOf(one)) ?? new Map<string, Generation>()
      ever.set(lineageOf(one), generations)
      const known = generations.get(digestOf(one)) ?? { one, shares: new Map() }
      generations.set(digestOf(one), known)
      known.shares.set(commit.server, one.share.expose() as Scalar)
    }
  }
  return ever
}

function mixed(early: Generation, late: Generation): readonly string[] {
  const secret = secretOf(early) ?? secretOf(late)
  if (secret === null) return []
  const group = groupByName(early.one.sharing.group)
  const found = mixturesOf(early, late).find((one) => equalBytes(interpolate(group, one), secret))
  if (found === undefined) return []
  return [`shares of ${shown(early.one)} and ${shown(late.one)} combine, of ${[...found.keys()]}`]
}

function secretOf({ one: { sharing }, shares }: Generation): Scalar | null {
  const some = [...shares].slice(0, sharing.minSigners)
  if (some.length < sharing.minSigners) return null
  return interpolate(groupByName(sharing.group), new Map(some))
}

function mixturesOf(early: Generation, late: Generation): readonly Map<Identifier, Scalar>[] {
  const [t, u] = [early.one.sharing.minSigners, late.one.sharing.minSigners]
  const all: Map<Identifier, Scalar>[] = []
  for (const size of new Set([t, u])) {
    for (let old = 1; old < t; old++) {
      if (size - old < 1 || size - old >= u) continue
      for (const some of subsets([...early.shares], old)) {
        const others = [...late.shares].filter(([id]) => !some.some(([one]) => one === id))
        for (const rest of subsets(others, size - old)) {
          if (all.length < MOST) all.push(new Map([...some, ...rest]))
        }
      }
    }
  }
  return all
}

function subsets<T>(of: readonly T[], size: number): readonly (readonly T[])[] {
  if (size === 0) return [[]]
  return of.flatMap((one, i) => subsets(of.slice(i + 1), size - 1).map((rest) => [one, ...rest]))
}
