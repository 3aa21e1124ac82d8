import { LockKeeperError } from "@lockkeeper/client"
import {
  AbstractSigner,
  type Authorization,
  type AuthorizationRequest,
  copyRequest,
  getAddress,
  getBytes,
  hashMessage,
  type Provider,
  resolveAddress,
  Signature,
  Transaction,
  type TransactionLike,
  type TransactionRequest,
  type TypedDataDomain,
  TypedDataEncoder,
  type TypedDataField,
  toUtf8Bytes,
} from "ethers"
import { type EvmAccountOptions, EvmSignatory, refuseAuthorization } from "./evm-signatory.ts"
import type { WalletKey, WalletSession } from "./signing.ts"
import { typedDataText } from "./typed-data-text.ts"

/**
 * An ethers v6 signer whose key nobody has: each signature is made by the key servers, from the whole
 * transaction, message or typed data.
 *
 * Transactions: legacy with a chain id, EIP-2930, 1559 and 4844. EIP-7702 authorizations and
 * transactions are refused.
 */
export class LockKeeperSigner extends AbstractSigner {
  readonly address: string
  readonly #session: WalletSession
  readonly #key: WalletKey
  readonly #options: EvmAccountOptions
  readonly #signatory: EvmSignatory

  /**
   * @param key - of the type ecdsa-secp256k1.
   * @throws LockKeeperError `invalid-request` for other keys and paths.
   */
  constructor(
    session: WalletSession,
    key: WalletKey,
    options: EvmAccountOptions & { readonly provider?: Provider | null } = {},
  ) {
    const { provider = null, ...rest } = options
    super(provider)
    this.#session = session
    this.#key = key
    this.#options = rest
    this.#signatory = new EvmSignatory(session, key, rest)
    this.address = this.#signatory.address
  }

  async getAddress(): Promise<string> {
    return this.address
  }

  connect(provider: Provider | null): LockKeeperSigner {
    return new LockKeeperSigner(this.#session, this.#key, { ...this.#options, provider })
  }

  async signTransaction(request: TransactionRequest): Promise<string> {
    const { to, from, ...rest } = copyRequest(request)
    if (from != null && getAddress(await resolveAddress(from, this)) !== this.address) {
      throw new LockKeeperError("invalid-request", "The transaction is from another account.", {
        field: "from",
      })
    }
    const recipient = to == null ? {} : { to: await resolveAddress(to, this) }
    const transaction = Transaction.from({ ...rest, ...recipient } as TransactionLike<string>)
    const unsigned = getBytes(transaction.unsignedSerialized)
    const signature = await this.#signatory.transaction(
      new Uint8Array(unsigned),
      getBytes(transaction.unsignedHash),
    )
    transaction.signature = Signature.from(signature)
    return transaction.serialized
  }

  async signMessage(message: string | Uint8Array): Promise<string> {
    const bytes = new Uint8Array(typeof message === "string" ? toUtf8Bytes(message) : message)
    const signature = await this.#signatory.message(bytes, getBytes(hashMessage(bytes)))
    return Signature.from(signature).serialized
  }

  async signTypedData(
    domain: TypedDataDomain,
    types: Record<string, TypedDataField[]>,
    value: Record<string, unknown>,
  ): Promise<string> {
    // Names of ENS are the caller's to show: what is signed is the address behind them.
    const resolved = await TypedDataEncoder.resolveNames(domain, types, value, async (name) =>
      resolveAddress(name, this),
    )
    const { primaryType } = TypedDataEncoder.from(types)
    const text = typedDataText({
      types,
      primaryType,
      domain: resolved.domain as Record<string, unknown>,
      message: resolved.value,
    })
    const digest = TypedDataEncoder.hash(resolved.domain, types, resolved.value)
    const signature = await this.#signatory.typedData(text, getBytes(digest))
    return Signature.from(signature).serialized
  }

  override async authorize(_: AuthorizationRequest): Promise<Authorization> {
    return refuseAuthorization()
  }
}
