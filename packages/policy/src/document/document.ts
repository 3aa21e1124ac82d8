import { hashValue } from "@lockkeeper/crypto"
import {
  type Bytes,
  bool,
  type Codec,
  constant,
  fixedBytes,
  fromHex,
  list,
  mapped,
  oneOf,
  safeInteger,
  struct,
  text,
  toHex,
  u16,
  u32,
  union,
} from "@lockkeeper/encoding"
import { BOUNDS, LARGEST_AMOUNT } from "../bounds.ts"

/** One version of a policy, as it is stored, approved and hashed. */
export interface PolicyDocument {
  readonly name: string
  /** From 1, one more with each change. */
  readonly version: number
  /** The roles that rules and quorums may speak of. */
  readonly roles: readonly string[]
  readonly limits: readonly Limit[]
  readonly quorums: readonly Quorum[]
  /** Cedar policies, each with an `@id`. */
  readonly rules: string
}

/** Whose requests a window or a velocity counts together. */
export type Per = "key" | "principal" | "policy"

/** What Cedar cannot count. Amounts are in the asset's smallest unit. */
export type Limit =
  | {
      readonly kind: "transaction"
      readonly name: string
      readonly asset: string
      readonly most: bigint
    }
  | { readonly kind: "fee"; readonly name: string; readonly asset: string; readonly most: bigint }
  | {
      readonly kind: "window"
      readonly name: string
      readonly asset: string
      readonly most: bigint
      readonly overMs: number
      readonly per: Per
    }
  | {
      readonly kind: "velocity"
      readonly name: string
      readonly requests: number
      readonly overMs: number
      readonly per: Per
    }

/** Everybody of a role, or one person. */
export type Who =
  | { readonly kind: "role"; readonly role: string }
  | { readonly kind: "person"; readonly person: string }

export interface Member {
  readonly who: Who
  readonly weight: number
}

/** Whose approvals are needed: weights of at least `need`, and no veto. */
export interface Quorum {
  readonly name: string
  readonly need: number
  readonly members: readonly Member[]
  readonly veto: readonly Who[]
  /** False for a separation of duties: the one who asks does not count. */
  readonly requesterMayApprove: boolean
}

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/

/** Lower-case letters, digits and hyphens within: what rules, limits, quorums and roles are called. */
export const isName = (name: string): boolean => NAME.test(name)

/** Of people and assets: any visible text of up to 256 characters. */
export const isShortText = (value: string): boolean =>
  value.length > 0 && value.length <= BOUNDS.textCharacters && value.isWellFormed()

/** Text that `holds`; anything else is outside the codec. */
function textThat(holds: (value: string) => boolean, what: string): Codec<string> {
  return checked(text(4 * BOUNDS.textCharacters), holds, what)
}

function checked<T>(base: Codec<T>, holds: (value: T) => boolean, what: string): Codec<T> {
  return mapped(
    base,
    (value) => {
      if (!holds(value)) throw new RangeError(what)
      return value
    },
    (value, fail) => (holds(value) ? value : fail(what)),
  )
}

/** A set as a list: ascending by `key`, nothing twice. */
function ascending<T>(item: Codec<T>, max: number, key: (value: T) => string) {
  const sorted = (values: readonly T[]) =>
    values.every((value, i) => i === 0 || key(values[i - 1] as T) < key(value))
  return checked(list(item, max), sorted, "not ascending")
}

const within = (base: Codec<number>, least: number, most: number) =>
  checked(base, (value) => value >= least && value <= most, `outside ${least} to ${most}`)

const nameCodec = textThat(isName, "not a name")
const shortTextCodec = textThat(isShortText, "not a short text")

/** A uint256 in 32 bytes. */
export const amountCodec: Codec<bigint> = mapped(
  fixedBytes(32),
  (value: bigint) => {
    if (value < 0n || value > LARGEST_AMOUNT) throw new RangeError("amount outside 256 bits")
    return fromHex(value.toString(16).padStart(64, "0"))
  },
  (raw) => BigInt(`0x${toHex(raw)}`),
)

const amountOfAsset = { name: nameCodec, asset: shortTextCodec, most: amountCodec }
const MINUTE = 60_000

/** Whole minutes, in memory as milliseconds. */
const durationCodec: Codec<number> = mapped(
  within(u32, BOUNDS.shortestMs / MINUTE, BOUNDS.longestMs / MINUTE),
  (milliseconds: number) => milliseconds / MINUTE,
  (minutes) => minutes * MINUTE,
)

const counted = {
  overMs: durationCodec,
  per: oneOf("key", "principal", "policy"),
}

const limitCodec: Codec<Limit> = union<Limit>({
  transaction: struct(amountOfAsset),
  fee: struct(amountOfAsset),
  window: struct({ ...amountOfAsset, ...counted }),
  velocity: struct({
    name: nameCodec,
    requests: within(safeInteger, 1, BOUNDS.requests),
    ...counted,
  }),
})

const whoCodec: Codec<Who> = union<Who>({
  role: struct({ role: nameCodec }),
  person: struct({ person: shortTextCodec }),
})

/** One text for each: what lists of them are sorted by. */
export const whoKey = (who: Who): string =>
  who.kind === "role" ? `role ${who.role}` : `person ${who.person}`

const weightCodec = within(u16, 1, BOUNDS.weight)

const quorumCodec: Codec<Quorum> = struct<Quorum>({
  name: nameCodec,
  need: within(u16, 1, BOUNDS.weight),
  members: ascending(
    struct<Member>({ who: whoCodec, weight: weightCodec }),
    BOUNDS.members,
    (member) => whoKey(member.who),
  ),
  veto: ascending(whoCodec, BOUNDS.members, whoKey),
  requesterMayApprove: bool,
})

const nameOf = (named: { readonly name: string }) => named.name

/** One encoding for each document, with the version of this format in front. */
export const policyDocumentCodec: Codec<PolicyDocument> = mapped(
  struct<{ format: null; document: PolicyDocument }>({
    format: constant(Uint8Array.of(1)),
    document: struct<PolicyDocument>({
      name: nameCodec,
      version: within(safeInteger, 1, Number.MAX_SAFE_INTEGER),
      roles: ascending(nameCodec, BOUNDS.roles, (role) => role),
      limits: ascending(limitCodec, BOUNDS.limits, nameOf),
      quorums: ascending(quorumCodec, BOUNDS.quorums, nameOf),
      rules: text(BOUNDS.rulesBytes),
    }),
  }),
  (document: PolicyDocument) => ({ format: null, document }),
  ({ document }) => document,
)

/** SHA-256, 32 bytes: what approvals of a policy are over, and what the log names it by. */
export const policyDigest = (document: PolicyDocument): Bytes =>
  hashValue("policy", policyDocumentCodec, document)
