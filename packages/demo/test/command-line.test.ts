import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { type Cluster, startCluster } from "@lockkeeper/cli"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import {
  type Address,
  type Hex,
  parseEther,
  recoverMessageAddress,
  serializeTransaction,
  verifyTypedData,
} from "viem"
import { HDKey, publicKeyToAddress } from "viem/accounts"
import { foundry } from "viem/chains"
import { type Anvil, startAnvil } from "../src/anvil.ts"
import { type EvmChain, fund, openChain } from "../src/evm.ts"

const COMMAND = fileURLToPath(new URL("../../cli/src/main.ts", import.meta.url))
const RECIPIENT: Address = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

/** The command line as a person runs it, and viem, which knows nothing of it, on the other side. */
describe("the command line beside a real chain", () => {
  let cluster: Cluster
  let anvil: Anvil
  let chain: EvmChain
  let environment: NodeJS.ProcessEnv

  async function lockkeeper(...line: readonly string[]): Promise<Record<string, string>> {
    const args = ["-C", "lockkeeper-source", COMMAND, ...line, "--json"]
    const options = { env: environment, timeout: 60_000 }
    const { stdout } = await promisify(execFile)(process.execPath, args, options)
    return JSON.parse(stdout)
  }

  before(async () => {
    cluster = await startCluster({ servers: 3, threshold: 2, directory: null })
    anvil = await startAnvil()
    chain = await openChain(anvil.url)
    const password = join(cluster.directory, "password")
    writeFileSync(password, "correct horse battery", { mode: 0o600 })
    environment = {
      ...{ PATH: process.env["PATH"], LK_HOME: cluster.profile, LK_NAME: "ada" },
      LK_PASSWORD_FILE: password,
    }
    await lockkeeper("register")
    await lockkeeper("login")
    await lockkeeper("keys", "create", "--type", "ecdsa-secp256k1", "--label", "spending")
  })

  after(async () => {
    await lockkeeper("logout")
    await Promise.all([cluster.stop(), anvil.stop()])
  })

  test("derives the children that a wallet derives from the extended public key", async () => {
    const { address: xpub = "" } = await lockkeeper(
      ...["keys", "address", "spending", "--format", "xpub"],
    )
    const { address, publicKey } = await lockkeeper("keys", "derive", "spending", "m/0/5")
    const derived = HDKey.fromExtendedKey(xpub).derive("m/0/5")
    assert.equal(Buffer.from(derived.publicKey ?? []).toString("hex"), publicKey)
    assert.equal(addressOfHd(derived), address)
    const line = ["keys", "address", "spending", "--path", "m/0/5", "--format", "xpub"]
    assert.equal((await lockkeeper(...line))["address"], derived.publicExtendedKey)
  })

  test("signs transactions of every type that the chain executes as the child's", async () => {
    const { address } = await lockkeeper("keys", "address", "spending", "--path", "m/0/5")
    const sender = address as Address
    await fund(chain, sender, parseEther("3"))
    const common = { chainId: foundry.id, to: RECIPIENT, value: 5n, gas: 60_000n }
    const gasPrice = 3_000_000_000n
    const accessList = [{ address: RECIPIENT, storageKeys: [`0x${"11".repeat(32)}`] }] as const
    const unsigned = [
      serializeTransaction({ type: "legacy", nonce: 0, gasPrice, ...common }),
      serializeTransaction({ type: "eip2930", nonce: 1, gasPrice, accessList, ...common }),
      serializeTransaction({ type: "eip1559", nonce: 2, maxFeePerGas: gasPrice, ...common }),
      // A long calldata, so that lengths take more than one byte.
      serializeTransaction({
        ...{ type: "eip1559", nonce: 3, maxFeePerGas: gasPrice, ...common },
        data: `0x${"ab".repeat(700)}`,
      }),
    ]
    for (const transaction of unsigned) {
      const file = join(cluster.directory, "transaction")
      const out = join(cluster.directory, `signed-${unsigned.indexOf(transaction)}`)
      writeFileSync(file, transaction)
      await lockkeeper("sign-tx", "spending", file, "--path", "m/0/5", "--out", out)
      const serializedTransaction = readFileSync(out, "utf8").trim() as Hex
      const hash = await chain.client.sendRawTransaction({ serializedTransaction })
      const receipt = await chain.client.waitForTransactionReceipt({ hash })
      assert.equal(receipt.status, "success")
      assert.equal(receipt.from.toLowerCase(), sender.toLowerCase())
    }
    assert.equal(await chain.client.getBalance({ address: RECIPIENT }), 20n)
  })

  test("signs messages and typed data that viem accepts", async () => {
    const { address } = await lockkeeper("keys", "address", "spending")
    const { signature } = await lockkeeper("sign-message", "spending", "hello")
    const signer = await recoverMessageAddress({ message: "hello", signature: signature as Hex })
    assert.equal(signer, address)
    const typed = {
      domain: { name: "Lock Keeper", chainId: 1 },
      types: { Note: [{ name: "text", type: "string" }] },
      primaryType: "Note",
      message: { text: "hello" },
    } as const
    const domainTypes = [
      { name: "name", type: "string" },
      { name: "chainId", type: "uint256" },
    ]
    const text = { ...typed, types: { EIP712Domain: domainTypes, ...typed.types } }
    const file = join(cluster.directory, "typed.json")
    writeFileSync(file, JSON.stringify(text))
    const line = ["sign-message", "spending", "--type", "eip712", "--file", file]
    const signed = (await lockkeeper(...line))["signature"] as Hex
    const account = { address: address as Address, signature: signed }
    assert.ok(await verifyTypedData({ ...account, ...typed }))
    assert.ok(!(await verifyTypedData({ ...account, ...typed, message: { text: "hullo" } })))
  })
})

function addressOfHd(key: HDKey): string {
  const point = secp256k1.Point.fromBytes(key.publicKey ?? new Uint8Array(0))
  return publicKeyToAddress(`0x${Buffer.from(point.toBytes(false)).toString("hex")}`)
}
