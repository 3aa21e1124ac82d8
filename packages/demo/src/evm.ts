import {
  type Address,
  createPublicClient,
  createWalletClient,
  encodeDeployData,
  erc20Abi,
  getAddress,
  type Hex,
  http,
  isAddressEqual,
  type LocalAccount,
  type PublicClient,
  parseEventLogs,
  type TransactionReceipt,
} from "viem"
import { foundry } from "viem/chains"
import { ChainRefused } from "./chain-refused.ts"
import { compiledToken } from "./token.ts"

/** A chain that includes a transaction as soon as it has it. */
const POLLING_MS = 20

/** An EVM chain, reached as any wallet reaches one: by viem over JSON-RPC. */
export interface EvmChain {
  readonly url: string
  readonly client: PublicClient
  /** The account that the chain gave play money to; the chain itself signs for it. */
  readonly faucet: Address
}

/** A transaction that the chain executed, as its receipt has it. */
export interface EvmReceipt {
  readonly hash: Hex
  readonly from: Address
  readonly type: string
  readonly gasUsed: bigint
  /** Wei: gas used times the price paid. */
  readonly fee: bigint
}

/** A change of what somebody holds, read from the chain before and after. */
export interface Transferred extends EvmReceipt {
  readonly to: Address
  readonly amount: bigint
  readonly senderBefore: bigint
  readonly senderAfter: bigint
}

export async function openChain(url: string): Promise<EvmChain> {
  const client = createPublicClient({
    chain: foundry,
    transport: http(url),
    pollingInterval: POLLING_MS,
    cacheTime: 0,
  })
  const accounts = await client.request<{
    Method: "eth_accounts"
    Parameters?: undefined
    ReturnType: readonly Address[]
  }>({ method: "eth_accounts" })
  const faucet = accounts[0]
  if (faucet === undefined) throw new ChainRefused("the chain has no account with play money")
  return { url, client, faucet: getAddress(faucet) }
}

/** Sends wei from the chain's own account, as a test network's faucet does. */
export async function fund(chain: EvmChain, to: Address, wei: bigint): Promise<void> {
  const { faucet } = chain
  const hash = await walletOf(chain, faucet).sendTransaction({ account: faucet, to, value: wei })
  await executed(chain, hash, faucet)
}

/** Deploys the token from the chain's own account and hands `amount` of it to `owner`. */
export async function issueToken(
  chain: EvmChain,
  owner: Address,
  amount: bigint,
): Promise<Address> {
  const { abi, bytecode } = compiledToken()
  const wallet = walletOf(chain, chain.faucet)
  const data = encodeDeployData({ abi, bytecode, args: [amount] })
  const deployment = await wallet.sendTransaction({ account: chain.faucet, data })
  const { contractAddress } = await executed(chain, deployment, chain.faucet)
  if (contractAddress == null) throw new ChainRefused("the deployment made no contract")
  const token = getAddress(contractAddress)
  const call = { address: token, abi: erc20Abi, functionName: "transfer" } as const
  const hash = await wallet.writeContract({
    ...call,
    account: chain.faucet,
    args: [owner, amount],
  })
  await executed(chain, hash, chain.faucet)
  return token
}

/**
 * Sends wei as an EIP-1559 transaction that `account` signs, and reads both balances back.
 *
 * @throws ChainRefused when the chain did not execute it, took another sender from the signature,
 * or the balances do not add up.
 */
export async function sendEther(
  chain: EvmChain,
  account: LocalAccount,
  to: Address,
  amount: bigint,
): Promise<Transferred> {
  const { address } = account
  const balance = (of: Address) => chain.client.getBalance({ address: of })
  const [senderBefore, before] = await Promise.all([balance(address), balance(to)])
  const hash = await walletOf(chain, account).sendTransaction({
    account,
    to,
    value: amount,
    type: "eip1559",
  })
  const receipt = receiptView(await executed(chain, hash, address))
  if (receipt.type !== "eip1559") throw new ChainRefused(`the transaction is ${receipt.type}`)
  const [senderAfter, after] = await Promise.all([balance(address), balance(to)])
  if (after - before !== amount || senderBefore - senderAfter !== amount + receipt.fee) {
    throw new ChainRefused("the balances after the transfer do not add up")
  }
  return { ...receipt, to, amount, senderBefore, senderAfter }
}

/**
 * Calls `transfer` of an ERC-20 token in a transaction that `account` signs, and reads the token's
 * balances and its Transfer event back.
 *
 * @throws ChainRefused as `sendEther`.
 */
export async function sendTokens(
  chain: EvmChain,
  account: LocalAccount,
  token: Address,
  to: Address,
  amount: bigint,
): Promise<Transferred> {
  const { address } = account
  const { client } = chain
  const balance = (of: Address) =>
    client.readContract({ address: token, abi: erc20Abi, functionName: "balanceOf", args: [of] })
  const [senderBefore, before] = await Promise.all([balance(address), balance(to)])
  const call = { address: token, abi: erc20Abi, functionName: "transfer" } as const
  const hash = await walletOf(chain, account).writeContract({
    ...call,
    account,
    args: [to, amount],
  })
  const receipt = await executed(chain, hash, address)
  const [senderAfter, after] = await Promise.all([balance(address), balance(to)])
  const [event] = parseEventLogs({ abi: erc20Abi, eventName: "Transfer", logs: receipt.logs })
  const { from, value } = event?.args ?? {}
  if (event === undefined || from !== address || value !== amount) {
    throw new ChainRefused("the token logged another transfer, or none")
  }
  if (after - before !== amount || senderBefore - senderAfter !== amount) {
    throw new ChainRefused("the token balances after the transfer do not add up")
  }
  return { ...receiptView(receipt), to, amount, senderBefore, senderAfter }
}

function walletOf({ url }: EvmChain, account: LocalAccount | Address) {
  const settings = { chain: foundry, transport: http(url), pollingInterval: POLLING_MS }
  return createWalletClient({ account, ...settings })
}

/** The receipt, once the chain has executed the transaction as one of `sender`. */
async function executed(
  { client }: EvmChain,
  hash: Hex,
  sender: Address,
): Promise<TransactionReceipt> {
  const receipt = await client.waitForTransactionReceipt({ hash })
  if (receipt.status !== "success") throw new ChainRefused(`the chain reverted ${hash}`)
  // The chain takes the sender from the signature: this is its verdict on whose it is.
  if (!isAddressEqual(receipt.from, sender)) {
    throw new ChainRefused(`the chain takes ${receipt.from} for the sender, not ${sender}`)
  }
  return receipt
}

function receiptView(receipt: TransactionReceipt): EvmReceipt {
  const { transactionHash: hash, from, type, gasUsed, effectiveGasPrice } = receipt
  return { hash, from: getAddress(from), type, gasUsed, fee: gasUsed * effectiveGasPrice }
}
