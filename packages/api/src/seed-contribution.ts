import {
  hpkeOpen,
  hpkeSeal,
  type Identifier,
  identifierCodec,
  type Secret,
  type SigningKey,
  verifySignature,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  bytes,
  type Codec,
  constant,
  encode,
  equalBytes,
  fixedBytes,
  list,
  struct,
  utf8,
} from "@lockkeeper/encoding"
import { LockKeeperError } from "./errors.ts"
import { MAX_MEMBERS, type Member, type Roster } from "./roster.ts"

/** 32 bytes from one server to one member of a roster: a part of its seed, or the seed before. */
export interface SeedContribution {
  readonly from: Identifier
  readonly to: Identifier
  /** Hash of what is sealed, 32 bytes: the same towards every member. */
  readonly commitment: Bytes
  readonly encapsulated: Bytes
  readonly sealed: Bytes
  readonly signature: Bytes
}

export const seedContribution: Codec<SeedContribution> = struct<SeedContribution>({
  from: identifierCodec,
  to: identifierCodec,
  commitment: fixedBytes(32),
  encapsulated: fixedBytes(1120),
  sealed: fixedBytes(48),
  signature: fixedBytes(64),
})

export const seedContributions: Codec<readonly SeedContribution[]> = list(
  seedContribution,
  MAX_MEMBERS * MAX_MEMBERS,
)

interface Place {
  readonly roster: Bytes
  readonly from: Identifier
  readonly to: Identifier
}

type Signed = Pick<SeedContribution, "commitment" | "encapsulated" | "sealed">

const signatureInput = struct<Signed & { readonly place: Bytes }>({
  place: bytes(128),
  commitment: fixedBytes(32),
  encapsulated: fixedBytes(1120),
  sealed: fixedBytes(48),
})

/** What contributions are for: nothing made for one purpose or roster passes for another's. */
export class SeedCeremony {
  /** Whose members receive. */
  readonly roster: Roster
  readonly digest: Bytes
  readonly #place: Codec<Place & { readonly label: null }>
  readonly #commit: (from: Identifier, value: Bytes) => Bytes

  /** @param commit - to a value of 32 uniform bytes, which the commitment hides. */
  constructor(
    roster: Roster,
    digest: Bytes,
    label: string,
    commit: (from: Identifier, value: Bytes) => Bytes,
  ) {
    this.roster = roster
    this.digest = digest
    this.#commit = commit
    this.#place = struct<Place & { readonly label: null }>({
      label: constant(utf8(label)),
      roster: fixedBytes(32),
      from: identifierCodec,
      to: identifierCodec,
    })
  }

  #info(from: Identifier, to: Identifier): Bytes {
    return encode(this.#place, { label: null, roster: this.digest, from, to })
  }

  /** @param randomness - 64 fresh bytes for each member, in the roster's order. */
  seal(
    from: Identifier,
    value: Secret,
    identity: SigningKey,
    randomness: Bytes,
  ): SeedContribution[] {
    const commitment = this.#commit(from, value.expose())
    return this.roster.members.map(({ identifier: to, channelKey }, i) => {
      const place = this.#info(from, to)
      const { encapsulated, ciphertext: sealed } = hpkeSeal(
        channelKey,
        place,
        new Uint8Array(0),
        value.expose(),
        randomness.slice(i * 64, i * 64 + 64),
      )
      const signed = encode(signatureInput, { place, commitment, encapsulated, sealed })
      return { from, to, commitment, encapsulated, sealed, signature: identity.sign(signed) }
    })
  }

  /**
   * What one server dealt to `self`, with what it committed to towards every member; or what is wrong
   * with it, in words. The contributions to others cannot be opened, but show that all are of one value.
   */
  open(
    { identifier: from, identityKey }: Pick<Member, "identifier" | "identityKey">,
    self: Identifier,
    channelSecret: Secret,
    contributions: readonly SeedContribution[],
  ): { readonly value: Bytes; readonly commitment: Bytes } | string {
    const dealt = contributions.filter((one) => one.from === from)
    const mine = dealt.find(({ to }) => to === self)
    const { members } = this.roster
    const everyMember = members.every((m) => dealt.some(({ to }) => to === m.identifier))
    if (mine === undefined || !everyMember) return "is missing"
    for (const { to, commitment, encapsulated, sealed, signature } of dealt) {
      const place = this.#info(from, to)
      const signed = encode(signatureInput, { place, commitment, encapsulated, sealed })
      if (!verifySignature(identityKey, signed, signature)) return "is not signed by it"
      if (!equalBytes(commitment, mine.commitment)) return "differs from member to member"
    }
    const { commitment, encapsulated, sealed } = mine
    const place = this.#info(from, self)
    const value = hpkeOpen(channelSecret, encapsulated, place, new Uint8Array(0), sealed)
    if (value === null) return "does not open"
    if (equalBytes(this.#commit(from, value), commitment)) return { value, commitment }
    value.fill(0)
    return "is not what it committed to"
  }
}

export function badContribution(from: Identifier, name: string, why: string): LockKeeperError {
  return new LockKeeperError("untrusted-roster", `The seed of "${name}" ${why}.`, {
    field: `seed.${from}`,
    remedy: "Run `lockkeeper roster sign` at that server again and join the results.",
  })
}
