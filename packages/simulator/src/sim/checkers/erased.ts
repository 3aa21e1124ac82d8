import { sharing } from "@lockkeeper/protocols"
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
  /** What was in force last or erased, by server and lineage. */
  const last = new Map<string, { readonly one: sharing.Sharing; readonly isErased: boolean }>()
  const found: string[] = []
  for (const { commit, table, id, value } of writtenIn(observed, ["keys", "accounts"])) {
    const { server } = commit
    if (!sound.includes(server)) continue
    const place = (one: HeldShare): string => `${server}/${lineageOf(one)}`
    const now = value === null ? [] : inForceIn(table, value)
    const row = `${server}/${table}/${id}`
    for (const one of now) {
      const before = last.get(place(one))
      const order = before ? sharing.compareGenerations(one.sharing, before.one) : 1
      if (order < 0 || (order === 0 && before?.isErased)) {
        found.push(`server ${server} has ${shown(one)} in force again`)
      }
      if (order >= 0) last.set(place(one), { one: one.sharing, isErased: false })
    }
    for (const one of rows.get(row) ?? []) {
      const stays = now.some((other) => lineageOf(other) === lineageOf(one))
      if (stays || isReplaced(one, now)) continue
      last.set(place(one), { one: one.sharing, isErased: true })
    }
    rows.set(row, now)
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
  const held = new Map<string, sharing.Sharing>()
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
      const had = held.get(place)
      if (!isNew || had === undefined) continue
      if (sharing.compareGenerations(one.sharing, had) > 0) continue
      found.push(`server ${server} has confirmed ${shown(one)}, which it had before`)
    }
    for (const one of inForceIn(table, value)) {
      const place = `${server}/${lineageOf(one)}`
      const had = held.get(place)
      const isLater = !had || sharing.compareGenerations(one.sharing, had) > 0
      if (isLater) held.set(place, one.sharing)
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
