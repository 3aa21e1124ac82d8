import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import {
  Address,
  NETWORK,
  OutScript,
  p2pkh,
  p2sh,
  p2tr,
  p2wpkh,
  TEST_NETWORK,
} from "@scure/btc-signer"
import { hash160 } from "@scure/btc-signer/utils.js"

export const BITCOIN_NETWORKS = ["mainnet", "testnet", "regtest"] as const
export type BitcoinNetwork = (typeof BITCOIN_NETWORKS)[number]

export const BITCOIN_SCRIPTS = ["p2wpkh", "p2sh-p2wpkh", "p2pkh", "p2tr"] as const
export type BitcoinScript = (typeof BITCOIN_SCRIPTS)[number]

/** Where a key is paid. */
export interface BitcoinOutput {
  readonly address: string
  /** The script of the output. */
  readonly script: Bytes
}

const NETWORKS = {
  mainnet: NETWORK,
  testnet: TEST_NETWORK,
  regtest: { ...TEST_NETWORK, bech32: "bcrt" },
} as const

/**
 * The output that pays a key, and its address.
 *
 * @param publicKey - 33 bytes, compressed; for `p2tr` also the 32 bytes of an x-only key, which is
 *   then the internal key of an output without scripts, as BIP86 has it.
 * @throws DecodeError when the bytes are no such key.
 */
export function bitcoinOutput(
  publicKey: Uint8Array,
  script: BitcoinScript,
  network: BitcoinNetwork = "mainnet",
): BitcoinOutput {
  const net = NETWORKS[network]
  let payment: { readonly address?: string; readonly script: Uint8Array }
  try {
    payment = {
      p2wpkh: () => p2wpkh(publicKey, net),
      "p2sh-p2wpkh": () => p2sh(p2wpkh(publicKey, net), net),
      p2pkh: () => p2pkh(publicKey, net),
      p2tr: () => p2tr(publicKey.length === 33 ? publicKey.subarray(1) : publicKey, undefined, net),
    }[script]()
  } catch {
    throw new DecodeError(`no public key that ${script} pays`, 0, "publicKey")
  }
  // Only scripts that are not among these have none.
  const address = payment.address as string
  return { address, script: new Uint8Array(payment.script) }
}

/** The address of an output's script; null where it has none. */
export function bitcoinAddress(script: Uint8Array, network: BitcoinNetwork): string | null {
  try {
    return Address(NETWORKS[network]).encode(OutScript.decode(script))
  } catch {
    return null
  }
}

/** BIP32's fingerprint of a key: the first 4 bytes of its HASH160. */
export function fingerprintOf(publicKey: Uint8Array): Bytes {
  return new Uint8Array(hash160(publicKey).subarray(0, 4))
}
