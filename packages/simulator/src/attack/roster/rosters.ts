import {
  MAX_MEMBERS,
  type SignedRoster,
  settledRoster,
  signRoster,
  transitionFrom,
} from "@lockkeeper/api"
import { type Identifier, identifierCodec } from "@lockkeeper/crypto"
import {
  type Bytes,
  bool,
  type Codec,
  fixedBytes,
  list,
  safeInteger,
  struct,
  text,
  u16,
  u32,
} from "@lockkeeper/encoding"
import {
  after,
  type Followed,
  firstRoster,
  followedBy,
  memberFor,
  secretsOf,
} from "../moves/servers.ts"

// Two of 1, 2, 3 under the first roster; the second one is in transition to 2, 3, 4, and the third one
// settles it.

export const MIN_SIGNERS = 2
export const OLD: readonly Identifier[] = [1, 2, 3]
export const LEAVER: Identifier = 1
export const JOINER: Identifier = 4
/** In no roster. */
export const STRANGER: Identifier = 5

export const FIRST: Followed = followedBy(null, firstRoster(MIN_SIGNERS, OLD))

/** The roster in transition to another threshold too. */
export const IN_TRANSITION: Followed = followedBy(FIRST, {
  ...{ ...FIRST.roster, ...after(FIRST), minSigners: 3 },
  members: [...FIRST.roster.members, memberFor(JOINER)],
  transition: transitionFrom(FIRST.roster, 3, [LEAVER]),
})

export const SETTLED: Followed = followedBy(IN_TRANSITION, settledRoster(IN_TRANSITION.roster))

/** One that goes on with the same transition, as where a member is lost meanwhile. */
export const CONTINUED: Followed = followedBy(IN_TRANSITION, {
  ...{ ...IN_TRANSITION.roster, ...after(IN_TRANSITION) },
  createdAt: IN_TRANSITION.roster.createdAt + 1,
})

/** The same roster signed by whom one likes. */
export function signedBy(roster: Bytes, signers: Iterable<Identifier>): SignedRoster {
  const sorted = [...new Set(signers)].sort((a, b) => a - b)
  return {
    roster,
    signatures: new Map(sorted.map((id) => [id, signRoster(roster, secretsOf(id).identity)])),
  }
}

/** As members sign it: a change of it fails where it is read here. */
export const rosterCodec = struct({
  ...{ label: fixedBytes(20), rosterEpoch: u32, minSigners: u16 },
  members: list(
    struct({
      ...{ identifier: identifierCodec, name: text(64), url: text(256) },
      ...{ identityKey: fixedBytes(32), channelKey: fixedBytes(1216), opaqueKey: fixedBytes(32) },
      ...{ operator: text(64), cloud: text(64), jurisdiction: text(64) },
    }),
    MAX_MEMBERS,
  ),
  placement: struct({ distinctOperators: bool, distinctClouds: bool, distinctJurisdictions: bool }),
  ...{ previousDigest: fixedBytes(32), createdAt: safeInteger },
}) as Codec<unknown>

const scheduleFields = { refreshHours: u16, cryptoperiodDays: u16 }

/** The same of one in transition. */
export const transitionCodec = struct({
  roster: rosterCodec,
  schedule: struct(scheduleFields),
  transition: struct({ leaving: list(identifierCodec, MAX_MEMBERS), minSignersBefore: u16 }),
}) as Codec<unknown>
