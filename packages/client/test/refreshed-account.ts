import {
  type Element,
  evaluatePolynomial,
  feldmanCommit,
  feldmanPublicShare,
  type Identifier,
  interpolate,
  ristretto255,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import { type Bytes, decode, encode, toHex } from "@lockkeeper/encoding"
import { opaque, sharing } from "@lockkeeper/protocols"
import { type AccountRow, accountRow } from "@lockkeeper/server/rows"
import { accountOf } from "./cheats.ts"
import { seededRandomness, type TestCluster, type TestServer } from "./cluster.ts"

/**
 * The next generation of an account's shares, put in force at one server after the other. A run of the
 * protocol leaves the same rows, but for the confirmations, which no login looks at; here it is dealt by
 * somebody who knows the key.
 */
export async function nextGenerationOf(
  { servers, roster }: TestCluster,
  name: string,
): Promise<(...at: readonly Identifier[]) => Promise<void>> {
  const { minSigners } = roster
  const rows = new Map<Identifier, AccountRow>()
  for (const [i, server] of servers) rows.set(i, await accountOf(server, name))
  const shares = [...rows].map(([i, row]) => [i, row.active!.share.expose() as Scalar] as const)
  const key = interpolate(ristretto255, new Map(shares.slice(0, minSigners)))
  const randomness = seededRandomness(`next generation of ${name}`)
  const others = Array.from({ length: minSigners - 1 }, () =>
    ristretto255.scalarFromUniform(randomness.bytes(64)),
  )
  const coefficients = [key, ...others]
  const vector = feldmanCommit(ristretto255, coefficients)
  const before = sharing.sharingOfHeldAccount(rows.get(1)!.active!)
  const verifyingShares = new Map([...servers.keys()].map((i) => [i, imageAt(vector, i)]))
  const later = { ...before, keyEpoch: before.keyEpoch + 1, verifyingShares }
  const certificate = { sharing: later, index: 0, size: 1, path: [], confirmations: new Map() }
  return async (...at) => {
    for (const one of at) {
      const share = new Secret(evaluatePolynomial(ristretto255, coefficients, one))
      const oprf = { sharing: later, vector, certificate }
      await replace(servers.get(one)!, name, ({ active, ...row }) => {
        const fits = sharing.accountWithSharing(active!, share, oprf)
        return fits.ok ? { ...row, active: { ...fits.value, oprf } } : { ...row, active }
      })
    }
  }
}

function imageAt(vector: readonly Element[], identifier: Identifier): Bytes {
  return feldmanPublicShare(ristretto255, vector, identifier)
}

async function replace(
  { store }: TestServer,
  name: string,
  change: (row: AccountRow) => AccountRow,
): Promise<void> {
  const id = toHex(opaque.accountIdOf(name))
  const { value: encoded, version } = (await store.read("accounts", id))!
  const value = encode(accountRow, change(decode(accountRow, encoded)))
  await store.commit([{ kind: "put", table: "accounts", id, ifVersion: version, value }])
}
