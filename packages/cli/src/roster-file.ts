import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import {
  chainOf,
  decodeRosterChain,
  type FollowedChain,
  followChain,
  LockKeeperError,
  openChain,
  type Roster,
  rostersOf,
  type SignedRoster,
} from "@lockkeeper/api"
import { type Bytes, type Codec, DecodeError, decode, equalBytes } from "@lockkeeper/encoding"

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

/**
 * Puts a longer chain in the place of the one that a profile was told to trust, once it was verified
 * from there. Whoever reads meanwhile sees the one or the other.
 */
export function replaceRosterFile(path: string, chain: Bytes): void {
  const target = realpathSync(path)
  const before = openChain(decodeRosterChain(readRosterBytes(target)))
  const next = openChain(decodeRosterChain(chain))
  // Another command may have been faster, and followed further.
  const known = rostersOf(before).some(({ digest }) => equalBytes(digest, next.inForce.digest))
  if (known) return
  followChain(chainOf(next), before.inForce.digest)
  const beside = `${target}.${process.pid}.new`
  const descriptor = openSync(beside, "wx", statSync(target).mode & 0o777)
  try {
    writeFileSync(descriptor, chain)
    fsyncSync(descriptor)
    renameSync(beside, target)
  } catch (error) {
    rmSync(beside, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
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
