import { groupByName, type Identifier, type Scalar } from "@lockkeeper/crypto"
import { type Bytes, decode, equalBytes, toHex } from "@lockkeeper/encoding"
import { formatChildPath, frost } from "@lockkeeper/protocols"
import { accountRow, keyRow } from "@lockkeeper/server/rows"
import type { AcknowledgedKey, DurableState, Observed, ToldPosition } from "../observed.ts"
import { type Checker, isKept, restoresOf } from "./checker.ts"

/** What clients were told, against what the databases hold in the end. */
export const acknowledged: Checker = {
  name: "acknowledged",
  holds: "no key, share, child, account or log entry that a client was told of is lost",
  check: (observed) => [
    ...lostPositions(observed),
    ...lostKeys(observed),
    ...lostChildren(observed),
    ...lostAccounts(observed),
  ],
}

function stateOf({ durable }: Observed, server: Identifier): DurableState | undefined {
  return durable.find((state) => state.server === server)
}

function lostPositions(observed: Observed): readonly string[] {
  const { keys, children, signatures } = observed
  return [...keys, ...children, ...signatures].flatMap((one) =>
    one.log.flatMap((position) => {
      const { server, index, head } = position
      if (!isKept(observed, position)) return []
      const entry = stateOf(observed, server)?.log[index]
      if (entry !== undefined && toHex(entry.head) === head) return []
      const state = entry === undefined ? "is gone" : "is another"
      return [`entry ${index} of server ${server}'s log, told to ${one.actor}, ${state}`]
    }),
  )
}

/** The servers that said that they have something, and that no copy took it from. */
function holdersOf(
  observed: Observed,
  { log }: { readonly log: readonly ToldPosition[] },
): readonly Identifier[] {
  return log.filter((position) => isKept(observed, position)).map(({ server }) => server)
}

function lostKeys(observed: Observed): readonly string[] {
  return observed.keys.flatMap((key) =>
    holdersOf(observed, key).flatMap((server) => {
      if (hasLeft(observed, server, key.keyId)) return []
      const problem = problemOf(key, server, stateOf(observed, server))
      return problem === null
        ? []
        : [`key ${toHex(key.keyId).slice(0, 8)} of ${key.actor} at server ${server} ${problem}`]
    }),
  )
}

/** Its share of the key went when the key's shares had moved to others; see `erasure` and `erased`. */
function hasLeft({ commits }: Observed, server: Identifier, keyId: Bytes): boolean {
  const id = toHex(keyId)
  const last = commits.findLast((commit) => {
    const isOf = ({ table, id: of }: { readonly table: string; readonly id: string }): boolean =>
      table === "keys" && of === id
    return commit.server === server && commit.changes.some(isOf)
  })
  const isTaken = last?.changes.some((one) => one.kind === "take" && one.id === id) ?? false
  return isTaken && (last?.events.some(({ operation }) => operation === "reshare.leave") ?? false)
}

function problemOf(
  key: AcknowledgedKey,
  server: Identifier,
  state: DurableState | undefined,
): string | null {
  const row = state?.tables.get("keys")?.get(toHex(key.keyId))
  if (row === undefined) return "is lost"
  const { keyPackage } = decode(keyRow, row.value)
  const { public: pkg, signingShare } = keyPackage
  const publicKey = frost.publicKeyOf(pkg)
  if (publicKey === null || !equalBytes(publicKey, key.publicKey)) return "is another key"
  const group = groupByName(pkg.group)
  const expected = pkg.verifyingShares.get(server)
  const own = group.multiplyBase(signingShare.expose() as Scalar)
  if (expected === undefined || !equalBytes(own, expected)) return "has a wrong share"
  return null
}

function lostChildren(observed: Observed): readonly string[] {
  return observed.children.flatMap((child) =>
    holdersOf(observed, child).flatMap((server) => {
      const id = `${toHex(child.keyId)}-${formatChildPath(child.path)}`
      const rows = stateOf(observed, server)?.tables.get("children")
      return rows?.has(id) ? [] : [`child ${id.slice(-8)} of ${child.actor} is lost at ${server}`]
    }),
  )
}

/** A registration that succeeded is active at t servers at least. */
function lostAccounts(observed: Observed): readonly string[] {
  return observed.accounts.flatMap((account) => {
    const id = toHex(account.accountId)
    const holding = observed.durable.filter(({ server, tables }) => {
      if (restoresOf(observed.starts, server).length > 0) return true
      const row = tables.get("accounts")?.get(id)
      return row !== undefined && decode(accountRow, row.value).active !== null
    })
    if (holding.length >= observed.minSigners) return []
    return [`account of ${account.actor} is active at ${holding.length} servers only`]
  })
}
