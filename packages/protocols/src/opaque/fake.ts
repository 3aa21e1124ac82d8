/**
 * Accounts that do not exist. Every server derives the same dealing for an unknown name from one
 * roster-wide seed, so that neither one answer nor a comparison of several tells it from a real
 * account. The seed is known to each server: a corrupt one learns which names exist, as it would
 * from its own database.
 */
import {
  evaluatePolynomial,
  feldmanCommit,
  hkdfSha512Expand,
  type Identifier,
  ristretto255,
  type Scalar,
  Secret,
} from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  encode,
  fixedBytes,
  oneOf,
  struct,
  u32,
} from "@lockkeeper/encoding"
import type { RegistrationRecord } from "./envelope.ts"
import { HASH_LENGTH, MAC_LENGTH, NONCE_LENGTH } from "./labels.ts"

/** Roster-wide: all servers hold the same, or their answers for one unknown name disagree. */
export interface FakeSource {
  /** 32 uniform bytes. Changing it changes every fake account at once: a watcher sees that. */
  readonly seed: Secret
  /** The generation that this name's shares pretend to be of: it moves when real accounts' do. */
  readonly epoch: number
}

/** What a login is answered from, whether or not the account exists. */
export interface Holding {
  readonly share: Scalar
  readonly vector: readonly Bytes[]
  readonly record: RegistrationRecord
}

type Purpose = "constant" | "coefficient" | "masking-key" | "client-key" | "version"

interface Derivation {
  readonly purpose: Purpose
  readonly accountId: Bytes
  readonly epoch: number
  readonly index: number
}

const derivationCodec: Codec<Derivation> = struct<Derivation>({
  purpose: oneOf<Purpose>("constant", "coefficient", "masking-key", "client-key", "version"),
  accountId: fixedBytes(32),
  epoch: u32,
  index: u32,
})

function derive(
  source: Pick<FakeSource, "seed">,
  accountId: Bytes,
  purpose: Purpose,
  { epoch = 0, index = 0 }: { readonly epoch?: number; readonly index?: number } = {},
): Bytes {
  const info = encode(derivationCodec, { purpose, accountId, epoch, index })
  return hkdfSha512Expand(source.seed.expose(), info, HASH_LENGTH)
}

function deriveScalar(...input: Parameters<typeof derive>): Scalar {
  const wide = derive(...input)
  const scalar = ristretto255.scalarFromUniform(wide)
  wide.fill(0)
  return scalar
}

/**
 * The fake account of a name. Its OPRF key never changes; the other coefficients change with the
 * epoch, as a real account's do. The record is RFC 9807's fake record (Section 6.3.2.2): random
 * keys and a zero envelope, which the mask hides.
 */
export function fakeHolding(
  source: FakeSource,
  accountId: Bytes,
  minSigners: number,
  identifier: Identifier,
): Holding {
  const { epoch } = source
  const coefficients = [deriveScalar(source, accountId, "constant")]
  for (let index = 1; index < minSigners; index++) {
    coefficients.push(deriveScalar(source, accountId, "coefficient", { epoch, index }))
  }
  const share = evaluatePolynomial(ristretto255, coefficients, identifier)
  const vector = feldmanCommit(ristretto255, coefficients)
  for (const coefficient of coefficients) coefficient.fill(0)
  const clientKey = deriveScalar(source, accountId, "client-key")
  const record: RegistrationRecord = {
    clientPublicKey: ristretto255.multiplyBase(clientKey),
    maskingKey: new Secret(derive(source, accountId, "masking-key")),
    envelope: { nonce: new Uint8Array(NONCE_LENGTH), authTag: new Uint8Array(MAC_LENGTH) },
  }
  clientKey.fill(0)
  return { share, vector, record }
}

/** The version an account that does not exist pretends to have. */
export const FAKE_VERSION = 1

/**
 * opaqueVersion as strangers see it: moved by an amount that only servers know, below 2^31, so that
 * it grows with the version but does not tell an account with changed passwords from no account.
 */
export function shownVersion(
  source: Pick<FakeSource, "seed">,
  accountId: Bytes,
  opaqueVersion: number,
): number {
  const bytes = derive(source, accountId, "version")
  const offset = new DataView(bytes.buffer).getUint32(0) >>> 1
  return offset + opaqueVersion
}
