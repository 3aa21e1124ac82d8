import type { Identifier } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import { type KeyCertificate, type PublicKeyPackage, verifyKeyCertificate } from "../keys.ts"
import type { Outcome } from "../outcome.ts"
import type { VerifyKeys } from "./verdict.ts"

/** Identity keys of rosters before the one of the run, by rosterEpoch. */
export type EarlierKeys = ReadonlyMap<number, VerifyKeys>

export const NO_EARLIER: EarlierKeys = new Map()

function certifiers(
  { public: { rosterEpoch } }: KeyCertificate,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys,
): VerifyKeys {
  return earlier.get(rosterEpoch) ?? verifyKeys
}

/** The key of a certificate, by the roster that it was signed under: keys outlive rosters. */
export function certifiedKey(
  certificate: KeyCertificate,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys,
): Outcome<PublicKeyPackage> {
  return verifyKeyCertificate(certificate, certifiers(certificate, verifyKeys, earlier))
}

/** Whether a server has the identity key that it had under the roster which the key was signed under. */
export function isStillServer(
  certificate: KeyCertificate,
  server: Identifier,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys,
): boolean {
  const then = certifiers(certificate, verifyKeys, earlier).get(server)
  const now = verifyKeys.get(server)
  return then !== undefined && now !== undefined && equalBytes(then, now)
}

/**
 * Whether it was this very server that confirmed the key, and not one before it under its identifier:
 * whoever made up a quorum could otherwise give an honest server another public share than it holds.
 */
export function hasConfirmed(
  certificate: KeyCertificate,
  server: Identifier,
  verifyKeys: VerifyKeys,
  earlier: EarlierKeys,
): boolean {
  return (
    certificate.confirmations.has(server) && isStillServer(certificate, server, verifyKeys, earlier)
  )
}
