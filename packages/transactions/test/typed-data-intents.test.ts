import assert from "node:assert/strict"
import { test } from "node:test"
import { toHex } from "@lockkeeper/encoding"
import { evmTypedDataDigest, evmTypedDataIntent, linesOf } from "@lockkeeper/transactions"
import { TypedDataEncoder } from "ethers"
import { publicKey } from "./bitcoin-spend.ts"
import { CONTRACT, RECIPIENT } from "./evm-unsigned.ts"

const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
const MAX = ((1n << 256n) - 1n).toString()

type Types = Record<string, { name: string; type: string }[]>

/** Fields as encodeType writes them. */
const fields = (text: string) =>
  text.split(",").map((field) => {
    const [type = "", name = ""] = field.split(" ")
    return { name, type }
  })

const DOMAIN = "string name,uint256 chainId,address verifyingContract"

function typedData(
  primaryType: string,
  types: Types,
  message: object,
  domain: object = { name: "T", chainId: 1, verifyingContract: CONTRACT },
  domainType = DOMAIN,
): string {
  const all = { EIP712Domain: fields(domainType), ...types }
  return JSON.stringify({ types: all, primaryType, domain, message })
}

function read(text: string) {
  const { intent, digest } = evmTypedDataIntent(text, publicKey)
  const { types, domain, message } = JSON.parse(text)
  const { EIP712Domain: _, ...own } = types
  assert.equal(`0x${toHex(digest)}`, TypedDataEncoder.hash(domain, own, message))
  assert.deepEqual(digest, evmTypedDataDigest(text))
  return { ...intent, warnings: intent.warnings.map(({ kind, at }) => `${kind} ${at}`) }
}

const PERMIT = fields("address owner,address spender,uint256 value,uint256 nonce,uint256 deadline")
const permit = { owner: CONTRACT, spender: RECIPIENT, value: "7", nonce: 3, deadline: 99 }
const token = { kind: "token", contract: CONTRACT } as const

test("EIP-2612's permit is an approval by its owner, with no transaction", () => {
  const intent = read(typedData("Permit", { Permit: PERMIT }, permit))
  assert.deepEqual(intent.actions, [
    { kind: "approve", from: CONTRACT, to: RECIPIENT, asset: token, amount: 7n, details: [] },
  ])
  assert.deepEqual([intent.chain, intent.nonce], [{ kind: "evm", chainId: 1n }, 3n])
  assert.deepEqual(intent.warnings, ["permit message"])
  const unlimited = read(typedData("Permit", { Permit: PERMIT }, { ...permit, value: MAX }))
  assert.deepEqual(unlimited.warnings, ["unlimited-approval message.value", "permit message"])
})

test("DAI's permit allows everything or nothing", () => {
  const Permit = fields("address holder,address spender,uint256 nonce,uint256 expiry,bool allowed")
  const message = { holder: CONTRACT, spender: RECIPIENT, nonce: 1, expiry: 0 }
  const yes = read(typedData("Permit", { Permit }, { ...message, allowed: true }))
  assert.equal(yes.actions[0]?.amount, (1n << 256n) - 1n)
  assert.deepEqual(yes.warnings, ["unlimited-approval message.allowed", "permit message"])
  const no = read(typedData("Permit", { Permit }, { ...message, allowed: false }))
  assert.deepEqual([no.actions[0]?.amount, no.warnings], [0n, ["permit message"]])
})

test("EIP-3009's authorizations are transfers", () => {
  const declared =
    "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"
  for (const name of ["TransferWithAuthorization", "ReceiveWithAuthorization"]) {
    const message = {
      ...{ from: RECIPIENT, to: CONTRACT, value: 8, validAfter: 0, validBefore: 9 },
      nonce: `0x${"01".repeat(32)}`,
    }
    const intent = read(typedData(name, { [name]: fields(declared) }, message))
    assert.deepEqual(intent.actions, [
      { kind: "transfer", from: RECIPIENT, to: CONTRACT, asset: token, amount: 8n, details: [] },
    ])
    assert.deepEqual(intent.warnings, ["permit message"])
  }
})

const details = "address token,uint160 amount,uint48 expiration,uint48 nonce"
const permit2 = { name: "Permit2", chainId: 1, verifyingContract: PERMIT2 }
const single = { token: CONTRACT, amount: "5", expiration: 77, nonce: 0 }

