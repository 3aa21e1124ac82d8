import type { Identifier } from "@lockkeeper/crypto"
import { toHex } from "@lockkeeper/encoding"
import { sharing } from "@lockkeeper/protocols"
import type { Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"
import {
  digestOf,
  type HeldShare,
  inForceIn,
  lineageOf,
  nameOf,
  pendingIn,
  quorumOf,
  shown,
  soundServers,
  writtenIn,
} from "./sharings.ts"

const TABLES = ["reshare-runs", "keys", "accounts"] as const

/**
 * A later generation takes the place of the one before, whose share is destroyed by that, also at a member
 * that leaves: in no commit before those of a quorum that confirm it. A cheater counts as one that has.
 */
export const erasure: Checker = {
  name: "erasure",
  holds:
    "no share gives way before a quorum has confirmed a later generation, and what was confirmed stays until that one or a later one is in force",
  check: (observed) => [...erasedEarly(observed), ...droppedPending(observed)],
}

/** Which servers have confirmed what so far. */
class Confirmations {
  readonly #cheaters: readonly Identifier[]
  readonly #by = new Map<string, Set<Identifier>>()
  /** By lineage, those that a quorum has confirmed. */
  readonly #whole = new Map<string, sharing.Sharing[]>()

  constructor({ cheaters }: Observed) {
    this.#cheaters = cheaters
  }

  add(one: HeldShare, server: Identifier): void {
    const digest = digestOf(one)
    const by = (this.#by.get(digest) ?? new Set()).add(server)
    this.#by.set(digest, by)
    if (this.count(one) < quorumOf(one.sharing)) return
    const whole = this.#whole.get(lineageOf(one)) ?? []
    this.#whole.set(lineageOf(one), [...whole, one.sharing])
  }

  count(one: HeldShare): number {
    return new Set([...(this.#by.get(digestOf(one)) ?? []), ...this.#cheaters]).size
  }

  /** Whether a quorum has confirmed a later generation than this one. */
  hasLater(one: HeldShare): boolean {
    const whole = this.#whole.get(lineageOf(one)) ?? []
    return whole.some((other) => sharing.compareGenerations(other, one.sharing) > 0)
  }
}

function erasedEarly(observed: Observed): readonly string[] {
  const { cheaters, copies } = observed
  const confirmed = new Confirmations(observed)
  const holding = new Map<string, readonly HeldShare[]>()
  const found: string[] = []
  for (const { commit, table, id, value } of writtenIn(observed, TABLES)) {
    const { server } = commit
    const row = `${server}/${table}/${id}`
    const now = value === null ? [] : inForceIn(table, value)
    const before = holding.get(row) ?? []
    if (table !== "reshare-runs") holding.set(row, now)
    // A cheater's rows are what it likes; and that they count is taken care of.
    if (cheaters.includes(server)) continue
    for (const one of now) {
      if (one.sharing.keyEpoch === 1) continue
      const count = confirmed.count(one)
      if (count >= quorumOf(one.sharing)) continue
      found.push(`server ${server} has ${shown(one)} in force, which ${count} have confirmed`)
    }
    // What was there is not known of a copy that was put back.
    const gone = copies.some((copy) => copy.server === server) || now.length > 0 ? [] : before
    for (const one of gone) {
      if (confirmed.hasLater(one)) continue
      found.push(`server ${server} has erased ${shown(one)}, and no quorum has a later one`)
    }
    for (const one of value === null ? [] : pendingIn(table, value)) confirmed.add(one, server)
  }
  return found
}

function droppedPending(observed: Observed): readonly string[] {
  const sound = soundServers(observed)
  const confirmed = new Confirmations(observed)
  const inForce = new Map<string, HeldShare>()
  const pending = new Map<string, readonly HeldShare[]>()
  const found: string[] = []
  const ended: { readonly server: Identifier; readonly order: number; readonly run: string }[] = []
  const judge = (): void => {
    for (const { server, run } of ended.splice(0)) {
      for (const one of pending.get(run) ?? []) {
        const now = inForce.get(`${server}/${nameOf(one)}`)
        if (now !== undefined && isLater(now, one)) continue
        // It is no holder any more, of what others have a later generation of.
        if (confirmed.hasLater(one)) continue
        found.push(`server ${server} has dropped ${shown(one)}, which it had confirmed`)
      }
      pending.delete(run)
    }
  }
  for (const { commit, table, id, value } of writtenIn(observed, TABLES)) {
    const { server, order } = commit
    const waiting = value === null ? [] : pendingIn(table, value)
    for (const one of waiting) confirmed.add(one, server)
    if (!sound.includes(server)) continue
    // Judged once the whole batch that ended it is seen.
    if (ended.some((one) => one.order !== order)) judge()
    for (const one of value === null ? [] : inForceIn(table, value)) {
      inForce.set(`${server}/${nameOf(one)}`, one)
    }
    if (table !== "reshare-runs") continue
    const run = `${server}/${id}`
    if (waiting.length > 0) pending.set(run, waiting)
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
