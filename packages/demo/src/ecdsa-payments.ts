import type { KeyInfo, Session } from "@lockkeeper/client"
import type { Bytes } from "@lockkeeper/encoding"
import type { WalletSession } from "@lockkeeper/wallet"
import { signPsbt } from "@lockkeeper/wallet/bitcoin"
import { type LockKeeperAccount, toLockKeeperAccount } from "@lockkeeper/wallet/viem"
import { type Address, formatEther, parseEther } from "viem"
import { type EvmChain, fund, issueToken, sendEther, sendTokens } from "./evm.ts"
import type { Narrator } from "./narrator.ts"
import type { Funding } from "./payment.ts"
import type { VerifiedSignature } from "./verified-signature.ts"
import { spendWitness, witnessOutput } from "./witness-spend.ts"

/** Somebody else's account: the second of anvil's well-known ones, empty on a new chain. */
const EVM_RECIPIENT: Address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

/** Somebody else's key: the compressed form of the generator. */
const BITCOIN_RECIPIENT = new Uint8Array(
  Buffer.from("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798", "hex"),
)

const ISSUED = 1_000n

/**
 * What an ECDSA key pays: on an EVM chain, where there is one, as any viem account does; on Bitcoin
 * with PSBTs.
 */
export class EcdsaPayments {
  readonly #narrator: Narrator
  readonly #chain: EvmChain | null
  readonly #account: LockKeeperAccount
  readonly #publicKey: Bytes
  readonly #signPsbt: (psbt: Bytes) => Promise<Bytes>
  readonly #report: (signature: VerifiedSignature) => void
  #token: Address | null = null
  /** Servers that made the last signature. */
  #signers: readonly number[] = []

  constructor(
    session: Session,
    key: KeyInfo,
    chain: EvmChain | null,
    narrator: Narrator,
    report: (signature: VerifiedSignature) => void,
  ) {
    const watched: WalletSession = {
      keys: session.keys,
      sign: (order) => session.sign(order),
      signDigestOf: async (order) => {
        const signed = await session.signDigestOf(order)
        this.#signers = signed.signers
        return signed
      },
    }
    this.#narrator = narrator
    this.#chain = chain
    this.#account = toLockKeeperAccount(watched, key)
    this.#publicKey = key.publicKey
    this.#signPsbt = (psbt) => signPsbt(watched, key, psbt)
    this.#report = report
  }

  /** Puts play money into the key's account: the chain's own, and a token's. */
  async fund(): Promise<void> {
    const chain = this.#chain
    if (chain === null) return
    const { address } = this.#account
    await this.#narrator.step(
      "fund",
      "The key's EVM account gets play money, and tokens of a contract that is deployed for it.",
      async () => {
        await fund(chain, address, parseEther("10"))
        this.#token = await issueToken(chain, address, ISSUED)
      },
      () => `Account ${address}: 10 ETH and ${ISSUED} PLAY.\nToken ${this.#token}.`,
    )
  }

  async payEther(afterServerLoss: boolean): Promise<void> {
    const chain = this.#chain
    if (chain === null) return
    await this.#narrator.step(
      afterServerLoss ? "ether-after-loss" : "ether",
      "An EIP-1559 transfer is built by viem, signed by the servers and executed on a real chain.",
      () => sendEther(chain, this.#account, EVM_RECIPIENT, parseEther("1")),
      ({ hash, from, to, amount, gasUsed, senderAfter }) =>
        `Servers ${this.#signers.join(" and ")} signed. anvil took the sender from the signature\n` +
        `and executed it: ${formatEther(amount)} ETH from ${from}\nto ${to}, gas ${gasUsed}; ` +
        `${formatEther(senderAfter)} ETH are left.\nTransaction ${hash}.`,
    )
    this.#executed("eip1559-transfer", afterServerLoss)
  }

  async payTokens(afterServerLoss: boolean): Promise<void> {
    const chain = this.#chain
    const token = this.#token
    if (chain === null || token === null) return
    await this.#narrator.step(
      afterServerLoss ? "token-after-loss" : "token",
      "An ERC-20 transfer: the contract moves tokens for the account that signed.",
      () => sendTokens(chain, this.#account, token, EVM_RECIPIENT, 400n),
      ({ hash, from, to, amount, senderBefore, senderAfter }) =>
        `Servers ${this.#signers.join(" and ")} signed. anvil executed it: ${amount} PLAY from ` +
        `${from}\nto ${to}; the contract had ${senderBefore} for the sender, now ${senderAfter}.\n` +
        `Transaction ${hash}.`,
    )
    this.#executed("erc20-transfer", afterServerLoss)
  }

  async payBitcoin(afterServerLoss: boolean): Promise<void> {
    const funding: Funding = {
      txid: new Uint8Array(32).fill(afterServerLoss ? 0xc2 : 0xc1),
      index: 1,
      amount: 300_000n,
    }
    const { address: to } = witnessOutput(BITCOIN_RECIPIENT)
    const payment = { to, amount: 120_000n, fee: 800n }
    await this.#narrator.step(
      afterServerLoss ? "p2wpkh-after-loss" : "p2wpkh",
      "A Bitcoin P2WPKH output is spent with the same key: PSBT, signature, final transaction.",
      () => spendWitness({ publicKey: this.#publicKey, sign: this.#signPsbt }, funding, payment),
      ({ txid, from, raw, amount, change, fee }) =>
        `Servers ${this.#signers.join(" and ")} signed the BIP143 sighash. @scure/btc-signer ` +
        `finalised the PSBT,\nparsed the transaction and recomputed the sighash; @noble/curves ` +
        `accepts the signature.\n${amount} sat from ${from}\nto ${to},\n` +
        `${change} sat change, ${fee} sat fee, ${raw.length} bytes, id ${txid}.`,
    )
    this.#report({
      ...{ keyType: "ecdsa-secp256k1", what: "p2wpkh-spend" },
      ...{ verifiedBy: "@scure/btc-signer", afterServerLoss },
    })
  }

  #executed(what: "eip1559-transfer" | "erc20-transfer", afterServerLoss: boolean): void {
    this.#report({ keyType: "ecdsa-secp256k1", what, verifiedBy: "anvil", afterServerLoss })
  }
}
