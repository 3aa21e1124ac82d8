import {
  decodeRosterChain,
  earlierKeys,
  type FollowedRoster,
  identityKeys,
  LockKeeperError,
  memberOf,
  openChain,
  rosterDigest,
  rostersOf,
  signedRosterCodec,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  constant,
  DecodeError,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  struct,
  utf8,
} from "@lockkeeper/encoding"
import { decodeEvidence, LIMITS, rosterEpochOf, verifyEvidence } from "@lockkeeper/protocols"

/** Longest evidence file, bytes. */
export const MAX_EVIDENCE_FILE = 64 * 1024

const fileCodec = struct<{ label: null; rosterDigest: Bytes; evidence: Bytes }>({
  label: constant(utf8("lockkeeper/evidence-file/v1\n")),
  rosterDigest: fixedBytes(32),
  evidence: bytes(LIMITS.evidence),
})

/** Evidence, and by whose keys it is judged: with the roster, all that an offline verifier needs. */
export function evidenceFile(signedRoster: Bytes, evidence: Bytes): Bytes {
  const { roster } = decode(signedRosterCodec, signedRoster)
  return encode(fileCodec, { label: null, rosterDigest: rosterDigest(roster), evidence })
}

interface AboutRoster {
  /** What was done, as an abort reason. */
  readonly reason: string
  readonly rosterEpoch: number
  readonly rosterDigest: Bytes
}

/** What an evidence file proves, or why it proves nothing. */
export type EvidenceVerdict =
  | (AboutRoster & {
      readonly valid: true
      readonly culprit: Identifier
      /** The culprit's name and operator in the roster. */
      readonly name: string
      readonly operator: string
      readonly pair: null
    })
  /** One of two servers is at fault, and nobody can tell which. */
  | (AboutRoster & {
      readonly valid: true
      readonly culprit: null
      readonly pair: readonly {
        readonly server: Identifier
        readonly name: string
        readonly operator: string
      }[]
    })
  | { readonly valid: false; readonly why: string }

const worthless = (why: string): EvidenceVerdict => ({ valid: false, why })

/**
 * Judges an evidence file offline, from signed bytes alone. Never throws on any input.
 *
 * @param rosters - the RosterChain the verifier trusts, or one SignedRoster. A file about another
 *   roster proves nothing to it: whoever made the file could have made that roster too.
 */
export function verifyEvidenceFile(file: Uint8Array, rosters: Uint8Array): EvidenceVerdict {
  if (file.length > MAX_EVIDENCE_FILE) return worthless("the file is too large")
  try {
    const { rosterDigest: named, evidence } = decode(fileCodec, file)
    const trusted = rostersOf(openChain(decodeRosterChain(rosters)))
    const about = trusted.find(({ digest }) => equalBytes(named, digest))
    if (about === undefined) return worthless("it is about another roster than the one you trust")
    return judge(evidence, about, trusted)
  } catch (error) {
    if (error instanceof DecodeError) return worthless(`it is malformed: ${error.message}`)
    if (error instanceof LockKeeperError) return worthless(error.message)
    throw error
  }
}

function judge(
  evidence: Bytes,
  { roster, digest }: FollowedRoster,
  trusted: readonly FollowedRoster[],
): EvidenceVerdict {
  const rosters = trusted.map((one) => one.roster)
  const verdict = verifyEvidence(evidence, identityKeys(roster), earlierKeys(rosters, roster))
  if (!verdict.valid) return worthless(verdict.why)
  const { reason } = verdict
  const { rosterEpoch } = roster
  if (rosterEpochOf(decodeEvidence(evidence)) !== rosterEpoch) {
    return worthless("it is about a run under another roster")
  }
  const about = { reason, rosterEpoch, rosterDigest: digest }
  const named = (server: Identifier) => {
    const { name, operator } = memberOf(roster, server)
    return { name, operator }
  }
  if ("pair" in verdict) {
    const pair = verdict.pair.map((server) => ({ server, ...named(server) }))
    return { valid: true, culprit: null, pair, ...about }
  }
  const { culprit } = verdict
  return { valid: true, culprit, ...named(culprit), pair: null, ...about }
}
