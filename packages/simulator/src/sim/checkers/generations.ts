import type { Identifier } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import type { Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"
import {
  digestOf,
  type HeldShare,
  inForceIn,
  nameOf,
  pendingIn,
  shown,
  soundServers,
  type Written,
  writtenIn,
} from "./sharings.ts"

/** What honest servers have put in force and confirmed, as long as fewer than t are not sound. */
export const generations: Checker = {
  name: "generations",
  holds:
    "no two sharings of one generation are in force, nobody confirms a generation twice, and no public key changes",
  check: (observed) => {
    const unsound = observed.servers.length - soundServers(observed).length
    return [
      ...(unsound < observed.minSigners ? twoInForce(observed) : []),
      ...changedKeys(observed),
      ...confirmedTwice(observed),
    ]
  },
}

function soundlyWritten(
  observed: Observed,
  tables: Parameters<typeof writtenIn>[1],
): readonly Written[] {
  const sound = soundServers(observed)
  return writtenIn(observed, tables).filter(({ commit }) => sound.includes(commit.server))
}

function everInForce(observed: Observed): readonly (HeldShare & { server: Identifier })[] {
  return soundlyWritten(observed, ["keys", "accounts"]).flatMap(({ commit, table, value }) =>
    value === null ? [] : inForceIn(table, value).map((one) => ({ ...one, server: commit.server })),
  )
}

/** Another password has an account deal anew: its context is another one then. */
function twoInForce(observed: Observed): readonly string[] {
  const first = new Map<string, { readonly digest: string; readonly server: Identifier }>()
  return everInForce(observed).flatMap((one) => {
    const { context, keyEpoch } = one.sharing
    const place = `${nameOf(one)}/${toHex(context)}/${keyEpoch}`
    const [digest, { server }] = [digestOf(one), one]
    const before = first.get(place)
    if (before === undefined) first.set(place, { digest, server })
    if (before === undefined || before.digest === digest) return []
    return [`servers ${before.server} and ${server} have two sharings of ${shown(one)} in force`]
  })
}

function changedKeys(observed: Observed): readonly string[] {
  const first = new Map<string, string>()
  return everInForce(observed).flatMap((one) => {
    const { context, verifyingKey } = one.sharing
    const version = one.kind === "keys" ? "" : toHex(context)
    const place = `${one.server}/${nameOf(one)}/${version}`
    const key = toHex(verifyingKey)
    const before = first.get(place) ?? key
    first.set(place, before)
    return before === key ? [] : [`server ${one.server} has another public key in ${shown(one)}`]
  })
}

function confirmedTwice(observed: Observed): readonly string[] {
  const first = new Map<string, string>()
  return soundlyWritten(observed, ["reshare-runs"]).flatMap(({ commit, table, id, value }) =>
    (value === null ? [] : pendingIn(table, value)).flatMap((one) => {
      const place = `${commit.server}/${nameOf(one)}/${one.sharing.keyEpoch}`
      const before = first.get(place) ?? id
      first.set(place, before)
      return before === id ? [] : [`server ${commit.server} confirmed ${shown(one)} in two runs`]
    }),
  )
}

/**
 * A later generation takes the place of the one before, whose share is destroyed by that: in no commit
 * before those of a quorum that confirm it. A cheater counts as one that has.
 */
export const erasure: Checker = {
  name: "erasure",
  holds:
    "no share gives way before a quorum has confirmed a later generation, and what was confirmed stays until that one or a later one is in force",
  check: (observed) => [...erasedEarly(observed), ...droppedPending(observed)],
}

function erasedEarly(observed: Observed): readonly string[] {
  const { cheaters } = observed
  const confirmed = new Map<string, Set<Identifier>>()
  const found: string[] = []
  for (const { commit, table, value } of writtenIn(observed, [
    "reshare-runs",
    "keys",
    "accounts",
  ])) {
    if (value === null) continue
    const { server } = commit
    // Its rows are what it likes; and that they count is taken care of.
    if (cheaters.includes(server)) continue
    for (const one of inForceIn(table, value)) {
      const { keyEpoch, minSigners, verifyingShares } = one.sharing
      if (keyEpoch === 1) continue
      const by = new Set([...(confirmed.get(digestOf(one)) ?? []), ...cheaters])
      if (by.size >= quorumOf(minSigners, verifyingShares.size)) continue
      found.push(`server ${server} has ${shown(one)} in force, which ${by.size} have confirmed`)
    }
    for (const one of pendingIn(table, value)) {
      const by = confirmed.get(digestOf(one)) ?? new Set<Identifier>()
      confirmed.set(digestOf(one), by.add(server))
    }
  }
  return found
}

/** Enough that t honest ones are among them, and that any two such sets share an honest one. */
function quorumOf(minSigners: number, holders: number): number {
  return Math.max(Math.min(holders, 2 * minSigners - 1), Math.ceil((holders + minSigners) / 2))
}

function droppedPending(observed: Observed): readonly string[] {
  const inForce = new Map<string, HeldShare>()
  const pending = new Map<string, readonly HeldShare[]>()
  const found: string[] = []
  const ended: { readonly server: Identifier; readonly order: number; readonly run: string }[] = []
  const judge = (): void => {
    for (const { server, run } of ended.splice(0)) {
      for (const one of pending.get(run) ?? []) {
        const now = inForce.get(`${server}/${nameOf(one)}`)
        if (now !== undefined && isLater(now, one)) continue
        found.push(`server ${server} has dropped ${shown(one)}, which it had confirmed`)
      }
      pending.delete(run)
    }
  }
  for (const { commit, table, id, value } of soundlyWritten(observed, [
    "reshare-runs",
    "keys",
    "accounts",
  ])) {
    const { server, order } = commit
    // Judged once the whole batch that ended it is seen.
    if (ended.some((one) => one.order !== order)) judge()
    for (const one of value === null ? [] : inForceIn(table, value)) {
      inForce.set(`${server}/${nameOf(one)}`, one)
    }
    if (table !== "reshare-runs") continue
    const run = `${server}/${id}`
    const confirmed = value === null ? [] : pendingIn(table, value)
    if (confirmed.length > 0) pending.set(run, confirmed)
    else if (pending.has(run)) ended.push({ server, order, run })
  }
  judge()
  return found
}

/** Of that generation or a later one, or of another password. */
function isLater({ sharing: now }: HeldShare, { sharing: confirmed }: HeldShare): boolean {
  if (toHex(now.context) !== toHex(confirmed.context)) return true
  return sharing.compareGenerations(now, confirmed) >= 0
}
