import { LockKeeperError, placementViolation, type Roster } from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import type { PublicKeyPackage } from "@lockkeeper/protocols"

/** Refuses what is not a set of signers of this key that the roster allows, this server among them. */
export function checkSignerSet(
  roster: Roster,
  identifier: Identifier,
  key: PublicKeyPackage,
  signers: readonly Identifier[],
): void {
  const refuse = (message: string): never => {
    throw new LockKeeperError("invalid-request", message, { field: "body.signers" })
  }
  const ascending = signers.every((s, i) => i === 0 || s > (signers[i - 1] ?? 0))
  if (!ascending) refuse("The signers are not distinct and ascending.")
  const stranger = signers.find((s) => !key.verifyingShares.has(s) && !key.additive.has(s))
  if (stranger !== undefined) refuse(`Server ${stranger} holds no share of this key.`)
  const servers = signers.filter((signer) => key.verifyingShares.has(signer))
  if (servers.length !== key.minSigners) refuse(`It takes ${key.minSigners} servers to sign.`)
  if (signers.length - servers.length !== key.additive.size) refuse("A signer is missing.")
  if (!signers.includes(identifier)) refuse("This server is not among the signers.")
  const violation = placementViolation(roster, servers)
  if (violation === null) return
  throw new LockKeeperError(
    "permission-denied",
    `The roster refuses this signer set: ${violation}.`,
    {
      field: "body.signers",
      remedy: "Choose signers as the roster's placement rules say.",
    },
  )
}
