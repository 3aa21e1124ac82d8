import type { SharingShape } from "@lockkeeper/api"
import { abort, done, type Outcome, type reshare, sharing } from "@lockkeeper/protocols"
import type { AccountRow } from "../account-row.ts"

/** The sharing of an account's OPRF key that this server holds a share of; null before it has one. */
export function sharingOfAccountRow({ active }: AccountRow): sharing.Sharing | null {
  return active === null ? null : sharing.sharingOfHeldAccount(active)
}

/** Who holds shares of an account's OPRF key, and how many it takes; null before it can log in. */
export function shapeOfAccount({ active }: AccountRow): SharingShape | null {
  if (active === null) return null
  const { oprf, registration } = active
  if (oprf === null) {
    return { holders: [...registration.servers.keys()], minSigners: registration.minSigners }
  }
  const { verifyingShares, minSigners } = oprf.sharing
  return { holders: [...verifyingShares.keys()], minSigners }
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
