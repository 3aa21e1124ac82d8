import assert from "node:assert/strict"
import { test } from "node:test"
import { solanaAddress } from "@lockkeeper/wallet"
import { createLockKeeperSigner } from "@lockkeeper/wallet/solana"
import {
  AccountRole,
  type Address,
  appendTransactionMessageInstruction,
  assertIsFullySignedTransaction,
  type Blockhash,
  createKeyPairSignerFromPrivateKeyBytes,
  createSignableMessage,
  createTransactionMessage,
  getPublicKeyFromAddress,
  isMessagePartialSigner,
  isTransactionPartialSigner,
  pipe,
  setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash,
  signTransactionMessageWithSigners,
  verifySignature,
} from "@solana/kit"
import { LocalSession } from "./local-session.ts"

const session = new LocalSession()
const key = session.createKey("ed25519")
const signer = createLockKeeperSigner(session, key)

function transferFrom(from: typeof signer) {
  return pipe(
    createTransactionMessage({ version: 0 }),
    (message) => setTransactionMessageFeePayerSigner(from, message),
    (message) =>
      setTransactionMessageLifetimeUsingBlockhash(
        { blockhash: "11111111111111111111111111111111" as Blockhash, lastValidBlockHeight: 1n },
        message,
      ),
    (message) =>
      appendTransactionMessageInstruction(
        {
          programAddress: "11111111111111111111111111111111" as Address,
          accounts: [{ address: from.address, role: AccountRole.WRITABLE_SIGNER }],
          data: Uint8Array.of(2, 0, 0, 0),
        },
        message,
      ),
  )
}

test("the signer has the address that Solana's library computes", async () => {
  const theirs = await createKeyPairSignerFromPrivateKeyBytes(session.secretOf(key))
  assert.equal(signer.address, theirs.address)
  assert.equal(solanaAddress(key.publicKey), theirs.address)
  assert.ok(isMessagePartialSigner(signer))
  assert.ok(isTransactionPartialSigner(signer))
})

test("a transaction that the library completes with the signer holds its signature", async () => {
  for (const path of [[], [3]]) {
    const own = createLockKeeperSigner(session, key, { path })
    const transaction = await signTransactionMessageWithSigners(transferFrom(own))
    assertIsFullySignedTransaction(transaction)
    const signature = transaction.signatures[own.address]
    assert.ok(signature)
    const publicKey = await getPublicKeyFromAddress(own.address)
    assert.ok(await verifySignature(publicKey, signature, transaction.messageBytes))
    const sent = session.signed.at(-1)
    assert.ok(sent?.kind === "message")
    assert.deepEqual(sent.message, new Uint8Array(transaction.messageBytes))
  }
})

test("messages are signed whole and in order", async () => {
  const messages = ["one", "two"].map((text) => createSignableMessage(text))
  const signed = await signer.signMessages(messages)
  assert.equal(signed.length, 2)
  const publicKey = await getPublicKeyFromAddress(signer.address)
  for (const [index, signatures] of signed.entries()) {
    const signature = signatures[signer.address]
    assert.ok(signature)
    assert.ok(await verifySignature(publicKey, signature, messages[index]?.content as Uint8Array))
  }
})

test("a cancelled flow signs nothing more, and other keys make no signer", async () => {
  const before = session.signed.length
  const abortSignal = AbortSignal.abort()
  const [message] = [createSignableMessage("one")]
  await assert.rejects(signer.signMessages([message], { abortSignal }), { name: "AbortError" })
  assert.equal(session.signed.length, before)
  const wrong = session.createKey("ecdsa-secp256k1")
  assert.throws(() => createLockKeeperSigner(session, wrong), { field: "key" })
  assert.throws(() => createLockKeeperSigner(session, key, { path: [2 ** 31] }), { field: "path" })
})
