import type { Identifier, Secret } from "@lockkeeper/crypto"
import {
  checkGeneration,
  type HeldAccount,
  type MovedRecord,
  type OprfGeneration,
} from "../opaque/held.ts"
import { done, type Outcome } from "../outcome.ts"
import type { Sharing } from "./sharing.ts"
import { continues, FIRST_KEY_EPOCH, sharingOfAccount } from "./sources.ts"

/** The sharing that a server's share of an account is of. */
export function sharingOfHeldAccount({ registration, oprf }: HeldAccount): Sharing {
  return oprf === null ? sharingOfAccount(registration, FIRST_KEY_EPOCH) : oprf.sharing
}

/**
 * The account with its share of a later generation; the record, and so the password, is the same. As
 * with keys the sharing is the outcome of a run or has a certificate that was checked.
 */
export function accountWithSharing(
  held: HeldAccount,
  share: Secret,
  generation: OprfGeneration,
): Outcome<HeldAccount> {
  const fits = continues(sharingOfHeldAccount(held), generation.sharing)
  if (!fits.ok) return fits
  const checked = checkGeneration(held.registration, held.identifier, share, generation)
  return checked.ok ? done({ ...held, share, oprf: generation }) : checked
}

/**
 * The account at a server that it was not registered with: another server's record, which
 * `verifyMovedRecord` accepted, and a share of its own.
 */
export function accountMovedTo(
  identifier: Identifier,
  { registration, confirmations, home, record }: MovedRecord,
  share: Secret,
  generation: OprfGeneration,
): Outcome<HeldAccount> {
  const fits = continues(sharingOfAccount(registration, FIRST_KEY_EPOCH), generation.sharing)
  if (!fits.ok) return fits
  const checked = checkGeneration(registration, identifier, share, generation)
  if (!checked.ok) return checked
  return done({ registration, identifier, share, record, confirmations, oprf: generation, home })
}
