import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  equalBytes,
  fixedBytes,
  numberMap,
  struct,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"
import { type Signer, signatureCodec, signLabelled, verifyLabelled } from "../messages/signature.ts"
import { abort, done, type Outcome } from "../outcome.ts"
import { type Sharing, sharingCodec, sharingDigest } from "../sharing/sharing.ts"
import { continues } from "../sharing/sources.ts"
import { pathCodec, pathsOf, rootFrom, type TreePlace } from "../sharing/tree.ts"
import { LABELS } from "./labels.ts"
import { quorumOf } from "./quorum.ts"

/** What a holder signs: that it durably holds its share of every sharing under this root. */
export interface OutcomeStatement {
  readonly rosterEpoch: number
  readonly size: number
  readonly root: Bytes
}

const outcomeStatementCodec: Codec<OutcomeStatement> = struct<OutcomeStatement>({
  rosterEpoch: u32,
  size: u16,
  root: fixedBytes(32),
})

export type Confirmations = ReadonlyMap<Identifier, Bytes>

const confirmationsCodec: Codec<Confirmations> = numberMap(
  identifierCodec,
  signatureCodec,
  LIMITS.participants,
)

/** What a whole batch was confirmed with. */
export interface BatchCertificate extends OutcomeStatement {
  readonly confirmations: Confirmations
}

export const batchCertificateCodec: Codec<BatchCertificate> = struct<BatchCertificate>({
  rosterEpoch: u32,
  size: u16,
  root: fixedBytes(32),
  confirmations: confirmationsCodec,
})

/** The same for one of its sharings, without the others. */
export interface ReshareCertificate extends TreePlace {
  readonly sharing: Sharing
  readonly confirmations: Confirmations
}

export const reshareCertificateCodec: Codec<ReshareCertificate> = struct<ReshareCertificate>({
  sharing: sharingCodec,
  index: u16,
  size: u16,
  path: pathCodec,
  confirmations: confirmationsCodec,
})

export function confirmOutcome(signer: Signer, statement: OutcomeStatement): Bytes {
  return signLabelled(signer, LABELS.outcome, outcomeStatementCodec, statement)
}

export function verifyOutcome(
  verifyKey: Uint8Array,
  statement: OutcomeStatement,
  confirmation: Uint8Array,
): boolean {
  return verifyLabelled(verifyKey, LABELS.outcome, outcomeStatementCodec, statement, confirmation)
}

/** The certificates of the sharings of a batch, in its order. */
export function certificatesOf(
  { size, root, confirmations }: BatchCertificate,
  sharings: readonly Sharing[],
): ReshareCertificate[] {
  const leaves = sharings.map(sharingDigest)
  const paths = pathsOf(leaves)
  return sharings.map((sharing, index) => {
    const path = paths[index]!
    const found = rootFrom(leaves[index]!, { index, size, path })
    if (!found || !equalBytes(found, root)) throw new RangeError("not the sharings of this batch")
    return { sharing, index, size, path, confirmations }
  })
}

/** The certificate of the whole batch, from that of one of its sharings; null where it is none. */
export function batchOf(certificate: ReshareCertificate): BatchCertificate | null {
  const { sharing, size, confirmations } = certificate
  const root = rootFrom(sharingDigest(sharing), certificate)
  return root && { rosterEpoch: sharing.rosterEpoch, size, root, confirmations }
}

/** What a verifier knows of the roster that a sharing names. */
export interface RosterView {
  readonly rosterEpoch: number
  readonly minSigners: number
  /** Identity keys of its members. */
  readonly verifyKeys: ReadonlyMap<Identifier, Uint8Array>
}

/** Refuses confirmations of strangers, wrong ones, and fewer than the quorum of the holders. */
export function checkConfirmed(
  statement: OutcomeStatement,
  confirmations: Confirmations,
  holders: { readonly minSigners: number; readonly identifiers: readonly Identifier[] },
  verifyKeys: ReadonlyMap<Identifier, Uint8Array>,
): Outcome<null> {
  for (const [identifier, confirmation] of confirmations) {
    const field = `confirmations.${identifier}`
    const verifyKey = verifyKeys.get(identifier)
    if (!holders.identifiers.includes(identifier) || !verifyKey) {
      return abort("unexpected-confirmation", { field })
    }
    if (!verifyOutcome(verifyKey, statement, confirmation)) {
      return abort("wrong-confirmation", { field })
    }
  }
  const quorum = quorumOf(holders.minSigners, holders.identifiers.length)
  if (confirmations.size >= quorum) return done(null)
  const silent = holders.identifiers.filter((identifier) => !confirmations.has(identifier))
  return abort("missing-confirmation", { silent })
}

/**
 * Accepts a sharing that a quorum of its holders has confirmed, for a roster that the verifier knows:
 * the threshold is the roster's and every holder is its member, so no smaller set of servers can make
 * a certificate of its own. Names nobody: whoever passes a certificate on can have altered it.
 */
export function verifyReshareCertificate(
  certificate: ReshareCertificate,
  roster: RosterView,
): Outcome<Sharing> {
  const { sharing, size, confirmations } = certificate
  const { rosterEpoch, minSigners, verifyingShares } = sharing
  if (rosterEpoch !== roster.rosterEpoch) return abort("wrong-roster-epoch")
  if (minSigners !== roster.minSigners) return abort("wrong-threshold")
  const identifiers = [...verifyingShares.keys()]
  if (identifiers.length < minSigners || !identifiers.every((i) => roster.verifyKeys.has(i))) {
    return abort("wrong-participants", { field: "verifyingShares" })
  }
  const root = rootFrom(sharingDigest(sharing), certificate)
  if (!root) return abort("wrong-batch", { field: "path" })
  const statement = { rosterEpoch, size, root }
  const holders = { minSigners, identifiers }
  const confirmed = checkConfirmed(statement, confirmations, holders, roster.verifyKeys)
  return confirmed.ok ? done(sharing) : confirmed
}

/**
 * Whether a member may erase what it holds of `held`: only when a quorum has confirmed a later sharing
 * of the same secret. Erasing on anything less can lose the key: t' - 1 of those who say they have
 * their shares may lie ("forget and forgive"). Until then `held` goes on signing.
 */
export function mayErase(
  held: Sharing,
  certificate: ReshareCertificate,
  roster: RosterView,
): Outcome<Sharing> {
  const verified = verifyReshareCertificate(certificate, roster)
  if (!verified.ok) return verified
  const later = continues(held, verified.value)
  return later.ok ? verified : later
}
