import type { SharingKind } from "@lockkeeper/api"
import { type Identifier, Secret } from "@lockkeeper/crypto"
import { type Bytes, decode, equalBytes, toHex } from "@lockkeeper/encoding"
import { opaque, sharing } from "@lockkeeper/protocols"
import type { Table } from "@lockkeeper/server"
import { type AccountRow, accountRow, keyRow, reshareRunRow } from "@lockkeeper/server/rows"
import type { Commit, Observed } from "../observed.ts"

const SHARE_LENGTH = 32

/** One share as a row holds it, and the sharing that it is one of. */
export interface HeldShare {
  readonly kind: SharingKind
  readonly sharing: sharing.Sharing
  readonly share: Secret
}

type Look = (table: Table, value: Bytes) => readonly HeldShare[]

/** Several checkers look at each row, and once it is written it stays as it is. */
function remembered(look: Look): Look {
  const seen = new WeakMap<Bytes, readonly HeldShare[]>()
  return (table, value) => {
    const known = seen.get(value) ?? look(table, value)
    seen.set(value, known)
    return known
  }
}

const digests = new WeakMap<sharing.Sharing, string>()

/** Shares that a row has in force; an account's are those of its active password. */
export const inForceIn = remembered((table, value) => {
  if (table === "keys") {
    const { public: pkg, signingShare: share } = decode(keyRow, value).keyPackage
    return [{ kind: "keys", sharing: sharing.sharingOfKey(pkg), share }]
  }
  if (table !== "accounts") return []
  const row = decode(accountRow, value)
  const { active } = row
  return active === null || isDecoy(row) ? [] : [heldAccount(active)]
})

/** What a server reads in place of accounts that nobody has: its own, and a sharing of nothing. */
function isDecoy({ accountId, name }: AccountRow): boolean {
  return !equalBytes(accountId, opaque.accountIdOf(name))
}

/** Shares of passwords that the account can go back or on to. */
const besideIn = remembered((table, value) => {
  if (table !== "accounts") return []
  const { previous, pending } = decode(accountRow, value)
  const registered = pending && opaque.asRegistered(pending)
  return [previous, registered].flatMap((one) => (one === null ? [] : [heldAccount(one)]))
})

/** Shares that were confirmed and wait for their certificate. */
export const pendingIn = remembered((table, value) => {
  if (table !== "reshare-runs") return []
  const { kind, stage } = decode(reshareRunRow, value)
  if (stage.kind !== "judged" || stage.state.pending === null) return []
  const { reshared, shares } = stage.state.pending
  return reshared.map((one, i) => {
    const start = i * SHARE_LENGTH
    const share = Secret.copyOf(shares.expose().subarray(start, start + SHARE_LENGTH))
    return { kind, sharing: one.sharing, share }
  })
})

function heldAccount(held: opaque.HeldAccount): HeldShare {
  return { kind: "accounts", sharing: sharing.sharingOfHeldAccount(held), share: held.share }
}

/** Everything that a row holds a share of, in force or not. */
export function allIn(table: Table, value: Bytes): readonly HeldShare[] {
  return [...inForceIn(table, value), ...besideIn(table, value), ...pendingIn(table, value)]
}

export function nameOf({ kind, sharing: { id } }: HeldShare): string {
  return `${kind}/${toHex(id)}`
}

/** Another password has an account deal anew: what is dealt then does not go on from what was before. */
export function lineageOf(one: HeldShare): string {
  return one.kind === "keys" ? nameOf(one) : `${nameOf(one)}/${toHex(one.sharing.context)}`
}

export function digestOf({ sharing: one }: HeldShare): string {
  const digest = digests.get(one) ?? toHex(sharing.sharingDigest(one))
  digests.set(one, digest)
  return digest
}

/** What is said of one in messages. */
export function shown({ kind, sharing: { id, keyEpoch } }: HeldShare): string {
  return `generation ${keyEpoch} of ${toHex(id).slice(0, 8)} of the ${kind}`
}

/** Servers that keep the protocol and whose disk nobody put back. */
export function soundServers({ servers, cheaters, copies }: Observed): readonly Identifier[] {
  const unsound = new Set([...cheaters, ...copies.map(({ server }) => server)])
  return servers.filter((server) => !unsound.has(server))
}

/** Those whose shares count: a member that was dropped helps nobody any more. */
export function countedServers(observed: Observed): readonly Identifier[] {
  return soundServers(observed).filter((server) => !observed.dropped.includes(server))
}

/** Enough that t honest ones are among them, and that any two such sets share an honest one. */
export function quorumOf({ minSigners, verifyingShares: { size } }: sharing.Sharing): number {
  return Math.max(Math.min(size, 2 * minSigners - 1), Math.ceil((size + minSigners) / 2))
}

/**
 * Whether so many of a sharing's holders do not count that those of a quorum which do may be fewer than t.
 * Of a sharing that no run dealt no quorum is known.
 */
export function isBeyondBudget(observed: Observed, one: sharing.Sharing): boolean {
  if (one.keyEpoch === 1) return false
  const counted = countedServers(observed)
  const lost = [...one.verifyingShares.keys()].filter((server) => !counted.includes(server))
  return lost.length > quorumOf(one) - one.minSigners
}

/** A row that some server's batch has written, in the order in which they became durable. */
export interface Written {
  readonly commit: Commit
  readonly table: Table
  readonly id: string
  /** Null where it was taken. */
  readonly value: Bytes | null
}

export function writtenIn({ commits }: Observed, tables: readonly Table[]): readonly Written[] {
  return commits.flatMap((commit) =>
    commit.changes.flatMap((change) => {
      const { table, id } = change
      if (!tables.includes(table)) return []
      return [{ commit, table, id, value: change.kind === "put" ? change.value : null }]
    }),
  )
}
