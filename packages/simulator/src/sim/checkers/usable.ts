import type { Identifier } from "@lockkeeper/crypto"
import { sharing } from "@lockkeeper/protocols"
import type { Observed } from "../observed.ts"
import type { Checker } from "./checker.ts"
import {
  allIn,
  countedServers,
  digestOf,
  type HeldShare,
  inForceIn,
  isBeyondBudget,
  lineageOf,
  nameOf,
  shown,
  writtenIn,
} from "./sharings.ts"

/**
 * After every single commit of any server. Those count that neither cheat, nor were put back, nor were
 * dropped, with what they have in force, what they have confirmed and what they can go back to. Once t of
 * them hold the latest generation that is in force anywhere it stays so, and the next one comes into
 * force only where t hold that; except where so many of its holders do not count that a quorum may hold
 * fewer than t that do.
 */
export const usable: Checker = {
  name: "usable",
  holds: "at no time do fewer than t servers hold the latest generation of what t held once",
  check: (observed) => new Replay(observed).judge(),
}

interface Latest {
  readonly digest: string
  readonly one: HeldShare
}

class Replay {
  readonly #observed: Observed
  /** What each row holds, and who holds what by which rows. */
  readonly #rows = new Map<string, readonly string[]>()
  readonly #holders = new Map<string, Map<string, Identifier>>()
  readonly #latest = new Map<string, Latest>()
  /** Lineages of an account: one for each password. */
  readonly #lineages = new Map<string, Set<string>>()
  readonly #reached = new Set<string>()
  readonly #found: string[] = []

  constructor(observed: Observed) {
    this.#observed = observed
  }

  judge(): readonly string[] {
    const counted = countedServers(this.#observed)
    const tables = ["keys", "accounts", "reshare-runs"] as const
    const written = writtenIn(this.#observed, tables)
    const touched = new Set<string>()
    for (const [i, { commit, table, id, value }] of written.entries()) {
      if (!counted.includes(commit.server)) continue
      const row = `${commit.server}/${table}/${id}`
      const now = value === null ? [] : allIn(table, value)
      for (const one of value === null ? [] : inForceIn(table, value)) this.#inForce(one)
      for (const digest of this.#rows.get(row) ?? []) this.#holders.get(digest)?.delete(row)
      for (const one of now) this.#holds(one, row, commit.server)
      const digests = now.map(digestOf)
      const names = [...this.#namesIn(row), ...now.map(nameOf)]
      for (const name of names) touched.add(name)
      this.#rows.set(row, digests)
      this.#names.set(row, now.map(nameOf))
      if (written[i + 1]?.commit.order === commit.order) continue
      for (const name of touched) this.#look(name, commit.time)
      touched.clear()
    }
    return this.#found
  }

  readonly #names = new Map<string, readonly string[]>()

  #namesIn(row: string): readonly string[] {
    return this.#names.get(row) ?? []
  }

  #inForce(one: HeldShare): void {
    const lineage = lineageOf(one)
    const lineages = this.#lineages.get(nameOf(one)) ?? new Set()
    this.#lineages.set(nameOf(one), lineages.add(lineage))
    const before = this.#latest.get(lineage)
    const isFirst = before === undefined
    if (!isFirst && sharing.compareGenerations(before.one.sharing, one.sharing) >= 0) return
    this.#latest.set(lineage, { digest: digestOf(one), one })
  }

  #holds(one: HeldShare, row: string, server: Identifier): void {
    const holders = this.#holders.get(digestOf(one)) ?? new Map<string, Identifier>()
    this.#holders.set(digestOf(one), holders.set(row, server))
  }

  #count({ digest }: Latest): number {
    return new Set(this.#holders.get(digest)?.values()).size
  }

  /** An account that any of its passwords can be used with can be used. */
  #look(name: string, time: number): void {
    const all = [...(this.#lineages.get(name) ?? [])].flatMap((one) => this.#latest.get(one) ?? [])
    const need = ({ one }: Latest): sharing.Sharing["minSigners"] => one.sharing.minSigners
    if (all.some((latest) => this.#count(latest) >= need(latest))) {
      this.#reached.add(name)
      return
    }
    const [last] = all.slice(-1)
    if (last === undefined || !this.#reached.has(name)) return
    if (all.some(({ one }) => isBeyondBudget(this.#observed, one.sharing))) return
    const at = this.#count(last)
    this.#reached.delete(name)
    this.#found.push(`${shown(last.one)} takes ${need(last)} servers and is at ${at} (${time})`)
  }
}
