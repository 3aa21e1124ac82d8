import { readFileSync, statSync } from "node:fs"
import {
  decodeRosterChain,
  type FollowedChain,
  followChain,
  LockKeeperError,
  openChain,
  type Roster,
  type SignedRoster,
} from "@lockkeeper/api"
import { type Bytes, type Codec, DecodeError, decode } from "@lockkeeper/encoding"

// A bundle carries one sealed seed for each pair of members.
const MAX_ROSTER_FILE = 2_097_152

/** The roster in force of a file, with what clients pin and the rosters before it. */
export interface RosterFile {
  readonly chain: FollowedChain
  readonly signed: SignedRoster
  readonly roster: Roster
  /** 32 bytes. */
  readonly digest: Bytes
}

/**
 * Reads a signed roster, or a chain of them, and follows it.
 *
 * @param pin - the digest that one of them must have, or null to trust the file itself.
 * @throws LockKeeperError `not-found`, `untrusted-roster`, or `misconfigured` naming the field.
 */
export function readRoster(path: string, pin: Bytes | null): RosterFile {
  const rosters = decodeRosterChain(readRosterBytes(path))
  const chain = pin === null ? openChain(rosters) : followChain(rosters, pin)
  return { chain, ...chain.inForce }
}

/** Decodes a file of the ceremony; a wrong one is named. @throws LockKeeperError `invalid-request` */
export function decodeRosterFile<T>(path: string, what: string, codec: Codec<T>): T {
  try {
    return decode(codec, readRosterBytes(path))
  } catch (cause) {
    if (!(cause instanceof DecodeError)) throw cause
    throw new LockKeeperError("invalid-request", `"${path}" is not ${what}, or is damaged.`, {
      field: path,
      remedy: "Check which file was named, or fetch it again.",
      cause,
    })
  }
}

/** The bytes of a roster file, not yet checked. */
export function readRosterBytes(path: string): Bytes {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) {
    throw new LockKeeperError("not-found", `There is no roster at "${path}".`, {
      field: "roster",
      remedy: "Pass --roster FILE or set LK_ROSTER; for a try-out run `lockkeeper dev`.",
    })
  }
  if (stats.size > MAX_ROSTER_FILE) {
    throw new LockKeeperError("too-large", `"${path}" is too large to be a roster.`, {
      field: "roster",
      remedy: "Name the signed roster file.",
    })
  }
  return new Uint8Array(readFileSync(path))
}
