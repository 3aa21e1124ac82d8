import { type AccountRange, LockKeeperError, type SharingShape } from "@lockkeeper/api"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import { abort, done, type Outcome, type reshare, sharing } from "@lockkeeper/protocols"
import type { AccountRow } from "../account-row.ts"
import { decodeAccount, wipeAccount } from "../accounts.ts"
import { isDecoy } from "../decoy-account.ts"
import type { Store } from "../ports/store.ts"

/** The sharing of an account's OPRF key that this server holds a share of; null before it has one. */
export function sharingOfAccountRow({ active }: AccountRow): sharing.Sharing | null {
  return active === null ? null : sharing.sharingOfHeldAccount(active)
}

/**
 * Who holds shares of an account's OPRF key, how many it takes, and under which roster they were dealt;
 * null before it can log in.
 */
export function shapeOfAccount({
  active,
}: AccountRow): (SharingShape & { readonly rosterEpoch: number }) | null {
  if (active === null) return null
  const { oprf, registration } = active
  const { minSigners, rosterEpoch } = oprf?.sharing ?? registration
  const holders = oprf?.sharing.verifyingShares ?? registration.servers
  return { holders: [...holders.keys()], minSigners, rosterEpoch }
}

/**
 * The account with its share of a later generation in place of the one before. Aborts when the account
 * has another password than the run was about: then the row stays as it is.
 *
 * A quorum has confirmed that it holds shares for the active version, so that t honest servers log its
 * password in: nothing needs the version before any more.
 */
export function accountWithSharing(
  row: AccountRow,
  { sharing: later, vector, share, certificate }: reshare.ResharedShare,
): Outcome<AccountRow> {
  const { active } = row
  if (active === null) return abort("wrong-account")
  const taken = sharing.accountWithSharing(active, share, { sharing: later, vector })
  if (!taken.ok) return taken
  const oprf = { sharing: later, vector, certificate }
  return done({ ...row, active: { ...taken.value, oprf }, previous: null })
}

/** Most rows of one range: those of a batch, and some that could not come with it. */
const MOST_IN_RANGE = 1024
const PAGE = 64

/**
 * The first account of a range that can log in here and is not among `others`; null where there is none.
 *
 * @throws LockKeeperError `too-large` for a range that no batch covers.
 */
export async function firstActiveIn(
  store: Store,
  { after, to }: Pick<AccountRange, "after" | "to">,
  others: readonly Bytes[],
): Promise<string | null> {
  const out = new Set(others.map(toHex))
  const last = toHex(to)
  let from = after === null ? "" : toHex(after)
  for (let seen = 0; seen < MOST_IN_RANGE; seen += PAGE) {
    const rows = await store.scan("accounts", "", from, PAGE)
    for (const { id, value } of rows) {
      if (id > last) return null
      const row = decodeAccount(value)
      wipeAccount(row)
      value.fill(0)
      if (row.active !== null && !out.has(id) && !isDecoy(id)) return id
    }
    if (rows.length < PAGE) return null
    from = rows.at(-1)?.id ?? from
  }
  throw new LockKeeperError("too-large", "The range has more accounts than one batch.", {
    field: "body.range",
    remedy: "Move accounts in ranges that follow each other, some hundreds at a time.",
  })
}
