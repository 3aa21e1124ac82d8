import type { Cluster } from "@lockkeeper/cli"
import {
  type KeyInfo,
  type KeyType,
  type LockKeeper,
  LockKeeperError,
  type Session,
} from "@lockkeeper/client"
import { type Bytes, fromHex, toHex } from "@lockkeeper/encoding"
import type { LiteSVM } from "litesvm"
import { EcdsaPayments } from "./ecdsa-payments.ts"
import type { EvmChain } from "./evm.ts"
import type { Narrator } from "./narrator.ts"
import type { Funding } from "./payment.ts"
import { airdrop, solanaAddress, startSolana, transfer } from "./solana.ts"
import { spendTaproot, taprootOutput } from "./taproot.ts"
import type { VerifiedSignature } from "./verified-signature.ts"

/** The account that the journey registers; its password protects play money on this machine only. */
export const OWNER = { name: "ada", password: "correct horse battery staple" } as const

/** What the journey calls its ECDSA key. */
export const ECDSA_LABEL = "EVM chains and Bitcoin"

const SOL = 1_000_000_000n

/** An x-only key that is somebody else's: the first of BIP340's test vectors. */
const RECIPIENT = fromHex("f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9")

/**
 * The whole path on a running cluster; whatever goes wrong is thrown. Without an EVM chain, on a
 * platform that has none, what needs one is left out: the caller says so and fails.
 */
export class Journey {
  readonly #cluster: Cluster
  readonly #keeper: LockKeeper
  readonly #narrator: Narrator
  readonly #chain: EvmChain | null
  readonly #solana: LiteSVM = startSolana()
  readonly signatures: VerifiedSignature[] = []

  constructor(cluster: Cluster, keeper: LockKeeper, narrator: Narrator, chain: EvmChain | null) {
    this.#cluster = cluster
    this.#keeper = keeper
    this.#narrator = narrator
    this.#chain = chain
  }

  async run(): Promise<void> {
    await this.#register()
    const session = await this.#logIn()
    const ed25519 = await this.#createKey(session, "ed25519", "Solana")
    const bip340 = await this.#createKey(session, "bip340", "Bitcoin Taproot")
    const ecdsa = await this.#createKey(session, "ecdsa-secp256k1", ECDSA_LABEL)
    const payments = new EcdsaPayments(session, ecdsa, this.#chain, this.#narrator, (signature) =>
      this.signatures.push(signature),
    )
    await payments.fund()
    for (const afterServerLoss of [false, true]) {
      if (afterServerLoss) await this.#loseServer()
      await this.#payOnSolana(session, ed25519, afterServerLoss)
      await this.#payOnBitcoin(session, bip340, afterServerLoss)
      await payments.payEther(afterServerLoss)
      await payments.payTokens(afterServerLoss)
      await payments.payBitcoin(afterServerLoss)
    }
    await this.#tryWrongPassword()
    await session.logout()
  }

