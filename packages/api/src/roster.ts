import {
  hashValue,
  type Identifier,
  identifierCodec,
  isXwingPublicKey,
  type SigningKey,
  verifySignature,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bool,
  bytes,
  type Codec,
  constant,
  decode,
  encode,
  equalBytes,
  fixedBytes,
  list,
  numberMap,
  safeInteger,
  struct,
  text,
  u8,
  u16,
  u32,
  utf8,
} from "@lockkeeper/encoding"
import { FIRST_DEVICE } from "./custody.ts"
import { LockKeeperError } from "./errors.ts"

/**
 * Most servers a roster may list: as many as one run of a protocol takes beside an owner's device. With
 * one more, no server could read a key again that moved to all of them with a device's share beside it.
 */
export const MAX_MEMBERS = 23

/** Most hours between refreshes, and days of a cryptoperiod. */
const MAX_SCHEDULE = 0xffff

/** One key server as everybody else knows it. */
export interface Member {
  readonly identifier: Identifier
  /** Name for people, unique in the roster. */
  readonly name: string
  /** `https://host:port`, without a path. */
  readonly url: string
  /** Ed25519, 32 bytes: signs protocol messages, handshakes, checkpoints. */
  readonly identityKey: Bytes
  /** X-Wing, 1216 bytes: opens sessions and nothing else. */
  readonly channelKey: Bytes
  /** ristretto255, 32 bytes: the server's long-term key in OPAQUE's 3DH. */
  readonly opaqueKey: Bytes
  readonly operator: string
  readonly cloud: string
  readonly jurisdiction: string
}

/** Which signer sets are refused although they are large enough. */
export interface PlacementRules {
  readonly distinctOperators: boolean
  readonly distinctClouds: boolean
  readonly distinctJurisdictions: boolean
}

/**
 * What a roster says while shares are on their way to other holders, or to more or fewer of them. Until
 * everything has been dealt anew, what is still held as before is used as before.
 */
export interface Transition {
  /** Ascending: members that hold shares until they have been dealt anew, and get no new ones. */
  readonly leaving: readonly Identifier[]
  /** How many servers an operation takes with shares that were not dealt anew yet. */
  readonly minSignersBefore: number
}

/** The list of servers that keep an owner's keys. Encoded bytes are what is signed and pinned. */
export interface Roster {
  readonly rosterEpoch: number
  /** t: how many servers an operation takes. */
  readonly minSigners: number
  readonly members: readonly Member[]
  readonly placement: PlacementRules
  /** Digest of the roster before this one; zeros for the first. */
  readonly previousDigest: Bytes
  /** Milliseconds since the Unix epoch. */
  readonly createdAt: number
  /** After how many hours the shares of every key are to be refreshed; 0 for no schedule. */
  readonly refreshHours: number
  /** How many days a key signs after it was made; 0 for as long as its owner wants. */
  readonly cryptoperiodDays: number
  /** Null while every share is where this roster wants it. */
  readonly transition: Transition | null
}

const memberCodec: Codec<Member> = struct<Member>({
  identifier: identifierCodec,
  name: text(64),
  url: text(256),
  identityKey: fixedBytes(32),
  channelKey: fixedBytes(1216),
  opaqueKey: fixedBytes(32),
  operator: text(64),
  cloud: text(64),
  jurisdiction: text(64),
})

type Schedule = Pick<Roster, "refreshHours" | "cryptoperiodDays">

/** Keys are refreshed, and end, when somebody says so. */
export const NO_SCHEDULE: Schedule = { refreshHours: 0, cryptoperiodDays: 0 }

const firstFields = struct<Omit<Roster, keyof Schedule | "transition">>({
  rosterEpoch: u32,
  minSigners: u16,
  members: list(memberCodec, MAX_MEMBERS),
  placement: struct<PlacementRules>({
    distinctOperators: bool,
    distinctClouds: bool,
    distinctJurisdictions: bool,
  }),
  previousDigest: fixedBytes(32),
  createdAt: safeInteger,
})

const scheduleFields = struct<Schedule>({ refreshHours: u16, cryptoperiodDays: u16 })

const transitionFields = struct<Transition>({
  leaving: list(identifierCodec, MAX_MEMBERS),
  minSignersBefore: u16,
})