test("Permit2's permits are approvals of the tokens in them, by whoever signs", () => {
  const from = read(typedData("Permit", { Permit: PERMIT }, permit)).from
  const PermitDetails = fields(details)
  const PermitSingle = fields("PermitDetails details,address spender,uint256 sigDeadline")
  const message = { details: single, spender: RECIPIENT, sigDeadline: 88 }
  const one = read(typedData("PermitSingle", { PermitSingle, PermitDetails }, message, permit2))
  const approved = { kind: "approve", from, to: RECIPIENT, asset: token, amount: 5n }
  const expiration = [{ name: "expiration", value: "77" }]
  assert.deepEqual(one.actions, [{ ...approved, details: expiration }])
  const PermitBatch = fields("PermitDetails[] details,address spender,uint256 sigDeadline")
  const batch = { ...message, details: [single, { ...single, amount: `0x${"f".repeat(40)}` }] }
  const two = read(typedData("PermitBatch", { PermitBatch, PermitDetails }, batch, permit2))
  assert.deepEqual(
    two.actions.map(({ amount }) => amount),
    [5n, (1n << 160n) - 1n],
  )
  assert.deepEqual(two.warnings, ["unlimited-approval message", "permit message"])
  const TokenPermissions = fields("address token,uint256 amount")
  const tail = "address spender,uint256 nonce,uint256 deadline"
  const PermitTransferFrom = fields(`TokenPermissions permitted,${tail}`)
  const permitted = { token: CONTRACT, amount: "5" }
  const once = { permitted, spender: RECIPIENT, nonce: 12, deadline: 1 }
  const types = { PermitTransferFrom, TokenPermissions }
  const transfer = read(typedData("PermitTransferFrom", types, once, permit2))
  assert.deepEqual(transfer.actions, [{ ...approved, details: [] }])
  assert.equal(transfer.nonce, 12n)
  const PermitBatchTransferFrom = fields(`TokenPermissions[] permitted,${tail}`)
  const many = { ...once, permitted: [permitted, permitted] }
  const batchTypes = { PermitBatchTransferFrom, TokenPermissions }
  const all = read(typedData("PermitBatchTransferFrom", batchTypes, many, permit2))
  assert.equal(all.actions.length, 2)
})

test("what only looks like a known permit is not read as one", () => {
  const PermitDetails = fields(details)
  const PermitSingle = fields("PermitDetails details,address spender,uint256 sigDeadline")
  const message = { details: single, spender: RECIPIENT, sigDeadline: 88 }
  const swapped = fields(
    "address spender,address owner,uint256 value,uint256 nonce,uint256 deadline",
  )
  const narrow = fields(
    "address owner,address spender,uint128 value,uint256 nonce,uint256 deadline",
  )
  const noContract = ["string name,uint256 chainId", { name: "T", chainId: 1 }] as const
  const noChain = ["address verifyingContract", { verifyingContract: CONTRACT }] as const
  const PermitBatch = fields("PermitDetails[] details,address spender,uint256 sigDeadline")
  for (const [text, to, further] of [
    // Permit2's structure for another contract, and a token's permit for Permit2.
    [typedData("PermitSingle", { PermitSingle, PermitDetails }, message), CONTRACT],
    [typedData("Permit", { Permit: PERMIT }, permit, permit2), PERMIT2],
    [typedData("Permit", { Permit: swapped }, permit), CONTRACT],
    [typedData("Permit", { Permit: narrow }, permit), CONTRACT],
    [typedData("Permits", { Permits: PERMIT }, permit), CONTRACT],
    [typedData("Permit", { Permit: PERMIT }, permit, noContract[1], noContract[0]), null],
    [
      typedData("Permit", { Permit: PERMIT }, permit, noChain[1], noChain[0]),
      CONTRACT,
      "any-chain domain",
    ],
    // A batch of nothing approves nothing, and an intent does something.
    [
      typedData(
        "PermitBatch",
        { PermitBatch, PermitDetails },
        { ...message, details: [] },
        permit2,
      ),
      PERMIT2,
    ],
  ] as const) {
    const { actions, warnings } = read(text)
    assert.deepEqual(
      actions.map((action) => [action.kind, action.to]),
      [["typed-data", to]],
    )
    assert.deepEqual(warnings, [...(further ? [further] : []), "unknown-typed-data message"])
  }
})

test("every field of typed data is shown with its path, its type and the domain", () => {
  const types = {
    Order: fields(
      "Item[] items,bytes32 salt,bytes note,bool open,string memo,int8 delta,uint8[] none",
    ),
    Item: fields("address token,uint256 amount"),
  }
  const message = {
    items: [{ token: CONTRACT, amount: MAX }],
    ...{ salt: `0x${"0a".repeat(32)}`, note: "0x", open: true, memo: "a\nb", delta: -3, none: [] },
  }
  const { intent } = evmTypedDataIntent(typedData("Order", types, message))
  const item = "Item(address token,uint256 amount)"
  const order =
    "Order(Item[] items,bytes32 salt,bytes note,bool open,string memo,int8 delta,uint8[] none)"
  assert.deepEqual(
    intent.details.map(({ name, value }) => [name, value]),
    [
      ["form", "EIP-712, Order"],
      ["domain's type", `EIP712Domain(${DOMAIN})`],
      ["type", order + item],
      ["domain.name", "T"],
      ["domain.chainId", "1"],
      ["domain.verifyingContract", CONTRACT],
      ["message.items.0.token", CONTRACT],
      ["message.items.0.amount", MAX],
      ["message.salt", `0x${"0a".repeat(32)}`],
      ["message.note", "0x"],
      ["message.open", "true"],
      ["message.memo", "a\nb"],
      ["message.delta", "-3"],
      ["message.none", "an empty list"],
    ],
  )
  assert.ok(linesOf(intent).some(({ value }) => value === "a\\nb"))
})
