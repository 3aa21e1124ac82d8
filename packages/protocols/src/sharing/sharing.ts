import {
  type Element,
  type Group,
  type GroupName,
  groupByName,
  hashValue,
  type Identifier,
  identifierCodec,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  DecodeError,
  fixedBytes,
  numberMap,
  oneOf,
  struct,
  u16,
  u32,
} from "@lockkeeper/encoding"
import { LIMITS } from "../messages/limits.ts"

/** The groups that shares are of. Append only: the position is what travels. */
export const GROUP_NAMES = ["edwards25519", "ristretto255", "secp256k1"] as const
export const groupNameCodec: Codec<GroupName> = oneOf(...GROUP_NAMES)

/**
 * The public side of one t-of-n sharing, whatever it is a sharing of: a key, an account's OPRF key.
 * Elements are raw bytes here, validated by whoever computes with them: in a batch of hundreds most
 * are only compared, and what t dealers vouch for needs no second check of each curve point.
 */
export interface Sharing {
  /** 32 bytes: the key id, or the account id. */
  readonly id: Bytes
  /** 32 bytes: digest of everything else that the sharing stands for and that must not change. */
  readonly context: Bytes
  readonly group: GroupName
  /** Generation of the shares. */
  readonly keyEpoch: number
  /** The roster whose members hold it. */
  readonly rosterEpoch: number
  readonly minSigners: number
  /** The image of the shared secret; a refresh or reshare never changes it. */
  readonly verifyingKey: Bytes
  readonly verifyingShares: ReadonlyMap<Identifier, Bytes>
}

/** What places a generation of shares among the others of one key. */
export type Generation = Pick<Sharing, "rosterEpoch" | "keyEpoch">

/**
 * Below zero where `a` is the earlier one. Rosters come first: fewer than t liars can bring a number into
 * force once more under a later roster, whose quorum nobody else is in, and that one counts.
 */
export function compareGenerations(a: Generation, b: Generation): number {
  return a.rosterEpoch - b.rosterEpoch || a.keyEpoch - b.keyEpoch
}

const fieldsOf = new Map<GroupName, Codec<Omit<Sharing, "group">>>()

function fieldsFor(group: GroupName): Codec<Omit<Sharing, "group">> {
  const known = fieldsOf.get(group)
  if (known) return known
  const element = fixedBytes(groupByName(group).elementLength)
  const codec = struct<Omit<Sharing, "group">>({
    id: fixedBytes(32),
    context: fixedBytes(32),
    keyEpoch: u32,
    rosterEpoch: u32,
    minSigners: u16,
    verifyingKey: element,
    verifyingShares: numberMap(identifierCodec, element, LIMITS.participants),
  })
  fieldsOf.set(group, codec)
  return codec
}

export const sharingCodec: Codec<Sharing> = {
  write(writer, value) {
    groupNameCodec.write(writer, value.group)
    fieldsFor(value.group).write(writer, value)
  },
  read(reader) {
    const group = groupNameCodec.read(reader)
    return { group, ...fieldsFor(group).read(reader) }
  },
}

/** 32 bytes that stand for a sharing. */
export function sharingDigest(sharing: Sharing): Bytes {
  return hashValue("sharing/1/sharing", sharingCodec, sharing)
}

/** Raw bytes as an element, or null when they are none. */
export function elementOrNull(group: Group, raw: Bytes): Element | null {
  try {
    return group.decodeElement(raw)
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error
    return null
  }
}
