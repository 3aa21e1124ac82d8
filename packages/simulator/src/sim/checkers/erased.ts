import type { Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"
import {
  type HeldShare,
  inForceIn,
  lineageOf,
  pendingIn,
  shown,
  soundServers,
  writtenIn,
} from "./sharings.ts"

/**
 * What a server has erased, or has a later generation in the place of, it has never again: neither in
 * force nor waiting to be. And who left and was destroyed held nothing by then.
 */
export const erased: Checker = {
  name: "erased",
  holds: "a share that was erased never comes back, and who has left holds none",
  check: (observed) => [...comeBack(observed), ...heldByRetired(observed)],
}

function comeBack(observed: Observed): readonly string[] {
  const sound = soundServers(observed)
  const rows = new Map<string, readonly HeldShare[]>()
  /** The generation below which nothing may come, by server and lineage. */
  const least = new Map<string, number>()
  const found: string[] = []
  const tables = ["keys", "accounts", "reshare-runs"] as const
  for (const { commit, table, id, value } of writtenIn(observed, tables)) {
    const { server } = commit
    if (!sound.includes(server)) continue
    const place = (one: HeldShare): string => `${server}/${lineageOf(one)}`
    const now = value === null ? [] : inForceIn(table, value)
    const row = `${server}/${table}/${id}`
    for (const one of now) {
      const { keyEpoch } = one.sharing
      if (keyEpoch < (least.get(place(one)) ?? 0)) {
        found.push(`server ${server} has ${shown(one)} in force again`)
      }
      least.set(place(one), Math.max(least.get(place(one)) ?? 0, keyEpoch))
    }
    for (const one of rows.get(row) ?? []) {
      const stays = now.some((other) => lineageOf(other) === lineageOf(one))
      if (stays || isReplaced(one, now)) continue
      least.set(place(one), Math.max(least.get(place(one)) ?? 0, one.sharing.keyEpoch + 1))
    }
    if (table !== "reshare-runs") rows.set(row, now)
  }
  return [...found, ...waitingAgain(observed)]
}

/** An account that has another password now may go back to the one before. */
function isReplaced(one: HeldShare, now: readonly HeldShare[]): boolean {
  return one.kind === "accounts" && now.length > 0
}

/** Nobody confirms what it has erased: a share that it once had, or one before that. */
function waitingAgain(observed: Observed): readonly string[] {
  const sound = soundServers(observed)
  const held = new Map<string, number>()
  const known = new Set<string>()
  const found: string[] = []
  const tables = ["keys", "accounts", "reshare-runs"] as const
  for (const { commit, table, id, value } of writtenIn(observed, tables)) {
    const { server } = commit
    if (value === null || !sound.includes(server)) continue
    for (const one of pendingIn(table, value)) {
      const place = `${server}/${lineageOf(one)}`
      const run = `${server}/${id}/${lineageOf(one)}`
      const isNew = !known.has(run)
      known.add(run)
      if (!isNew || one.sharing.keyEpoch > (held.get(place) ?? 0)) continue
      found.push(`server ${server} has confirmed ${shown(one)}, which it had before`)
    }
    for (const one of inForceIn(table, value)) {
      const place = `${server}/${lineageOf(one)}`
      held.set(place, Math.max(held.get(place) ?? 0, one.sharing.keyEpoch))
    }
  }
  return found
}

function heldByRetired({ retired, durable }: Observed): readonly string[] {
  return durable
    .filter(({ server }) => retired.includes(server))
    .flatMap(({ server, tables }) =>
      [...tables].flatMap(([table, rows]) =>
        [...rows.values()].flatMap(({ value }) =>
          inForceIn(table, value).map((one) => `server ${server} has left and holds ${shown(one)}`),
        ),
      ),
    )
}
