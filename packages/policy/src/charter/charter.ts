import { hashValue } from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  encode,
  fixedBytes,
  list,
  mapped,
  oneOf,
  struct,
  text,
  toHex,
} from "@lockkeeper/encoding"
import { BOUNDS } from "../bounds.ts"
import { type PolicyDocument, policyDocumentCodec } from "../document/document.ts"

/** What the account's owner is called in its directory and in its policy. */
export const OWNER = "owner"

/** Who somebody is to the account. Auditors look and decide nothing. */
export const PERSON_KINDS = ["owner", "approver", "auditor"] as const
export type PersonKind = (typeof PERSON_KINDS)[number]

export interface Person {
  readonly id: string
  readonly kind: PersonKind
  /** Of the policy's. */
  readonly roles: readonly string[]
  /** Ed25519 public keys that sign in the person's name. */
  readonly credentials: readonly Bytes[]
}

/** For which the addresses of Bitcoin are written; a PSBT does not say. */
const NETWORKS = ["mainnet", "testnet", "regtest"] as const

/**
 * Who is who in an account, and who may use its keys for what. One document, so that whatever is approved
 * under it is approved under all of it: with a person removed it is another one. Its version is the policy's.
 */
export interface Charter {
  readonly policy: PolicyDocument
  readonly people: readonly Person[]
  /** Keys that may sign messages and digests which say nothing to a server. */
  readonly rawKeys: readonly Bytes[]
  readonly bitcoinNetwork: (typeof NETWORKS)[number]
}

/** A list in strictly ascending order of its keys: nothing is there twice. */
function ascending<T>(item: Codec<T>, max: number, key: (value: T) => string) {
  const isAscending = (values: readonly T[]) =>
    values.every((value, i) => i === 0 || key(values[i - 1] as T) < key(value))
  return mapped(
    list(item, max),
    (values: readonly T[]) => {
      if (!isAscending(values)) throw new RangeError("not ascending")
      return values
    },
    (values, fail) => (isAscending(values) ? values : fail("not ascending")),
  )
}

/** What a person is called: visible ASCII without spaces, so that no two look alike. */
const PERSON_ID = /^[!-~]{1,64}$/

const personId: Codec<string> = mapped(
  text(64),
  (id: string) => {
    if (!PERSON_ID.test(id)) throw new RangeError("not a person's id")
    return id
  },
  (id, fail) => (PERSON_ID.test(id) ? id : fail("not a person's id")),
)

const person = struct<Person>({
  id: personId,
  kind: oneOf(...PERSON_KINDS),
  roles: ascending(text(BOUNDS.nameCharacters), BOUNDS.principalRoles, (role) => role),
  credentials: ascending(fixedBytes(32), BOUNDS.credentials, toHex),
})

export const charterCodec: Codec<Charter> = struct<Charter>({
  policy: policyDocumentCodec,
  people: ascending(person, BOUNDS.people, ({ id }) => id),
  rawKeys: ascending(fixedBytes(32), BOUNDS.rawKeys, toHex),
  bitcoinNetwork: oneOf(...NETWORKS),
})

/** Names a charter in account rows, approvals and logs: 32 bytes. */
export function charterDigest(charter: Charter): Bytes {
  return hashValue("charter", bytes(BOUNDS.charterBytes), encode(charterCodec, charter))
}

/** What does not fit in a charter: the path of the field, and why. */
export interface CharterProblem {
  readonly field: string
  readonly problem: string
}

/** The first thing that makes no sense across the charter's fields, or null. */
export function charterProblem({ policy, people }: Charter): CharterProblem | null {
  const ids = new Set(people.map(({ id }) => id))
  const seen = new Set<string>()
  for (const [index, { id, kind, roles, credentials }] of people.entries()) {
    const field = `people.${index}`
    if ((id === OWNER) !== (kind === "owner")) {
      return { field: `${field}.kind`, problem: `only "${OWNER}" is of the kind "owner"` }
    }
    const role = roles.find((one) => !policy.roles.includes(one))
    if (role !== undefined) {
      return { field: `${field}.roles`, problem: "a role that the policy does not have" }
    }
    for (const credential of credentials) {
      const key = toHex(credential)
      if (seen.has(key)) return { field: `${field}.credentials`, problem: "another person's key" }
      seen.add(key)
    }
  }
  for (const { name, members, veto } of policy.quorums) {
    const named = [...members.map(({ who }) => who), ...veto]
    const stranger = named.find((who) => who.kind === "person" && !ids.has(who.person))
    if (stranger !== undefined) {
      return { field: `policy.quorums.${name}`, problem: "a person who is not in the directory" }
    }
  }
  return null
}
