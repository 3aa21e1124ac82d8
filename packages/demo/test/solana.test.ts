import assert from "node:assert/strict"
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import { describe, test } from "node:test"
import type { Bytes } from "@lockkeeper/encoding"
import { fromBase64url } from "@lockkeeper/encoding"
import { ChainRefused } from "../src/chain-refused.ts"
import {
  airdrop,
  balance,
  solanaAddress,
  startSolana,
  transfer,
  verifyEd25519,
} from "../src/solana.ts"

function localOwner() {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519")
  const raw = fromBase64url((publicKey.export({ format: "jwk" }) as { x: string }).x)
  const seen: Bytes[] = []
  return {
    publicKey: raw,
    privateKey: privateKey as KeyObject,
    seen,
    sign: async (message: Bytes) => {
      seen.push(message)
      return new Uint8Array(sign(null, message, privateKey))
    },
  }
}

const recipient = solanaAddress(new Uint8Array(32).fill(7))

describe("a Solana transfer", () => {
  test("executes on the runtime and moves exactly the amount", async () => {
    const svm = startSolana()
    const owner = localOwner()
    const from = solanaAddress(owner.publicKey)
    airdrop(svm, from, 2_000_000_000n)
    const done = await transfer(svm, owner, recipient, 500_000_000n)
    assert.equal(done.from, from)
    assert.equal(balance(svm, recipient), 500_000_000n)
    assert.equal(balance(svm, from), 2_000_000_000n - 500_000_000n - done.fee)
    assert.equal(done.fee, 5_000n)
    assert.ok(verifyEd25519(owner.publicKey, done.message, done.signature))
    assert.deepEqual(owner.seen, [done.message])
  })

  test("executes a second time from the same account", async () => {
    const svm = startSolana()
    const owner = localOwner()
    airdrop(svm, solanaAddress(owner.publicKey), 2_000_000_000n)
    await transfer(svm, owner, recipient, 500_000_000n)
    await transfer(svm, owner, recipient, 250_000_000n)
    assert.equal(balance(svm, recipient), 750_000_000n)
  })

  test("is refused before the runtime when one bit of the signature differs", async () => {
    const svm = startSolana()
    const owner = localOwner()
    airdrop(svm, solanaAddress(owner.publicKey), 2_000_000_000n)
    const sign = async (message: Bytes) => {
      const signature = await owner.sign(message)
      signature[0] = (signature[0] as number) ^ 1
      return signature
    }
    await assert.rejects(
      transfer(svm, { publicKey: owner.publicKey, sign }, recipient, 1_000_000n),
      (error) => error instanceof ChainRefused && error.message.includes("node:crypto"),
    )
    assert.equal(balance(svm, recipient), 0n)
  })

  test("is refused by the runtime when the account cannot pay", async () => {
    const svm = startSolana()
    const owner = localOwner()
    airdrop(svm, solanaAddress(owner.publicKey), 1_000_000_000n)
    await assert.rejects(
      transfer(svm, owner, recipient, 5_000_000_000n),
      (error) => error instanceof ChainRefused && error.message.includes("Solana runtime"),
    )
    assert.equal(balance(svm, recipient), 0n)
  })
})
