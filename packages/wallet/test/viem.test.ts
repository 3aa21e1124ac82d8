import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError } from "@lockkeeper/client"
import { evmAddress } from "@lockkeeper/wallet"
import { toLockKeeperAccount } from "@lockkeeper/wallet/viem"
import fc from "fast-check"
import {
  recoverAddress,
  recoverMessageAddress,
  recoverTransactionAddress,
  type TransactionSerializable,
  type TransactionSerialized,
  verifyMessage,
  verifyTypedData,
} from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { EvmSignatory } from "../src/evm-signatory.ts"
import { transactions } from "./evm-arbitraries.ts"
import { hexOf, LocalSession } from "./local-session.ts"

const session = new LocalSession()
const key = session.createKey("ecdsa-secp256k1")
const account = toLockKeeperAccount(session, key)
/** The same key in viem's own account, which signs with it in this process. */
const theirs = privateKeyToAccount(hexOf(session.secretOf(key)))

const typedData = {
  domain: { name: "Ether Mail", version: "1", chainId: 1n, verifyingContract: account.address },
  types: {
    Person: [
      { name: "name", type: "string" },
      { name: "wallet", type: "address" },
    ],
    Mail: [
      { name: "from", type: "Person" },
      { name: "to", type: "Person[]" },
      { name: "amount", type: "uint256" },
      { name: "small", type: "int16" },
      { name: "data", type: "bytes" },
    ],
  },
  primaryType: "Mail",
  message: {
    from: { name: "Cow", wallet: account.address },
    to: [{ name: "Bob", wallet: theirs.address }],
    amount: (1n << 255n) + 1n,
    small: -5,
    data: "0xAbCd",
  },
} as const

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

test("the account has the address and the public key that viem computes", () => {
  assert.equal(account.address, theirs.address)
  assert.equal(account.publicKey, theirs.publicKey)
  assert.equal(evmAddress(key.publicKey), theirs.address)
  assert.equal(account.type, "local")
  assert.equal(account.source, "lockkeeper")
})

for (const [name, ofType] of Object.entries(transactions)) {
  test(`random ${name} transactions are signed as viem signs them`, async () => {
    await fc.assert(
      fc.asyncProperty(ofType as fc.Arbitrary<TransactionSerializable>, async (transaction) => {
        const signed = await account.signTransaction(transaction)
        assert.equal(signed, await theirs.signTransaction(transaction))
        const serializedTransaction = signed as TransactionSerialized
        assert.equal(await recoverTransactionAddress({ serializedTransaction }), account.address)
      }),
      { numRuns: 25 },
    )
  })
}

test("the blobs of an EIP-4844 transaction travel with it and are not sent to be signed", async () => {
  const sidecars = [
    { blob: hexOf(new Uint8Array(131_072)), commitment: "0xc0", proof: "0xc1" },
  ] as const
  const transaction = {
    type: "eip4844",
    chainId: 1,
    to: account.address,
    maxFeePerBlobGas: 1n,
    maxFeePerGas: 2n,
    maxPriorityFeePerGas: 1n,
    gas: 21_000n,
    blobVersionedHashes: [`0x01${"00".repeat(31)}`],
    sidecars,
  } as const
  const signed = await account.signTransaction(transaction)
  assert.equal(signed, await theirs.signTransaction(transaction))
  assert.ok(signed.length > 262_144)
  const sent = session.signed.at(-1)
  assert.ok(sent?.kind === "evm-transaction" && sent.transaction.length < 200)
})

test("messages, raw ones too, are signed as viem signs them", async () => {
  for (const message of [
    "",
    "hello",
    "héllo ✓",
    { raw: "0x00ff" },
    { raw: Uint8Array.of(1, 2) },
  ] as const) {
    const signature = await account.signMessage({ message })
    assert.equal(signature, await theirs.signMessage({ message }))
    assert.ok(await verifyMessage({ address: account.address, message, signature }))
    assert.equal(await recoverMessageAddress({ message, signature }), account.address)
  }
})

test("typed data is signed as viem signs it, and passes on nothing that is not signed", async () => {
  const signature = await account.signTypedData(typedData)
  assert.equal(signature, await theirs.signTypedData(typedData))
  assert.ok(await verifyTypedData({ ...typedData, address: account.address, signature }))

  const types = { ...typedData.types, Unused: [{ name: "x", type: "bool" }] }
  const message = { ...typedData.message, unused: "not in the type" }
  const more = { ...typedData, types, message } as unknown as typeof typedData
  assert.equal(await account.signTypedData(more), signature)
  const sent = session.signed.at(-1)
  assert.ok(sent?.kind === "evm-typed-data" && !/unused/i.test(sent.typedData))

  const bare = { ...typedData, domain: { chainId: 5 } }
  assert.equal(await account.signTypedData(bare), await theirs.signTypedData(bare))
})