const LABELS = ["lockkeeper/roster/v1", "lockkeeper/roster/v2", "lockkeeper/roster/v3"].map(utf8)

function isScheduled({ refreshHours, cryptoperiodDays }: Schedule): boolean {
  return refreshHours !== 0 || cryptoperiodDays !== 0
}

/** 0 for version 1, and so on. */
function versionOf(roster: Roster): number {
  if (roster.transition !== null) return 2
  return isScheduled(roster) ? 1 : 0
}

/**
 * A roster without a schedule is of version 1, as it was before there were any: who pinned one, or
 * knows no other version, reads it. One with a schedule is of version 2, one in transition of version 3.
 */
const rosterFields: Codec<Roster> = {
  write(writer, roster) {
    const version = versionOf(roster)
    writer.bytes(LABELS[version] as Bytes)
    firstFields.write(writer, roster)
    if (version >= 1) scheduleFields.write(writer, roster)
    if (roster.transition !== null) transitionFields.write(writer, roster.transition)
  },
  read(reader) {
    const start = reader.offset
    const label = reader.within("label", () => reader.bytes((LABELS[0] as Bytes).length))
    const version = LABELS.findIndex((one) => equalBytes(label, one))
    if (version < 0) reader.fail("not a roster of this version", start)
    const first = firstFields.read(reader)
    const at = reader.offset
    const schedule = version >= 1 ? scheduleFields.read(reader) : NO_SCHEDULE
    if (version === 1 && !isScheduled(schedule)) reader.fail("version 2 without a schedule", at)
    const transition = version >= 2 ? transitionFields.read(reader) : null
    return { ...first, ...schedule, transition }
  },
}

/** The bytes of a roster. @throws LockKeeperError `misconfigured` naming the field at fault. */
export function encodeRoster(roster: Roster): Bytes {
  checkRoster(roster)
  return encode(rosterFields, roster)
}

/** A roster from its bytes, checked. */
export function decodeRoster(encoded: Uint8Array): Roster {
  const roster = decode(rosterFields, encoded)
  checkRoster(roster)
  return roster
}

function refuse(field: string, message: string, remedy: string): never {
  throw new LockKeeperError("misconfigured", message, { field, remedy })
}

function checkUnique(members: readonly Member[], field: keyof Member, what: string): void {
  const seen = new Map<string, string>()
  for (const member of members) {
    const value = member[field]
    const key = typeof value === "object" ? value.toString() : String(value)
    const other = seen.get(key)
    if (other !== undefined) {
      refuse(
        `members.${member.name}.${field}`,
        `"${other}" and "${member.name}" have the same ${what}.`,
        "Give every server its own; run `lockkeeper server init` once for each server.",
      )
    }
    seen.set(key, member.name)
  }
}

