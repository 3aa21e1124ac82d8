import assert from "node:assert/strict"
import { test } from "node:test"
import { type KeyInfo, LockKeeper, LockKeeperError, type Session } from "@lockkeeper/client"
import { World } from "@lockkeeper/simulator"
import { bitcoinOutput, evmAddress } from "@lockkeeper/wallet"
import { signPsbt } from "@lockkeeper/wallet/bitcoin"
import { LockKeeperSigner } from "@lockkeeper/wallet/ethers"
import { createLockKeeperSigner } from "@lockkeeper/wallet/solana"
import { toLockKeeperAccount } from "@lockkeeper/wallet/viem"
import { schnorr } from "@noble/curves/secp256k1.js"
import { Transaction } from "@scure/btc-signer"
import { createSignableMessage, getPublicKeyFromAddress, verifySignature } from "@solana/kit"
import { Transaction as EthersTransaction, verifyMessage, verifyTypedData } from "ethers"
import { recoverTransactionAddress, type TransactionSerializedEIP1559 } from "viem"

/** One account with three key servers in this process, on a clock of their own. */
async function withSession(run: (session: Session) => Promise<void>): Promise<void> {
  const world = await World.create({ seed: "wallet" })
  await world.clock.run(async () => {
    const dependencies = world.dependenciesFor("laptop")
    const keeper = await LockKeeper.connect({ ...world.trust, dependencies })
    const owner = { name: "alice", password: "correct horse battery staple" }
    await keeper.register(owner)
    await run(await keeper.login(owner))
    keeper.close()
  })
}

/** To be done on the real clock: libraries that load code or use WebCrypto wait for it. */
type Check = () => Promise<void>

test("accounts and signers of the SDK's keys sign with three key servers", async () => {
  const checks: Check[] = []
  await withSession(async (session) => {
    const { key } = await session.keys.create({ type: "ecdsa-secp256k1" })
    await session.keys.derive(key.keyId, [0, 5])
    checks.push(await evmAccountSigns(session, key))
    await evmChildSigns(session, key)
    await bitcoinIsSpent(session, key)
    checks.push(await solanaSigns(session))
  })
  for (const check of checks) await check()
})

async function evmAccountSigns(session: Session, key: KeyInfo): Promise<Check> {
  const account = toLockKeeperAccount(session, key)
  assert.equal(account.address, evmAddress(key.publicKey))
  const fees = { gas: 21_000n, maxFeePerGas: 2n, maxPriorityFeePerGas: 1n }
  const transfer = { type: "eip1559", chainId: 1, to: account.address, value: 1n } as const
  const signed = await account.signTransaction({ ...transfer, ...fees })
  const serializedTransaction = signed as TransactionSerializedEIP1559
  await assert.rejects(
    account.signTransaction({ type: "legacy", to: account.address, gasPrice: 1n }),
    (error) => error instanceof LockKeeperError && error.field === "transaction.chainId",
  )
  return async () => {
    assert.equal(await recoverTransactionAddress({ serializedTransaction }), account.address)
  }
}

async function evmChildSigns(session: Session, key: KeyInfo): Promise<void> {
  const signer = new LockKeeperSigner(session, key, { path: [0, 5] })
  assert.notEqual(signer.address, evmAddress(key.publicKey))
  const request = { type: 0, chainId: 10n, to: signer.address, gasPrice: 7n, gasLimit: 21_000n }
  const transaction = EthersTransaction.from(await signer.signTransaction(request))
  assert.equal(transaction.from, signer.address)
  assert.equal(verifyMessage("hello", await signer.signMessage("hello")), signer.address)
  const types = { Vote: [{ name: "yes", type: "bool" }] }
  const signature = await signer.signTypedData({ name: "Poll" }, types, { yes: true })
  assert.equal(verifyTypedData({ name: "Poll" }, types, { yes: true }, signature), signer.address)

  const unregistered = new LockKeeperSigner(session, key, { path: [9] })
  await assert.rejects(unregistered.signMessage("hello"), LockKeeperError)
}

async function bitcoinIsSpent(session: Session, key: KeyInfo): Promise<void> {
  const { key: taproot } = await session.keys.create({ type: "bip340" })
  const path = [0, 5]
  const spends = [
    { output: bitcoinOutput(key.publicKey, "p2wpkh"), of: key, path: [] },
    { output: bitcoinOutput(taproot.publicKey, "p2tr"), of: taproot, path: [] },
    {
      output: bitcoinOutput(session.keys.childKey(key, path).publicKey, "p2wpkh"),
      ...{ of: key, path },
    },
  ]
  const unsigned = new Transaction()
  spends.forEach(({ output, of }, index) => {
    unsigned.addInput({
      ...{ txid: new Uint8Array(32).fill(index + 1), index: 0 },
      witnessUtxo: { script: output.script, amount: 1000n },
      ...(of === taproot ? { tapInternalKey: taproot.publicKey } : {}),
    })
  })
  unsigned.addOutputAddress(bitcoinOutput(key.publicKey, "p2wpkh").address, 2500n)
  let psbt: Uint8Array = unsigned.toPSBT()
  for (const { of, path } of spends) psbt = await signPsbt(session, of, psbt, { path })
  const signed = Transaction.fromPSBT(psbt)
  const { tapKeySig } = signed.getInput(1)
  const digest = signed.preimageWitnessV1(
    1,
    spends.map(({ output }) => output.script),
    0,
    spends.map(() => 1000n),
  )
  const outputKey = bitcoinOutput(taproot.publicKey, "p2tr").script.subarray(2)
  assert.ok(tapKeySig && schnorr.verify(tapKeySig, digest, outputKey))
  signed.finalize()
  assert.equal(signed.id, unsigned.id)
}

async function solanaSigns(session: Session): Promise<Check> {
  const { key } = await session.keys.create({ type: "ed25519" })
  const signer = createLockKeeperSigner(session, key)
  const message = createSignableMessage("hello")
  const [signatures] = await signer.signMessages([message])
  const signature = signatures?.[signer.address]
  assert.ok(signature)
  return async () => {
    const publicKey = await getPublicKeyFromAddress(signer.address)
    assert.ok(await verifySignature(publicKey, signature, message.content))
  }
}
