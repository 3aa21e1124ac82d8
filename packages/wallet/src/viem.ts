import { secp256k1 } from "@noble/curves/secp256k1.js"
import {
  hexToBytes as bytesOfHex,
  type Hex,
  hashMessage,
  hashTypedData,
  keccak256,
  type LocalAccount,
  type NonceManager,
  type Signature,
  serializeSignature,
  serializeTransaction,
  stringToBytes,
  toHex,
} from "viem"
import { toAccount } from "viem/accounts"
import {
  type EvmAccountOptions,
  EvmSignatory,
  type EvmSignature,
  refuseAuthorization,
} from "./evm-signatory.ts"
import type { WalletKey, WalletSession } from "./signing.ts"
import { type TypedDataParts, typedDataText } from "./typed-data-text.ts"

export interface ViemAccountOptions extends EvmAccountOptions {
  readonly nonceManager?: NonceManager
}

/** A viem account that can also sign bare digests. */
export type LockKeeperAccount = LocalAccount<"lockkeeper"> & {
  sign: NonNullable<LocalAccount["sign"]>
}

/**
 * A viem account whose key nobody has: each signature is made by the key servers, from the whole
 * transaction, message or typed data.
 *
 * Transactions: legacy with a chain id, EIP-2930, 1559 and 4844, whose blobs stay here. EIP-7702
 * authorizations and transactions are refused. `sign` takes a bare digest, of which no server can tell
 * what it does: leave it alone where another method does.
 *
 * @param key - of the type ecdsa-secp256k1.
 * @throws LockKeeperError `invalid-request` for other keys and paths.
 */
export function toLockKeeperAccount(
  session: WalletSession,
  key: WalletKey,
  options: ViemAccountOptions = {},
): LockKeeperAccount {
  const signatory = new EvmSignatory(session, key, options)
  const account = toAccount({
    address: signatory.address,
    nonceManager: options.nonceManager,

    async sign({ hash }) {
      return serializeSignature(inViem(await signatory.digest(bytesOf(hash))))
    },

    async signMessage({ message }) {
      const bytes =
        typeof message === "string" ? new Uint8Array(stringToBytes(message)) : rawBytes(message.raw)
      const digest = bytesOf(hashMessage({ raw: bytes }))
      return serializeSignature(inViem(await signatory.message(bytes, digest)))
    },

    async signTransaction(transaction, { serializer = serializeTransaction } = {}) {
      // EIP-4844 signs the payload without the blobs that travel beside it.
      const signable = { ...transaction, sidecars: false as const }
      const unsigned = await serializer(transaction.type === "eip4844" ? signable : transaction)
      const digest = bytesOf(keccak256(unsigned))
      const signature = await signatory.transaction(bytesOf(unsigned), digest)
      return serializer(transaction, inViem(signature))
    },

    async signTypedData(typedData) {
      const { domain = {}, ...rest } = typedData as Partial<TypedDataParts>
      const text = typedDataText({ ...rest, domain } as TypedDataParts)
      const digest = bytesOf(hashTypedData(typedData))
      return serializeSignature(inViem(await signatory.typedData(text, digest)))
    },

    async signAuthorization() {
      return refuseAuthorization()
    },
  })
  const publicKey = toHex(secp256k1.Point.fromBytes(signatory.publicKey).toBytes(false))
  return { ...account, publicKey, source: "lockkeeper" } as LockKeeperAccount
}

/** viem takes the parity of legacy signatures from v, of all others from yParity. */
function inViem({ r, s, yParity }: EvmSignature): Signature {
  return { r, s, yParity, v: BigInt(27 + yParity) }
}

const bytesOf = (hex: Hex) => new Uint8Array(bytesOfHex(hex))

const rawBytes = (raw: Hex | Uint8Array) =>
  typeof raw === "string" ? bytesOf(raw) : new Uint8Array(raw)
