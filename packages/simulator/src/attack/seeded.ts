import {
  type Identifier,
  Secret,
  type SigningKey,
  sha512,
  signingKeyFromSeed,
} from "@lockkeeper/crypto"
import { type Bytes, concat, utf8 } from "@lockkeeper/encoding"

/** Bytes that depend on a name alone: a case is the same whichever others run before it. */
export function seeded(name: string, length = 32): Bytes {
  const blocks: Bytes[] = []
  for (let made = 0; made < length; made += 64) {
    blocks.push(sha512(utf8(`lockkeeper/attack/${name}/${made}`)))
  }
  return concat(...blocks).slice(0, length)
}

const identities = new Map<Identifier, SigningKey>()

/** The identity key of a participant; the attacked and the attackers have theirs from here. */
export function identityOf(identifier: Identifier): SigningKey {
  const known = identities.get(identifier)
  if (known) return known
  const key = signingKeyFromSeed(new Secret(seeded(`identity/${identifier}`)))
  identities.set(identifier, key)
  return key
}

export function rosterOf(identifiers: readonly Identifier[]): Map<Identifier, Bytes> {
  return new Map(identifiers.map((i) => [i, identityOf(i).publicKey]))
}
