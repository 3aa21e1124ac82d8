import { sha256 } from "@lockkeeper/crypto"
import { type Bytes, encode, fixedBytes, struct, u8, u32 } from "@lockkeeper/encoding"
import { fingerprintOf } from "@lockkeeper/transactions"
import { createBase58check } from "@scure/base"

/** A key from which a wallet derives all further children by itself, without any secret. */
export interface ExtendedKey {
  /** 33 bytes. */
  readonly publicKey: Uint8Array
  /** 32 bytes. */
  readonly chainCode: Uint8Array
  /** How many steps from the master key; 0 for the master key itself. */
  readonly depth: number
  /** The last of those steps; 0 for the master key itself. */
  readonly childNumber: number
  /** 33 bytes, or null for the master key itself. */
  readonly parentKey: Uint8Array | null
}

/** BIP32's version bytes: the texts begin with xpub and tpub. */
const VERSIONS = { mainnet: 0x0488_b21e, testnet: 0x0435_87cf } as const

interface Serialised {
  readonly version: number
  readonly depth: number
  readonly fingerprint: Bytes
  readonly childNumber: number
  readonly chainCode: Bytes
  readonly publicKey: Bytes
}

const serialised = struct<Serialised>({
  version: u32,
  depth: u8,
  fingerprint: fixedBytes(4),
  childNumber: u32,
  chainCode: fixedBytes(32),
  publicKey: fixedBytes(33),
})

const base58check = createBase58check((bytes: Uint8Array) => sha256(bytes))

/**
 * BIP32's text of an extended public key.
 *
 * It links all addresses under it, and with one child's secret key it gives away the parent's: show
 * it to those only who may see every address.
 */
export function extendedPublicKey(
  key: ExtendedKey,
  network: keyof typeof VERSIONS = "mainnet",
): string {
  const { depth, childNumber, parentKey } = key
  if ((depth === 0) !== (parentKey === null) || (depth === 0 && childNumber !== 0)) {
    throw new RangeError("only a master key has no parent, and it has the number 0")
  }
  const fingerprint = parentKey === null ? new Uint8Array(4) : fingerprintOf(parentKey)
  const bytes = encode(serialised, {
    ...{ version: VERSIONS[network], depth, fingerprint, childNumber },
    chainCode: new Uint8Array(key.chainCode),
    publicKey: new Uint8Array(key.publicKey),
  })
  return base58check.encode(bytes)
}
