import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { after, before, describe, type TestContext, test } from "node:test"
import {
  type Address,
  createWalletClient,
  erc20Abi,
  http,
  isAddressEqual,
  type LocalAccount,
  parseEther,
} from "viem"
import { generatePrivateKey, privateKeyToAccount, toAccount } from "viem/accounts"
import { foundry } from "viem/chains"
import { type Anvil, startAnvil } from "../src/anvil.ts"
import { ChainRefused } from "../src/chain-refused.ts"
import { type EvmChain, fund, issueToken, openChain, sendEther, sendTokens } from "../src/evm.ts"
import { compiledToken } from "../src/token.ts"
import { type Alter, alteringProxy } from "./altering-proxy.ts"

const RECIPIENT: Address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

/** Who signs here holds a whole key of this process: the chain's verdicts are tested. */
const freshAccount = () => privateKeyToAccount(generatePrivateKey())

describe("on a real EVM chain", () => {
  let anvil: Anvil
  let chain: EvmChain

  before(async () => {
    anvil = await startAnvil()
    chain = await openChain(anvil.url)
  })

  after(() => anvil.stop())

  test("an EIP-1559 transfer moves exactly the amount, and the sender pays the fee", async () => {
    const account = freshAccount()
    await fund(chain, account.address, parseEther("2"))
    const before = await chain.client.getBalance({ address: RECIPIENT })
    const sent = await sendEther(chain, account, RECIPIENT, parseEther("1"))
    const after = await chain.client.getBalance({ address: RECIPIENT })
    assert.equal(after - before, parseEther("1"))
    assert.equal(sent.from, account.address)
    assert.equal(sent.type, "eip1559")
    assert.equal(sent.gasUsed, 21_000n)
    assert.equal(sent.senderBefore, parseEther("2"))
    assert.equal(sent.senderAfter, parseEther("1") - sent.fee)
    const { r, s, yParity } = await chain.client.getTransaction({ hash: sent.hash })
    assert.ok(r !== undefined && s !== undefined && yParity !== undefined)
  })

  test("an ERC-20 transfer moves tokens, from an account that the chain takes for the sender", async () => {
    const account = freshAccount()
    await fund(chain, account.address, parseEther("1"))
    const token = await issueToken(chain, account.address, 1_000n)
    const sent = await sendTokens(chain, account, token, RECIPIENT, 400n)
    assert.deepEqual([sent.senderBefore, sent.senderAfter, sent.amount], [1_000n, 600n, 400n])
    assert.ok(isAddressEqual(sent.from, account.address))
    const again = await sendTokens(chain, account, token, RECIPIENT, 600n)
    assert.equal(again.senderAfter, 0n)
  })

  test("the token gives nobody more than they have, and nothing to nobody", async () => {
    const account = freshAccount()
    await fund(chain, account.address, parseEther("1"))
    const token = await issueToken(chain, account.address, 10n)
    const { abi } = compiledToken()
    const call = { address: token, abi, account: account.address, functionName: "transfer" }
    const simulate = (args: readonly [Address, bigint]) =>
      chain.client.simulateContract({ ...call, args })
    await assert.rejects(simulate([RECIPIENT, 11n]), /TooMuch/)
    await assert.rejects(simulate([`0x${"0".repeat(40)}`, 1n]), /NoSuchAddress/)
    const read = (functionName: string, args: readonly unknown[] = []) =>
      chain.client.readContract({ address: token, abi, functionName, args })
    assert.equal(await read("totalSupply"), 10n)
    assert.equal(await read("decimals"), 18)
    // An allowance lets its spender move that much and no more.
    const wallet = createWalletClient({ account, chain: foundry, transport: http(chain.url) })
    const approve = { address: token, abi: erc20Abi, functionName: "approve" } as const
    const hash = await wallet.writeContract({ ...approve, args: [chain.faucet, 4n] })
    await chain.client.waitForTransactionReceipt({ hash })
    const spend = (amount: bigint) =>
      chain.client.simulateContract({
        ...{ address: token, abi, account: chain.faucet, functionName: "transferFrom" },
        args: [account.address, RECIPIENT, amount],
      })
    assert.equal((await spend(4n)).result, true)
    await assert.rejects(spend(5n), /TooMuch/)
  })

  test("a signature by another key is not taken for the sender's", async () => {
    const claimed = freshAccount()
    const other = freshAccount()
    await fund(chain, claimed.address, parseEther("1"))
    await fund(chain, other.address, parseEther("1"))
    const forged = toAccount({
      address: claimed.address,
      signMessage: other.signMessage,
      signTransaction: other.signTransaction,
      signTypedData: other.signTypedData,
    })
    await assert.rejects(
      sendEther(chain, forged, RECIPIENT, 1n),
      (error) => error instanceof ChainRefused && error.message.includes("for the sender"),
    )
  })
})

describe("a chain that does not do what it was sent", () => {
  let anvil: Anvil
  before(async () => {
    anvil = await startAnvil()
  })
  after(() => anvil.stop())

  /** Runs `work` on a chain whose answers are altered once the account has its money. */
  async function refused(
    t: TestContext,
    words: RegExp,
    alter: Alter,
    work: (chain: EvmChain, account: LocalAccount, token: Address) => Promise<unknown>,
  ): Promise<void> {
    let isHonest = true
    const url = await alteringProxy(t, anvil.url, (call, result) =>
      isHonest ? result : alter(call, result),
    )
    const chain = await openChain(url)
    const account = freshAccount()
    await fund(chain, account.address, parseEther("1"))
    const token = await issueToken(chain, account.address, 100n)
    isHonest = false
    await assert.rejects(
      work(chain, account, token),
      (error) => error instanceof ChainRefused && words.test(error.message),
    )
  }

  const ether = (chain: EvmChain, account: LocalAccount) => sendEther(chain, account, RECIPIENT, 7n)
  const tokens = (chain: EvmChain, account: LocalAccount, token: Address) =>
    sendTokens(chain, account, token, RECIPIENT, 7n)

  /** An alteration of receipts only, once there is one. */
  const inReceipt =
    (change: Record<string, unknown>): Alter =>
    ({ method }, result) =>
      method === "eth_getTransactionReceipt" && result !== null
        ? { ...(result as object), ...change }
        : result

  test("is found by a receipt that says so", async (t) => {
    await refused(t, /reverted/, inReceipt({ status: "0x0" }), ether)
    await refused(t, /is legacy/, inReceipt({ type: "0x0" }), ether)
    await refused(t, /for the sender/, inReceipt({ from: RECIPIENT }), tokens)
    await refused(t, /logged another transfer, or none/, inReceipt({ logs: [] }), tokens)
  })

  test("is found by balances that did not change", async (t) => {
    const frozen = (of: string): Alter => {
      const seen = new Map<string, unknown>()
      return ({ method, params }, result) => {
        if (method !== of) return result
        const about = JSON.stringify(params[0])
        if (!seen.has(about)) seen.set(about, result)
        return seen.get(about)
      }
    }
    await refused(t, /do not add up/, frozen("eth_getBalance"), ether)
    await refused(t, /token balances .* do not add up/, frozen("eth_call"), tokens)
  })
})

describe("the token's bytecode", () => {
  test("is of the source that lies beside it", () => {
    const source = readFileSync(new URL("../contracts/Token.sol", import.meta.url))
    const { compiler, sourceSha256 } = compiledToken()
    assert.equal(createHash("sha256").update(source).digest("hex"), sourceSha256)
    assert.match(source.toString(), new RegExp(`pragma solidity ${compiler.split(" ")[1]};`))
  })
})
