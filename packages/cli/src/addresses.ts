import { type KeyType, LockKeeperError } from "@lockkeeper/api"
import { toHex } from "@lockkeeper/encoding"
import {
  BITCOIN_NETWORKS,
  type BitcoinNetwork,
  type BitcoinScript,
  bitcoinOutput,
  evmAddress,
  extendedPublicKey,
  solanaAddress,
} from "@lockkeeper/wallet"
import { option } from "./command.ts"
import type { ChildView } from "./owner.ts"

export const ADDRESS_FORMATS = [
  "evm",
  "p2wpkh",
  "p2sh-p2wpkh",
  "p2pkh",
  "p2tr",
  "solana",
  "xpub",
] as const
export type AddressFormat = (typeof ADDRESS_FORMATS)[number]

/** Where keys of a type are paid, the most usual first: nowhere that they could not pay from. */
const FORMATS_OF: Readonly<Record<KeyType, readonly AddressFormat[]>> = {
  "ecdsa-secp256k1": ["evm", "p2wpkh", "p2sh-p2wpkh", "p2pkh", "xpub"],
  bip340: ["p2tr", "xpub"],
  ed25519: ["solana"],
}

export const NETWORK_OPTION = option("--network <network>", "Bitcoin's network, default mainnet")
NETWORK_OPTION.choices(BITCOIN_NETWORKS)

/**
 * The format that was asked for, or the type's usual one.
 *
 * @throws LockKeeperError `invalid-request` when keys of the type have no such address.
 */
export function addressFormat(keyType: KeyType, stated: AddressFormat | undefined): AddressFormat {
  const possible = FORMATS_OF[keyType]
  const format = stated ?? (possible[0] as AddressFormat)
  if (possible.includes(format)) return format
  throw new LockKeeperError(
    "invalid-request",
    `A key of type ${keyType} could not spend what an address of the format ${format} gets.`,
    { field: "format", remedy: `Use one of ${possible.join(", ")}, or a key of another type.` },
  )
}

/**
 * Where a key or a child of it is paid.
 *
 * @throws LockKeeperError `invalid-request` for a network where the format has none.
 */
export function addressOf(
  child: ChildView,
  format: AddressFormat,
  network: BitcoinNetwork | undefined,
): string {
  if (network !== undefined && (format === "evm" || format === "solana")) {
    throw new LockKeeperError(
      "invalid-request",
      `An address of the format ${format} is the same on every network.`,
      { field: "network", remedy: "Leave out --network." },
    )
  }
  switch (format) {
    case "evm":
      return evmAddress(child.publicKey)
    case "solana":
      return solanaAddress(child.publicKey)
    case "xpub":
      return extendedText(child, network ?? "mainnet")
    default:
      return bitcoinOutput(child.publicKey, format satisfies BitcoinScript, network).address
  }
}

function extendedText({ extended, path, publicKey }: ChildView, network: BitcoinNetwork): string {
  if (extended === null) throw new Error(`no extended key of ${toHex(publicKey)}`)
  const position = { depth: path.length, childNumber: path.at(-1) ?? 0 }
  return extendedPublicKey(
    { ...extended, ...position },
    network === "mainnet" ? network : "testnet",
  )
}