  async #register(): Promise<void> {
    const { servers, threshold } = this.#cluster
    await this.#narrator.step(
      "register",
      `The owner "${OWNER.name}" registers with a password.`,
      async () => void (await this.#keeper.register(OWNER)),
      () =>
        "The password never left this process. Each server keeps a part from which fewer than\n" +
        `${threshold} of the ${servers.length} together can test no guess.`,
    )
  }

  async #logIn(): Promise<Session> {
    return await this.#narrator.step(
      "login",
      "The owner logs in.",
      () => this.#keeper.login(OWNER),
      () => "Servers checked the password together; each now shares a session key with the owner.",
    )
  }

  async #createKey(session: Session, type: KeyType, chain: string): Promise<KeyInfo> {
    return await this.#narrator.step(
      `create-${type}`,
      `The servers generate a key of type ${type}, for ${chain}.`,
      async () => (await session.keys.create({ type, label: chain })).key,
      ({ publicKey, minSigners, holders, custody }) =>
        `Public key ${toHex(publicKey)}.\n` +
        `Servers ${holders.join(", ")} each drew a part and hold one share; any ${minSigners} can ` +
        `sign.\nThe private key was at no time in one place. Custody: ${custody}.`,
    )
  }

  async #payOnSolana(session: Session, key: KeyInfo, afterServerLoss: boolean): Promise<void> {
    const from = solanaAddress(key.publicKey)
    const to = solanaAddress(new Uint8Array(32).fill(afterServerLoss ? 8 : 7))
    let signers: readonly number[] = []
    const sign = async (message: Bytes) => {
      const signed = await session.sign({ keyId: key.keyId, message })
      signers = signed.signers
      return signed.signature
    }
    await this.#narrator.step(
      afterServerLoss ? "solana-after-loss" : "solana",
      `A Solana transfer is built${afterServerLoss ? ", signed by those that are left" : ", signed"} and executed.`,
      async () => {
        if (!afterServerLoss) airdrop(this.#solana, from, 10n * SOL)
        return await transfer(this.#solana, { publicKey: key.publicKey, sign }, to, SOL)
      },
      ({ lamports, fee, signature }) =>
        `Servers ${signers.join(" and ")} signed: ${toHex(signature).slice(0, 32)}...\n` +
        `node:crypto accepts the signature. The Solana runtime executed the transfer:\n` +
        `${lamports / SOL} SOL from ${from}\nto ${to}, fee ${fee} lamports.`,
    )
    const what = "solana-transfer"
    this.signatures.push({ keyType: "ed25519", what, verifiedBy: "node:crypto", afterServerLoss })
  }

  async #payOnBitcoin(session: Session, key: KeyInfo, afterServerLoss: boolean): Promise<void> {
    let signers: readonly number[] = []
    const sign = async (message: Bytes) => {
      // An empty script tree: the servers sign for the output key, tweaked as BIP341 says.
      const signed = await session.sign({ keyId: key.keyId, message, taproot: "key-path" })
      signers = signed.signers
      return signed.signature
    }
    const funding: Funding = {
      txid: new Uint8Array(32).fill(afterServerLoss ? 0xb2 : 0xb1),
      index: 0,
      amount: 250_000n,
    }
    const to = taprootOutput(RECIPIENT).address
    await this.#narrator.step(
      afterServerLoss ? "bitcoin-after-loss" : "bitcoin",
      "A Bitcoin Taproot output is spent: PSBT, sighash, signature, final transaction.",
      () =>
        spendTaproot({ internalKey: key.publicKey, sign }, funding, {
          to,
          amount: 200_000n,
          fee: 1_000n,
        }),
      ({ txid, raw, amount, change, fee }) =>
        `Servers ${signers.join(" and ")} signed the BIP341 sighash. @scure/btc-signer parsed the\n` +
        `final transaction, recomputed the sighash and accepts the Schnorr signature.\n` +
        `${amount} sat to ${to},\n${change} sat change, ${fee} sat fee, ${raw.length} bytes, id ${txid}.`,
    )
    const judged = { what: "taproot-spend", verifiedBy: "@scure/btc-signer" } as const
    this.signatures.push({ keyType: "bip340", ...judged, afterServerLoss })
  }

  async #loseServer(): Promise<void> {
    const victim = this.#cluster.servers[0]
    if (victim === undefined) throw new Error("the cluster has no server")
    await this.#narrator.step(
      "lose-server",
      `Key server ${victim.identifier} is killed, process ${victim.pid}, without warning.`,
      () => victim.stop("SIGKILL"),
      () => "It is gone. The other two are enough to log in and sign.",
    )
  }

  async #tryWrongPassword(): Promise<void> {
    await this.#narrator.step(
      "wrong-password",
      "Somebody tries a wrong password.",
      async () => {
        try {
          const session = await this.#keeper.login({ ...OWNER, password: "correct horse battery" })
          await session.logout()
        } catch (error) {
          if (error instanceof LockKeeperError && error.code === "wrong-password") return error
          throw error
        }
        throw new Error("the wrong password was accepted")
      },
      ({ message, guessesRemaining }) =>
        `Refused: ${message} ${guessesRemaining ?? "Unknown"} guesses are left before the account locks.`,
    )
  }
}