test("a bare digest is signed as viem signs it", async () => {
  const hash = `0x${"5a".repeat(32)}` as const
  const signature = await account.sign({ hash })
  assert.equal(signature, await theirs.sign({ hash }))
  assert.equal(await recoverAddress({ hash, signature }), account.address)
  await refused(() => account.sign({ hash: "0x5a" }), "hash", /32 bytes/)
})

test("a child signs for its own address", async () => {
  const path = [0, 7]
  const child = toLockKeeperAccount(session, key, { path })
  const own = privateKeyToAccount(hexOf(session.secretOf(key, path)))
  assert.equal(child.address, own.address)
  assert.notEqual(child.address, account.address)
  assert.equal(await child.signMessage({ message: "x" }), await own.signMessage({ message: "x" }))
})

test("what servers would not sign is refused before they are asked", async () => {
  const fees = { maxFeePerGas: 2n, maxPriorityFeePerGas: 1n }
  const to = account.address
  await refused(
    () => account.signTransaction({ type: "legacy", to, gasPrice: 1n }),
    "transaction.chainId",
    /every chain/,
  )
  await refused(
    () =>
      account.signTransaction({
        ...{ type: "eip7702", chainId: 1, to, ...fees },
        authorizationList: [{ address: to, chainId: 1, nonce: 0, r: "0x1", s: "0x1", yParity: 0 }],
      }),
    "transaction.type",
  )
  await refused(
    async () => account.signAuthorization?.({ address: to, chainId: 1, nonce: 0 }),
    "authorization",
  )
  const wrong = { ...typedData, message: { ...typedData.message, small: 2 ** 60 } }
  await refused(() => account.signTypedData(wrong), "message.small", /exact integer/)
  const cyclic = {
    types: { Node: [{ name: "next", type: "Node[]" }] },
    primaryType: "Node",
    domain: { name: "d" },
    message: { next: [] },
  } as const
  await refused(() => account.signTypedData(cyclic as never), "typedData.types.Node", /itself/)
})

test("keys of other types and paths to no child make no account", () => {
  const code = { name: "LockKeeperError", code: "invalid-request" }
  for (const keyType of ["ed25519", "bip340"] as const) {
    const other = session.createKey(keyType)
    assert.throws(() => toLockKeeperAccount(session, other), { ...code, field: "key" })
  }
  for (const [path, message] of [
    [[0x8000_0000], /no hardened children/],
    [[0, 0xffff_ffff], /no hardened children/],
    [[-1], /no child's number/],
    [[1.5], /no child's number/],
    [[2 ** 32], /no child's number/],
    [Array<number>(11).fill(0), /too long/],
  ] as const) {
    const refused = { ...code, field: "path", message }
    assert.throws(() => toLockKeeperAccount(session, key, { path }), refused)
  }
})

test("a signature by another key, or of a recovery id that chains do not have, does not get out", async () => {
  const other = session.createKey("ecdsa-secp256k1", "other")
  const swapping = new LocalSession()
  swapping.createKey("ecdsa-secp256k1")
  const give = (change: object) =>
    toLockKeeperAccount(
      {
        keys: session.keys,
        sign: (options) => session.sign(options),
        signDigestOf: async (options) => ({ ...(await session.signDigestOf(options)), ...change }),
      },
      key,
    ).signMessage({ message: "x" })
  await assert.rejects(give({ publicKey: other.publicKey }), { code: "internal", field: "path" })
  await assert.rejects(give({ recovery: 2 }), { code: "aborted" })
  assert.equal(await give({}), await theirs.signMessage({ message: "x" }))
})

test("what the library hashed and what the servers would sign must be one digest", async () => {
  const signatory = new EvmSignatory(session, key, {})
  const before = session.signed.length
  const message = Uint8Array.of(1)
  const error = { name: "LockKeeperError", code: "internal", field: "message" }
  await assert.rejects(signatory.message(message, new Uint8Array(32)), error)
  assert.equal(session.signed.length, before)
})

test("a domain of its own making is signed where it is EIP-712's, and refused elsewhere", async () => {
  const [name, version] = [
    { name: "name", type: "string" },
    { name: "version", type: "string" },
  ]
  const withDomain = (EIP712Domain: readonly object[], domain: object) =>
    ({ ...typedData, types: { ...typedData.types, EIP712Domain }, domain }) as never
  const domain = { name: "d", version: "1", chainId: null }
  for (const fields of [[name], [name, version]]) {
    const data = withDomain(fields as object[], domain)
    assert.equal(await account.signTypedData(data), await theirs.signTypedData(data))
  }
  const swapped = withDomain([version, name] as object[], domain)
  await refused(() => account.signTypedData(swapped), "typedData.types.EIP712Domain")
})

test("an abort signal reaches the session", async () => {
  const abort = new AbortController()
  const cancelled = toLockKeeperAccount(session, key, { signal: abort.signal })
  abort.abort()
  await assert.rejects(cancelled.signMessage({ message: "x" }), { name: "AbortError" })
})
