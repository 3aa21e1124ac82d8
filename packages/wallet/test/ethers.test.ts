import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/client"
import { LockKeeperSigner } from "@lockkeeper/wallet/ethers"
import { Transaction, verifyMessage, verifyTypedData, Wallet } from "ethers"
import fc from "fast-check"
import { serializeTransaction, type TransactionSerializable } from "viem"
import { transactions } from "./evm-arbitraries.ts"
import { hexOf, LocalSession } from "./local-session.ts"

const session = new LocalSession()
const key = session.createKey("ecdsa-secp256k1")
const signer = new LockKeeperSigner(session, key)
/** The same key in ethers' own wallet, which signs with it in this process. */
const theirs = new Wallet(hexOf(session.secretOf(key)))

async function refused(run: () => Promise<unknown>, field: string, message?: RegExp) {
  const before = session.signed.length
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof LockKeeperError, String(error))
    assert.equal(error.code, "invalid-request")
    assert.equal(error.field, field)
    if (message) assert.match(error.message, message)
    return true
  })
  assert.equal(session.signed.length, before, "something was signed")
}

for (const [name, ofType] of Object.entries(transactions)) {
  test(`random ${name} transactions are signed as ethers signs them`, async () => {
    await fc.assert(
      fc.asyncProperty(ofType as fc.Arbitrary<TransactionSerializable>, async (transaction) => {
        const request = Transaction.from(serializeTransaction(transaction))
        const signed = await signer.signTransaction(request)
        assert.equal(signed, await theirs.signTransaction(request))
        assert.equal(Transaction.from(signed).from, theirs.address)
      }),
      { numRuns: 25 },
    )
  })
}

test("messages are signed as ethers signs them", async () => {
  assert.equal(await signer.getAddress(), theirs.address)
  for (const message of ["", "héllo ✓", Uint8Array.of(0, 255)]) {
    const signature = await signer.signMessage(message)
    assert.equal(signature, await theirs.signMessage(message))
    assert.equal(verifyMessage(message, signature), theirs.address)
  }
})

test("typed data is signed as ethers signs it", async () => {
  const types = {
    Item: [
      { name: "id", type: "uint256" },
      { name: "owner", type: "address" },
      { name: "mark", type: "bytes4" },
    ],
    Order: [
      { name: "items", type: "Item[2]" },
      { name: "note", type: "string" },
      { name: "paid", type: "bool" },
    ],
  }
  const item = {
    id: "0x0102",
    owner: theirs.address.toLowerCase(),
    mark: Uint8Array.of(1, 2, 3, 4),
  }
  const message = { items: [item, { ...item, id: 1n << 200n }], note: "✓", paid: false, extra: 1 }
  for (const domain of [
    { name: "Shop", version: "1", chainId: 1, verifyingContract: theirs.address },
    { name: "Shop", version: null, chainId: 10n, salt: `0x${"ab".repeat(32)}` },
    { name: "Shop" },
  ]) {
    const signature = await signer.signTypedData(domain, types, message)
    assert.equal(signature, await theirs.signTypedData(domain, types, message))
    assert.equal(verifyTypedData(domain, types, message, signature), theirs.address)
  }
})

test("a connected signer and one of a child keep their keys", async () => {
  const connected = signer.connect(null)
  assert.equal(connected.address, signer.address)
  const child = new LockKeeperSigner(session, key, { path: [1, 2] }).connect(null)
  const own = new Wallet(hexOf(session.secretOf(key, [1, 2])))
  assert.equal(await child.getAddress(), own.address)
  assert.equal(await child.signMessage("x"), await own.signMessage("x"))
})

test("what servers would not sign is refused before they are asked", async () => {
  const to = theirs.address
  await refused(
    () => signer.signTransaction({ type: 0, to, gasPrice: 1n, gasLimit: 21_000n }),
    "transaction.chainId",
    /every chain/,
  )
  const other = Wallet.createRandom().address
  await refused(() => signer.signTransaction({ type: 2, chainId: 1n, to, from: other }), "from")
  const authorization = { address: to, chainId: 1n, nonce: 0n }
  await refused(() => signer.authorize(authorization), "authorization")
  const signed = await theirs.authorize(authorization)
  await refused(
    () => signer.signTransaction({ type: 4, chainId: 1n, to, authorizationList: [signed] }),
    "transaction.type",
  )
  const ed25519 = session.createKey("ed25519")
  assert.throws(() => new LockKeeperSigner(session, ed25519), { field: "key" })
})