function checkRoster(roster: Roster): void {
  const { members, minSigners } = roster
  if (roster.rosterEpoch < 1) refuse("rosterEpoch", "rosterEpoch starts at 1.", "Set it to 1.")
  for (const field of ["refreshHours", "cryptoperiodDays"] as const) {
    const value = roster[field]
    if (Number.isInteger(value) && value >= 0 && value <= MAX_SCHEDULE) continue
    const remedy = "Write 0 for none; 168 hours are a week, 730 days are two years."
    refuse(field, `${field} is not a whole number from 0 to ${MAX_SCHEDULE}.`, remedy)
  }
  if (members.length === 0) refuse("members", "The roster lists no server.", "Add servers.")
  if (roster.transition !== null) checkTransition(roster, roster.transition)
  const holders = members.length - (roster.transition?.leaving.length ?? 0)
  if (minSigners < 1 || minSigners > holders) {
    refuse(
      "minSigners",
      `The threshold is ${minSigners} but the roster lists ${holders} servers that hold shares.`,
      `Choose a threshold from 1 to ${holders}; 2 of 3 is the usual start.`,
    )
  }
  members.forEach((member, i) => {
    const previous = members[i - 1]
    if (previous !== undefined && previous.identifier >= member.identifier) {
      refuse(
        `members.${member.name}.identifier`,
        "Identifiers are not distinct and ascending.",
        "Number the servers 1, 2, 3 and so on, and list them in that order.",
      )
    }
    if (member.identifier >= FIRST_DEVICE) {
      refuse(
        `members.${member.name}.identifier`,
        `Identifiers from ${FIRST_DEVICE} on are for owners' devices.`,
        "Number the servers 1, 2, 3 and so on.",
      )
    }
    if (member.name === "") refuse(`members.${i}.name`, "A server has no name.", "Name it.")
    if (!/^https:\/\/[^/?#@]+$/.test(member.url)) {
      refuse(
        `members.${member.name}.url`,
        "The URL is not https://host:port without a path.",
        "Write for example https://keys.example.org:7443.",
      )
    }
    if (!isXwingPublicKey(member.channelKey)) {
      refuse(
        `members.${member.name}.channelKey`,
        "The channel key is not an X-Wing public key.",
        "Take it from what `lockkeeper server init` printed at that server.",
      )
    }
  })
  checkUnique(members, "name", "name")
  checkUnique(members, "url", "URL")
  checkUnique(members, "identityKey", "identity key")
  checkUnique(members, "channelKey", "channel key")
  checkUnique(members, "opaqueKey", "OPAQUE key")
}

function checkTransition({ members }: Roster, { leaving, minSignersBefore }: Transition): void {
  const isAscending = leaving.every((one, i) => i === 0 || one > (leaving[i - 1] as number))
  const stranger = leaving.find((one) => members.every(({ identifier }) => identifier !== one))
  if (!isAscending || stranger !== undefined) {
    refuse(
      "transition.leaving",
      "Those that leave are not members, distinct and ascending.",
      "List the identifiers of members whose shares move to others, in ascending order.",
    )
  }
  if (minSignersBefore < 1 || minSignersBefore > members.length) {
    refuse(
      "transition.minSignersBefore",
      `No shares of ${members.length} servers take ${minSignersBefore} of them.`,
      "Write the threshold of the roster before.",
    )
  }
}

/** A roster with its members' signatures, as servers publish it. */
export interface SignedRoster {
  readonly roster: Bytes
  readonly signatures: ReadonlyMap<Identifier, Bytes>
}

/** Longest encoding of a roster, bytes. */
export const MAX_ROSTER = 65_536

/** By members of the roster, and by those that leave with it. */
export const rosterSignatures: Codec<SignedRoster["signatures"]> = numberMap(
  u16,
  fixedBytes(64),
  MAX_MEMBERS * 2,
)

export const signedRosterCodec: Codec<SignedRoster> = struct<SignedRoster>({
  roster: bytes(MAX_ROSTER),
  signatures: rosterSignatures,
})

/** What clients pin: SHA-256 over the labelled roster bytes, 32 bytes. */
export function rosterDigest(encoded: Bytes): Bytes {
  return hashValue("roster", bytes(MAX_ROSTER), encoded)
}

const signatureInput = struct<{ label: null; version: number; digest: Bytes }>({
  label: constant(utf8("lockkeeper/roster-signature")),
  version: u8,
  digest: fixedBytes(32),
})

function signedBytes(encoded: Bytes): Bytes {
  return encode(signatureInput, { label: null, version: 1, digest: rosterDigest(encoded) })
}

/** A member's signature over a roster. */
export function signRoster(encoded: Bytes, identity: SigningKey): Bytes {
  return identity.sign(signedBytes(encoded))
}

/** Which of these members have signed it. */
export function signersAmong(signed: SignedRoster, members: readonly Member[]): Identifier[] {
  const message = signedBytes(signed.roster)
  return members
    .filter(({ identifier, identityKey }) => {
      const signature = signed.signatures.get(identifier)
      return signature !== undefined && verifySignature(identityKey, message, signature)
    })
    .map(({ identifier }) => identifier)
}

/**
 * The roster of a signed roster that every member has signed.
 *
 * @throws LockKeeperError `untrusted-roster` naming the member whose signature is missing or wrong.
 */
export function openRoster(signed: SignedRoster): Roster {
  const roster = decodeRoster(signed.roster)
  const signers = signersAmong(signed, roster.members)
  for (const member of roster.members) {
    if (!signers.includes(member.identifier)) {
      throw new LockKeeperError(
        "untrusted-roster",
        `The roster lacks a valid signature by its member "${member.name}".`,
        { field: `signatures.${member.identifier}`, remedy: "Collect every member's signature." },
      )
    }
  }
  return roster
}

/** The roster of a signed roster whose digest is the pinned one. */
export function openPinnedRoster(signed: SignedRoster, pin: Uint8Array): Roster {
  if (!equalBytes(rosterDigest(signed.roster), pin)) {
    throw new LockKeeperError("untrusted-roster", "The roster is not the one that was pinned.", {
      field: "roster",
      remedy: "Ask the operators for the current roster over a channel you trust.",
    })
  }
  return openRoster(signed)
}

const MEMBER_KEYS = ["identityKey", "channelKey", "opaqueKey"] as const

/**
 * Refuses a roster in which a member has a key that another identifier had before: signatures and
 * shares of the one would pass for the other's.
 */
export function checkKeysStay(before: readonly Roster[], next: Roster): void {
  const holders = new Map<string, Member>()
  for (const { members } of before) {
    for (const member of members) {
      for (const field of MEMBER_KEYS) holders.set(`${field} ${member[field].toString()}`, member)
    }
  }
  for (const member of next.members) {
    for (const field of MEMBER_KEYS) {
      const holder = holders.get(`${field} ${member[field].toString()}`)
      if (holder === undefined || holder.identifier === member.identifier) continue
      throw new LockKeeperError(
        "untrusted-roster",
        `"${member.name}" has a key that was "${holder.name}"'s in a roster before.`,
        {
          field: `members.${member.name}.${field}`,
          remedy:
            "Keep the server's identifier, or make it new keys with `lockkeeper server init`.",
        },
      )
    }
  }
}

/** Whether the thresholds that shares may have under the next roster are those that they may have now. */
export function continuesTransition(
  before: Pick<Roster, "minSigners" | "transition">,
  next: Pick<Roster, "minSigners" | "transition">,
): boolean {
  if (next.transition === null) return true
  const { minSignersBefore } = next.transition
  if (before.transition === null) return minSignersBefore === before.minSigners
  const isSame = minSignersBefore === before.transition.minSignersBefore
  return isSame && next.minSigners === before.minSigners
}

/**
 * Accepts the roster after `current`: the next rosterEpoch, naming `current`'s digest, signed by at
 * least `current.minSigners` of its members and by every new member.
 */
export function acceptNextRoster(current: Bytes, next: SignedRoster): Roster {
  const before = decodeRoster(current)
  const roster = openRoster(next)
  const fail = (field: string, message: string): never => {
    throw new LockKeeperError("untrusted-roster", message, {
      field,
      remedy: "Fetch the chain of rosters from the pinned one, in order.",
    })
  }
  if (roster.rosterEpoch !== before.rosterEpoch + 1) {
    fail(
      "rosterEpoch",
      `The roster is number ${roster.rosterEpoch}, not the next one after ${before.rosterEpoch}.`,
    )
  }
  if (!equalBytes(roster.previousDigest, rosterDigest(current))) {
    fail("previousDigest", "The roster does not follow the one that is trusted.")
  }
  const signers = signersAmong(next, before.members)
  if (signers.length < before.minSigners) {
    const missing = before.members.filter(({ identifier }) => !signers.includes(identifier))
    const names = missing.map(({ name }) => `"${name}"`).join(", ")
    fail(
      "signatures",
      `Too few members of the roster before have signed this one: ${signers.length} of the ` +
        `${before.minSigners} it takes; missing ${names}.`,
    )
  }
  if (!continuesTransition(before, roster)) {
    fail("transition.minSignersBefore", "The roster lets shares have a threshold that none have.")
  }
  checkKeysStay([before], roster)
  return roster
}

/** The member with that identifier. @throws LockKeeperError `not-found`. */
export function memberOf(roster: Roster, identifier: Identifier): Member {
  const member = roster.members.find((m) => m.identifier === identifier)
  if (member !== undefined) return member
  throw new LockKeeperError("not-found", `The roster has no server ${identifier}.`, {
    field: "server",
  })
}

/** Identity keys by identifier, as the protocols' verifiers take them. */
export function identityKeys(roster: Roster): ReadonlyMap<Identifier, Bytes> {
  return new Map(roster.members.map((m) => [m.identifier, m.identityKey]))
}
