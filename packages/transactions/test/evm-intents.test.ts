import assert from "node:assert/strict"
import { test } from "node:test"
import { concat, DecodeError, fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import {
  evmAddress,
  evmDelegationIntent,
  evmMessageDigest,
  evmMessageIntent,
  evmTransactionDigest,
  evmTransactionIntent,
} from "@lockkeeper/transactions"
import { authorization } from "micro-eth-signer"
import { RLP } from "micro-eth-signer/core/rlp.js"
import { publicKey, secretKey } from "./bitcoin-spend.ts"
import {
  addressBytes,
  CONTRACT,
  callWith,
  RECIPIENT,
  unsigned,
  word,
  ZERO,
} from "./evm-unsigned.ts"

const warningsOf = (bytes: Uint8Array) =>
  evmTransactionIntent(bytes).intent.warnings.map(({ kind, at }) => `${kind} ${at}`)

function refused(read: () => unknown, what: RegExp, path = ""): void {
  assert.throws(read, (error) => {
    assert.ok(error instanceof DecodeError, String(error))
    assert.match(error.message, what)
    assert.equal(error.path, path)
    return true
  })
}

test("EIP-155's example is one transfer of an ether, with its fee and nonce", () => {
  const bytes = fromHex(
    "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080",
  )
  const { intent, digest } = evmTransactionIntent(bytes, publicKey)
  assert.deepEqual(digest, evmTransactionDigest(bytes))
  const from = evmAddress(publicKey)
  assert.deepEqual(intent, {
    chain: { kind: "evm", chainId: 1n },
    kind: "transaction",
    from,
    actions: [
      {
        ...{ kind: "transfer", from, to: CONTRACT, asset: { kind: "native" } },
        ...{ amount: 10n ** 18n, details: [] },
      },
    ],
    feeCeiling: 21_000n * 20_000_000_000n,
    nonce: 9n,
    warnings: [],
    details: [
      { name: "form", value: "legacy, EIP-155" },
      { name: "gasLimit", value: "21000" },
      { name: "gasPrice", value: "20000000000" },
    ],
  })
})

test("a call that also sends ether is two actions, and a token of the caller's own is no other's", () => {
  const data = `23b872dd${word(evmAddress(publicKey))}${word(RECIPIENT)}${word(7n)}`
  const { intent } = evmTransactionIntent(callWith(data, { value: 5n }), publicKey)
  assert.deepEqual(
    intent.actions.map(({ kind, to, amount, asset }) => [kind, to, amount, asset?.kind]),
    [
      ["transfer", CONTRACT, 5n, "native"],
      ["transfer", RECIPIENT, 7n, "token"],
    ],
  )
  assert.deepEqual(
    intent.warnings.map(({ kind }) => kind),
    ["amount-or-token-id"],
  )
})

test("creations, high fees, blobs and the zero address are warned of", () => {
  const creation = unsigned(2, { to: "", data: fromHex("6000"), value: 3n })
  const [created] = evmTransactionIntent(creation).intent.actions
  assert.deepEqual([created?.kind, created?.to, created?.amount], ["create", null, 3n])
  assert.deepEqual(created?.details, [{ name: "init code", value: "0x6000" }])
  assert.deepEqual(warningsOf(creation), ["contract-creation to"])
  const price = 5_000_000_000_000n
  assert.deepEqual(warningsOf(unsigned("legacy", { gasPrice: price })), [])
  assert.deepEqual(warningsOf(unsigned("legacy", { gasPrice: price + 1n })), ["high-fee gasLimit"])
  assert.deepEqual(warningsOf(unsigned(1, { gasLimit: 1n << 24n })), [])
  assert.deepEqual(warningsOf(unsigned(1, { gasLimit: (1n << 24n) + 1n })), ["high-fee gasLimit"])
  const blob = "blob-transaction blobVersionedHashes"
  assert.deepEqual(warningsOf(unsigned(3)), [blob])
  assert.deepEqual(warningsOf(unsigned(3, { maxFeePerBlobGas: price + 1n })), [
    "high-fee gasLimit",
    blob,
  ])
  assert.equal(evmTransactionIntent(unsigned(3)).intent.feeCeiling, 90_000n * 9n + 131_072n * 3n)
  assert.deepEqual(warningsOf(unsigned(2, { to: addressBytes(ZERO) })), ["to-zero-address to"])
  const most = (1n << 256n) - 1n
  refused(
    () => evmTransactionIntent(unsigned(3, { maxFeePerBlobGas: most })),
    /256 bits/,
    "gasLimit",
  )
})

const DELEGATE = { chainId: 0n, address: RECIPIENT, nonce: 4n }

function authorizations(...changes: readonly object[]) {
  const list = changes.map((change) => {
    const { chainId, address, nonce, yParity, r, s } = {
      ...authorization.sign(DELEGATE, secretKey, false),
      ...change,
    }
    return [chainId, addressBytes(address), nonce, BigInt(yParity), r, s]
  })
  return unsigned(4, { authorizationList: list })
}

test("an EIP-7702 transaction names whose account gets which code, or that it cannot tell", () => {
  const { intent } = evmTransactionIntent(authorizations({}, { s: (1n << 256n) - 1n }))
  const [call, own, unknown] = intent.actions
  assert.equal(call?.kind, "transfer")
  assert.deepEqual(
    [own, unknown].map((action) => [action?.kind, action?.from, action?.to]),
    [
      ["delegate", evmAddress(publicKey), RECIPIENT],
      ["delegate", null, RECIPIENT],
    ],
  )
  assert.deepEqual(own?.details.slice(0, 2), [
    { name: "valid on chain", value: "every chain" },
    { name: "nonce of the account", value: "4" },
  ])
  assert.deepEqual(
    intent.warnings.map(({ kind, at }) => `${kind} ${at}`),
    [
      ...["delegation authorizationList.0", "any-chain authorizationList.0.chainId"],
      ...["delegation authorizationList.1", "any-chain authorizationList.1.chainId"],
      "unknown-authority authorizationList.1",
    ],
  )
})

test("authorizations of another form are refused by their place", () => {
  const list = (authorizationList: never) => () =>
    evmTransactionIntent(unsigned(4, { authorizationList }))
  refused(list("" as never), /not a list/, "authorizationList")
  refused(list([] as never), /no authorization/, "authorizationList")
  refused(list([["", ""]] as never), /six fields/, "authorizationList.0")
  refused(list(["01"] as never), /six fields/, "authorizationList.0")
  const one = (index: number, value: unknown) => {
    const fields: unknown[] = [1n, addressBytes(RECIPIENT), 1n, 1n, 1n, 1n]
    fields[index] = value
    return list([fields] as never)
  }
  refused(one(0, fromHex("0001")), /leading zeros/, "authorizationList.0.chainId")
  refused(one(1, ""), /not an address/, "authorizationList.0.address")
  refused(one(2, 1n << 64n), /too large/, "authorizationList.0.nonce")
  refused(one(3, 256n), /too large/, "authorizationList.0.yParity")
  refused(one(3, 2n), /protocol's limits/)
  refused(one(4, []), /a list instead/, "authorizationList.0.r")
  refused(one(5, 1n << 256n), /too large/, "authorizationList.0.s")
  // The digest alone is not given for one: nobody would have seen whose account it hands over.
  refused(() => evmTransactionDigest(authorizations({})), /type 1, 2 or 3/, "type")
})

test("what an account signs to delegate itself has EIP-7702's digest", () => {
  const message = (...fields: unknown[]) =>
    concat(Uint8Array.of(5), new Uint8Array(RLP.encode(fields as never)))
  const bytes = message(1n, addressBytes(RECIPIENT), 4n)
  const { intent, digest } = evmDelegationIntent(bytes, publicKey)
  assert.deepEqual(digest, new Uint8Array(authorization.getHash({ ...DELEGATE, chainId: 1n })))
  assert.deepEqual(
    [intent.kind, intent.nonce, intent.chain],
    ["delegation", 4n, { kind: "evm", chainId: 1n }],
  )
  assert.deepEqual(intent.actions[0]?.to, RECIPIENT)
  assert.deepEqual(intent.warnings, [{ kind: "delegation", at: "address" }])
  const anywhere = evmDelegationIntent(message("", addressBytes(RECIPIENT), 4n)).intent
  assert.deepEqual(anywhere.chain, { kind: "evm", chainId: null })
  assert.deepEqual(anywhere.warnings[1], { kind: "any-chain", at: "chainId" })
  const read = (given: Uint8Array) => () => evmDelegationIntent(given)
  refused(read(bytes.subarray(1)), /begins with 05/)
  refused(read(new Uint8Array(0)), /begins with 05/)
  refused(read(message(1n, addressBytes(RECIPIENT))), /2 fields instead of 3/)
  refused(read(message(1n, addressBytes(RECIPIENT), 4n, 1n)), /4 fields instead of 3/)
  refused(read(message(1n, "", 4n)), /not an address/, "address")
  refused(read(message(1n, addressBytes(RECIPIENT), (1n << 64n) - 1n)), /too large/, "nonce")
  refused(read(message(1n, addressBytes(RECIPIENT), fromHex("0001"))), /leading zeros/, "nonce")
  refused(read(concat(bytes, Uint8Array.of(0))), /RLP/)
  refused(read(concat(Uint8Array.of(5), Uint8Array.of(0x80))), /not a list/)
})

test("a message is text where all of it can be read, and bytes otherwise", () => {
  const of = (message: Uint8Array) => {
    const { intent, digest } = evmMessageIntent(message)
    assert.deepEqual(digest, evmMessageDigest(message))
    const warnings = intent.warnings.map(({ kind }) => kind)
    return [...(intent.actions[0]?.details ?? []), ...warnings]
  }
  assert.deepEqual(of(utf8("Log in\n\tas Zoë")), [{ name: "text", value: "Log in\n\tas Zoë" }])
  assert.deepEqual(of(new Uint8Array(0)), [{ name: "text", value: "" }])
  for (const unseen of ["\u0000", "\u001b[2J", "\u200b", "\u202e", "\u2028", "\ufeff", "\ue000"]) {
    const bytes = utf8(`a${unseen}b`)
    assert.deepEqual(of(bytes), [
      { name: "bytes", value: `0x${toHex(bytes)}` },
      "unreadable-message",
    ])
  }
  const invalid = fromHex("c328")
  assert.deepEqual(of(invalid), [{ name: "bytes", value: "0xc328" }, "unreadable-message"])
  const hash = new Uint8Array(32).fill(0xff)
  assert.deepEqual(of(hash).slice(1), ["unreadable-message", "hash-like-message"])
  assert.deepEqual(of(utf8("x".repeat(32))).slice(1), ["hash-like-message"])
})
