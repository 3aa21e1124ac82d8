import { type Argon2Parameters, argon2 } from "node:crypto"
import { aes256Gcm, Secret } from "@lockkeeper/crypto"
import {
  type Bytes,
  type Codec,
  constant,
  decode,
  encode,
  fixedBytes,
  struct,
  u8,
  u32,
  utf8,
} from "@lockkeeper/encoding"
import type { Randomness } from "../ports/dependencies.ts"
import { type SealProvider, SealRecordDamaged } from "../ports/seal-provider.ts"

/** Cost of one guess at the passphrase. */
export interface Argon2Cost {
  readonly memoryKiB: number
  readonly passes: number
  readonly lanes: number
}

/** RFC 9106 Section 4, second recommended option: about half a second on a small server. */
export const DEFAULT_COST: Argon2Cost = { memoryKiB: 65_536, passes: 3, lanes: 4 }

/** OWASP's minimum. A record asking for less, or for so much that opening it would be an attack, is refused. */
const MIN_MEMORY_KIB = 19_456
const MAX_MEMORY_KIB = 2_097_152
const MAX_PASSES = 64
const MAX_LANES = 64

interface SealParameters extends Argon2Cost {
  readonly salt: Bytes
}

const parametersCodec: Codec<SealParameters & { readonly label: null }> = struct<
  SealParameters & { readonly label: null }
>({
  label: constant(utf8("lockkeeper/seal/passphrase/v1")),
  memoryKiB: u32,
  passes: u32,
  lanes: u8,
  salt: fixedBytes(16),
})

interface SealRecord {
  readonly parameters: SealParameters & { readonly label: null }
  /** The 32-byte key-encryption key and its tag. */
  readonly wrapped: Bytes
}

const recordCodec: Codec<SealRecord> = struct<SealRecord>({
  parameters: parametersCodec,
  wrapped: fixedBytes(48),
})

// The wrapping key comes from a fresh salt and is used once.
const NONCE = new Uint8Array(aes256Gcm.nonceLength)

function stretch(passphrase: Secret, parameters: SealParameters): Promise<Secret> {
  const options: Argon2Parameters = {
    message: passphrase.expose(),
    nonce: parameters.salt,
    parallelism: parameters.lanes,
    tagLength: 32,
    memory: parameters.memoryKiB,
    passes: parameters.passes,
  }
  return new Promise((resolve, reject) => {
    argon2("argon2id", options, (error, key) => {
      if (error !== null) return reject(error)
      resolve(Secret.copyOf(key))
      key.fill(0)
    })
  })
}

function checkCost({ memoryKiB, passes, lanes }: Argon2Cost): void {
  const holds =
    memoryKiB >= MIN_MEMORY_KIB &&
    memoryKiB <= MAX_MEMORY_KIB &&
    passes >= 2 &&
    passes <= MAX_PASSES &&
    lanes >= 1 &&
    lanes <= MAX_LANES
  if (!holds) throw new SealRecordDamaged("the seal record's Argon2id cost is out of range")
}

/**
 * The key-encryption key wrapped under Argon2id (RFC 9106) of a passphrase. Changing the passphrase
 * rewrites the record and no row. Whoever has the record can guess offline: the passphrase has to
 * be strong.
 */
export class PassphraseSeal implements SealProvider {
  readonly kind = "passphrase"
  readonly #passphrase: Secret
  readonly #randomness: Randomness
  readonly #cost: Argon2Cost

  /** Takes ownership of `passphrase`: `close` wipes it. */
  constructor(passphrase: Secret, randomness: Randomness, cost: Argon2Cost = DEFAULT_COST) {
    checkCost(cost)
    this.#passphrase = passphrase
    this.#randomness = randomness
    this.#cost = cost
  }

  async protect(keyEncryptionKey: Secret): Promise<Bytes> {
    const salt = this.#randomness.bytes(16)
    const parameters = { label: null, ...this.#cost, salt }
    using wrapping = await stretch(this.#passphrase, parameters)
    const place = encode(parametersCodec, parameters)
    const wrapped = aes256Gcm.seal(wrapping.expose(), NONCE, place, keyEncryptionKey.expose())
    return encode(recordCodec, { parameters, wrapped })
  }

  async recover(record: Bytes): Promise<Secret | null> {
    let decoded: SealRecord
    try {
      decoded = decode(recordCodec, record)
    } catch (cause) {
      throw new SealRecordDamaged("the seal record is damaged", { cause })
    }
    const { parameters, wrapped } = decoded
    checkCost(parameters)
    using wrapping = await stretch(this.#passphrase, parameters)
    const place = encode(parametersCodec, parameters)
    const key = aes256Gcm.open(wrapping.expose(), NONCE, place, wrapped)
    return key === null ? null : new Secret(key)
  }

  async close(): Promise<void> {
    this.#passphrase.wipe()
  }
}
