import { LockKeeperError } from "@lockkeeper/client"
import { type Bytes, toHex } from "@lockkeeper/encoding"
import {
  evmAddress,
  evmMessageDigest,
  evmTransactionDigest,
  evmTypedDataDigest,
} from "@lockkeeper/transactions"
import {
  assertSameDigest,
  type ChildPath,
  readAs,
  Signatory,
  type SignContent,
  type WalletKey,
  type WalletSession,
} from "./signing.ts"

export interface EvmAccountOptions {
  /** The child that signs; the key itself when it is left out. */
  readonly path?: ChildPath
  /** Cancels whatever the account has under way, and everything after. */
  readonly signal?: AbortSignal
}

/** An ECDSA signature as EVM libraries take it. */
export interface EvmSignature {
  readonly r: `0x${string}`
  readonly s: `0x${string}`
  readonly yParity: 0 | 1
}

/** What the two EVM adapters have in common; it knows neither of their libraries. */
export class EvmSignatory {
  readonly address: `0x${string}`
  readonly publicKey: Bytes
  readonly #signatory: Signatory
  readonly #signal: AbortSignal | undefined

  constructor(session: WalletSession, key: WalletKey, options: EvmAccountOptions) {
    this.#signatory = new Signatory(session, key, options.path ?? [], ["ecdsa-secp256k1"])
    this.#signal = options.signal
    this.publicKey = this.#signatory.publicKey
    this.address = evmAddress(this.publicKey)
  }

  /**
   * @param digest - what the library hashed, for comparison.
   * @throws LockKeeperError `invalid-request` for transactions that the servers would not sign.
   */
  async transaction(transaction: Bytes, digest: Uint8Array): Promise<EvmSignature> {
    const ours = readAs("transaction", () => evmTransactionDigest(transaction))
    assertSameDigest("transaction", ours, digest)
    return this.#sign({ kind: "evm-transaction", transaction }, ours)
  }

  async message(message: Bytes, digest: Uint8Array): Promise<EvmSignature> {
    const ours = evmMessageDigest(message)
    assertSameDigest("message", ours, digest)
    return this.#sign({ kind: "evm-message", message }, ours)
  }

  /** @param typedData - the JSON that `eth_signTypedData_v4` takes. */
  async typedData(typedData: string, digest: Uint8Array): Promise<EvmSignature> {
    const ours = readAs("typedData", () => evmTypedDataDigest(typedData))
    assertSameDigest("typedData", ours, digest)
    return this.#sign({ kind: "evm-typed-data", typedData }, ours)
  }

  /** A bare digest, of which the servers cannot say what it stands for. */
  async digest(digest: Bytes): Promise<EvmSignature> {
    if (digest.length !== 32) {
      throw new LockKeeperError("invalid-request", "A digest has 32 bytes.", { field: "hash" })
    }
    return this.#sign({ kind: "message", message: digest }, digest)
  }

  async #sign(content: SignContent, digest: Bytes): Promise<EvmSignature> {
    const { r, s, recovery } = await this.#signatory.ecdsa(content, digest, this.#signal)
    // Above 1, R's x was not below the order: EVM signatures cannot say so. Its odds are 2^-127.
    if (recovery !== 0 && recovery !== 1) {
      throw new LockKeeperError("aborted", "The signature has no form that EVM chains take.", {
        remedy: "Sign again.",
      })
    }
    return { r: `0x${toHex(r)}`, s: `0x${toHex(s)}`, yParity: recovery }
  }
}

/** EIP-7702 hands an account over to code; servers cannot read one yet, so none signs blindly. */
export function refuseAuthorization(): never {
  throw new LockKeeperError("invalid-request", "EIP-7702 authorizations are not signed.", {
    field: "authorization",
    remedy: "Use an account that keeps its own code, or a key outside of Lock Keeper.",
  })
}
