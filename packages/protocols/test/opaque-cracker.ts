import {
  evaluatePolynomial,
  type Identifier,
  interpolate,
  ristretto255,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import { type Bytes, equalBytes, utf8 } from "@lockkeeper/encoding"
import { deriveCredentials, envelopeFits, randomizePassword } from "../src/opaque/envelope.ts"
import { fakeHolding } from "../src/opaque/fake.ts"
import { type AccountRecord, openAccountKeys } from "../src/opaque/index.ts"
import { evaluateUnblinded, type KeyPair, scalarOf } from "../src/opaque/oprf.ts"

/** What one server stores of an account, and its keys, as its disk has them once unsealed. */
export interface Database {
  readonly identifier: Identifier
  readonly record: AccountRecord
  readonly accountId: Bytes
  readonly ake: KeyPair
  readonly fakeSeed: Secret
}

/** Argon2id, or what a test has in its place. */
export type Stretch = (input: Secret) => Secret

export function subsets<T>(items: readonly T[]): T[][] {
  const [first, ...others] = items
  if (first === undefined) return [[]]
  const rest = subsets(others)
  return [...rest, ...rest.map((set) => [first, ...set])]
}

/** Scalars that might be the OPRF key: everything that can be put together from what was stolen. */
function candidateKeys(databases: readonly Database[]): Scalar[] {
  const scalars = databases.flatMap(({ record, ake, identifier, fakeSeed, accountId }) => {
    const { minSigners } = record.registration
    const fakes = { seed: fakeSeed, epoch: 1 }
    return [
      scalarOf(record.share),
      scalarOf(ake.privateKey),
      fakeHolding(fakes, accountId, minSigners, identifier).share,
      evaluatePolynomial(ristretto255, [scalarOf(record.share)], identifier),
    ]
  })
  const keys = [ristretto255.one, ...scalars]
  for (const set of subsets(databases)) {
    const shares = new Map(
      set.map(({ identifier, record }) => [identifier, scalarOf(record.share)]),
    )
    if (shares.size > 0) keys.push(interpolate(ristretto255, shares))
    // With every guess at one missing share: zero, one, or any scalar that was found.
    for (const missing of [1, 2, 3, 4].filter((i) => !shares.has(i))) {
      for (const value of [ristretto255.zero, ristretto255.one, ...scalars]) {
        keys.push(interpolate(ristretto255, new Map(shares).set(missing, value)))
      }
    }
  }
  return keys.filter((key) => !ristretto255.isZeroScalar(key))
}

/** Every check that stored state allows of one candidate password under one candidate key. */
function confirmations(
  databases: readonly Database[],
  key: Scalar,
  password: string,
  stretch: Stretch,
): string[] {
  const output = evaluateUnblinded(key, utf8(password))
  const stretched = stretch(Secret.copyOf(output.expose()))
  const randomized = randomizePassword(output, stretched)
  const found: string[] = []
  for (const { record, ake, accountId } of databases) {
    const { registration } = record
    const { envelope } = record.record
    const credentials = deriveCredentials(randomized, envelope.nonce)
    const check = (name: string, holds: boolean) => {
      if (holds) found.push(name)
    }
    check(
      "masking key",
      equalBytes(credentials.maskingKey.expose(), record.record.maskingKey.expose()),
    )
    check("client key", equalBytes(credentials.client.publicKey, record.record.clientPublicKey))
    const identities = { client: accountId, server: null }
    check("envelope", envelopeFits(credentials, envelope, ake.publicKey, identities))
    const { exportKey } = credentials
    check("wraps", openAccountKeys(exportKey, accountId, registration.keys).ok)
  }
  return found
}

/** The passwords of the dictionary that anything confirms, and whether the key was found. */
export function crack(
  databases: readonly Database[],
  dictionary: readonly string[],
  stretch: Stretch,
) {
  const confirmed = new Map<string, Set<string>>()
  const keys = candidateKeys(databases)
  let keyFound = false
  for (const key of keys) {
    keyFound ||= databases.some(({ record }) =>
      equalBytes(ristretto255.multiplyBase(key), record.registration.vector[0] ?? new Uint8Array()),
    )
  }
  for (const password of dictionary) {
    for (const key of keys) {
      for (const name of confirmations(databases, key, password, stretch)) {
        confirmed.set(password, (confirmed.get(password) ?? new Set()).add(name))
      }
    }
  }
  return { confirmed, keyFound, tried: keys.length * dictionary.length }
}
