import {
  type FollowedChain,
  LockKeeperError,
  type Roster,
  type RosterChain,
  rosterDigest,
} from "@lockkeeper/api"
import type { Identifier } from "@lockkeeper/crypto"
import { type Bytes, DecodeError, equalBytes } from "@lockkeeper/encoding"
import type { Verdicts } from "../harness.ts"
import { secretsOf } from "../moves/servers.ts"

export const EVERYONE: readonly Identifier[] = [1, 2, 3, 4, 5]

const verifyKeys = new Map(EVERYONE.map((id) => [id, secretsOf(id).identity.publicKey]))

export type Judged = (followed: FollowedChain) => readonly string[]

/** Follows a chain as clients and servers do. @param wrong - what is wrong with one that convinces. */
export function followed(chain: () => FollowedChain, wrong: Judged): Verdicts {
  try {
    return { verifyKeys, aborts: [], finished: true, accepted: wrong(chain()) }
  } catch (error) {
    const refused = refusalOf(error)
    return { verifyKeys, aborts: [], finished: false, accepted: [], refused: [refused] }
  }
}

function refusalOf(error: unknown): string {
  if (error instanceof DecodeError) return "malformed"
  if (error instanceof LockKeeperError) return `${error.code} ${error.field}`
  throw error
}

/** What no roster may be that follows another, whoever has signed it. */
export function rulesBroken(before: Roster, next: Roster, previous: Bytes): readonly string[] {
  const broken: string[] = []
  if (next.rosterEpoch !== before.rosterEpoch + 1) broken.push("another number")
  if (!equalBytes(next.previousDigest, previous)) broken.push("after another roster")
  const held = [before.minSigners, before.transition?.minSignersBefore ?? before.minSigners]
  const { minSigners, transition, members } = next
  if (transition !== null) {
    const { minSignersBefore, leaving } = transition
    if (!held.includes(minSignersBefore)) broken.push("a threshold that no shares have")
    const all = new Set([...(before.transition === null ? [] : held), minSigners, minSignersBefore])
    if (all.size > 2) broken.push("shares of three thresholds")
    if (leaving.some((one) => members.every(({ identifier }) => identifier !== one))) {
      broken.push("somebody leaves who is no member")
    }
    if (minSigners > members.length - leaving.length) broken.push("fewer holders than it takes")
  }
  for (const old of before.members) {
    for (const member of members) {
      const same = (["identityKey", "channelKey", "opaqueKey"] as const).some((key) =>
        equalBytes(old[key], member[key]),
      )
      if (same && old.identifier !== member.identifier) broken.push("a key of another server")
    }
  }
  return broken
}

/** Whether a chain is a beginning of the one that the servers follow. */
export function isTrue({ before, inForce }: FollowedChain, of: RosterChain): boolean {
  return [...before, inForce].every(({ digest }) =>
    of.some(({ roster }) => equalBytes(rosterDigest(roster), digest)),
  )
}
