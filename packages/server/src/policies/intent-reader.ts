import type { Element } from "@lockkeeper/crypto"
import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import type { Charter } from "@lockkeeper/policy"
import { deriveChild, type PublicKeyPackage } from "@lockkeeper/protocols"
import {
  type BitcoinInput,
  type BitcoinInputDigest,
  bitcoinInputIntent,
  type EvmIntent,
  evmMessageIntent,
  evmTransactionIntent,
  evmTypedDataIntent,
  fingerprintOf,
  type Intent,
  solanaMessageIntent,
} from "@lockkeeper/transactions"
import type { ContentReader } from "../content.ts"

/** Reads one content, and keeps what it does beside the digest that was asked for. */
export class IntentReader implements ContentReader {
  /** Null for bytes that say nothing to a server. */
  intent: Intent | null = null
  /** Of a PSBT the id that all of its inputs share. */
  unsignedId: Bytes | null = null
  readonly #key: PublicKeyPackage
  readonly #network: Charter["bitcoinNetwork"]

  constructor(key: PublicKeyPackage, { bitcoinNetwork }: Pick<Charter, "bitcoinNetwork">) {
    this.#key = key
    this.#network = bitcoinNetwork
  }

  message(message: Bytes, keyType: string, publicKey: Element): void {
    if (keyType !== "ed25519") return
    try {
      this.intent = solanaMessageIntent(message, publicKey).intent
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
    }
  }

  evmTransaction(transaction: Bytes, publicKey: Element): Bytes {
    return this.#evm(evmTransactionIntent(transaction, publicKey))
  }

  evmMessage(message: Bytes, publicKey: Element): Bytes {
    return this.#evm(evmMessageIntent(message, publicKey))
  }

  evmTypedData(typedData: string, publicKey: Element): Bytes {
    return this.#evm(evmTypedDataIntent(typedData, publicKey))
  }

  bitcoinInput(given: BitcoinInput): BitcoinInputDigest {
    const key = this.#key
    const account = {
      fingerprint: fingerprintOf(key.verifyingKey),
      childKey: (path: readonly number[]) => deriveChild(key, path).verifyingKey,
    }
    const read = bitcoinInputIntent(given, { network: this.#network, account })
    const { intent, unsignedId, ...input } = read
    this.intent = intent
    this.unsignedId = unsignedId
    return input
  }

  #evm({ intent, digest }: EvmIntent): Bytes {
    this.intent = intent
    return digest
  }
}
