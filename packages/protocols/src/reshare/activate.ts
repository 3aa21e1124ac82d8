import { type Identifier, Secret } from "@lockkeeper/crypto"
import { equalBytes } from "@lockkeeper/encoding"
import { abort, done, type Outcome } from "../outcome.ts"
import { SCALAR_LENGTH } from "../sharing/packed.ts"
import {
  type BatchCertificate,
  certificatesOf,
  checkConfirmed,
  type ReshareCertificate,
} from "./certificate.ts"
import type { Reshared, ReshareJudged } from "./state.ts"

/** A new share in force, with what proves it to others. */
export interface ResharedShare extends Reshared {
  readonly share: Secret
  readonly certificate: ReshareCertificate
}

/**
 * The last step, of a holder that confirmed: with a quorum of confirmations of the same sharings the
 * new shares are in force, and the old ones may be erased. It works as well long after the run, by
 * whoever brings the certificate.
 *
 * @param verifyKeys - of the roster of `params.rosterEpoch`.
 */
export function reshareActivate(
  { params, pending }: ReshareJudged,
  certificate: BatchCertificate,
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<readonly ResharedShare[]> {
  if (!pending) return abort("complaint-pending")
  const { rosterEpoch, minSigners, holders } = params
  const { reshared, root, shares } = pending
  if (certificate.rosterEpoch !== rosterEpoch) return abort("wrong-roster-epoch")
  if (certificate.size !== reshared.length || !equalBytes(certificate.root, root)) {
    return abort("wrong-batch", { field: "root" })
  }
  const members = { minSigners, identifiers: holders }
  const confirmed = checkConfirmed(certificate, certificate.confirmations, members, verifyKeys)
  if (!confirmed.ok) return confirmed
  const certificates = certificatesOf(
    certificate,
    reshared.map(({ sharing }) => sharing),
  )
  const active = reshared.map((one, index) => {
    const start = index * SCALAR_LENGTH
    const share = Secret.copyOf(shares.expose().subarray(start, start + SCALAR_LENGTH))
    return { ...one, share, certificate: certificates[index]! }
  })
  return done(active)
}
