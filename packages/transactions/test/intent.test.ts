import assert from "node:assert/strict"
import { test } from "node:test"
import { decode, encode, utf8 } from "@lockkeeper/encoding"
import {
  type Action,
  type Asset,
  evmMessageIntent,
  type Intent,
  intentCodec,
  intentDigest,
  linesOf,
  sentenceOf,
  WARNING_KINDS,
} from "@lockkeeper/transactions"

const action: Action = {
  ...{ kind: "transfer", from: "A", to: "B", asset: { kind: "native" }, amount: 5n },
  details: [{ name: "memo", value: "rent" }],
}

const intent: Intent = {
  chain: { kind: "evm", chainId: 1n },
  kind: "transaction",
  from: "A",
  actions: [action],
  feeCeiling: 21n,
  nonce: 3n,
  warnings: [{ kind: "high-fee", at: "gasLimit" }],
  details: [{ name: "form", value: "EIP-1559" }],
}

test("an intent has one encoding and one digest, and every field is in both", () => {
  const assets: readonly Asset[] = [
    { kind: "token", contract: "C" },
    { kind: "nft", contract: "C", id: 7n },
    { kind: "held-by", account: "C" },
  ]
  const changed: readonly Partial<Intent>[] = [
    {},
    { chain: { kind: "evm", chainId: null } },
    { chain: { kind: "bitcoin", network: "testnet" } },
    { chain: { kind: "solana" } },
    { kind: "message" },
    { from: null },
    { actions: [] },
    { actions: [action, action] },
    { actions: [{ ...action, amount: (1n << 256n) - 1n }] },
    { actions: [{ ...action, amount: null }] },
    { actions: [{ ...action, from: "B", to: "A" }] },
    { actions: [{ ...action, details: [{ name: "memor", value: "ent" }] }] },
    ...assets.map((asset) => ({ actions: [{ ...action, asset }] })),
    { feeCeiling: null },
    { nonce: 21n, feeCeiling: 3n },
    { warnings: [] },
    { warnings: [{ kind: "permit", at: "gasLimit" }] },
    { details: [] },
  ]
  const digests = changed.map((change) => {
    const whole = { ...intent, ...change }
    assert.deepEqual(decode(intentCodec, encode(intentCodec, whole)), whole)
    return intentDigest(whole).join()
  })
  assert.equal(new Set(digests).size, changed.length)
})

test("amounts outside 256 bits have no encoding", () => {
  for (const amount of [-1n, 1n << 256n]) {
    const wrong = { ...intent, actions: [{ ...action, amount }] }
    assert.throws(() => encode(intentCodec, wrong), /outside 256 bits/)
  }
})

test("lines say all of an intent, warnings first", () => {
  assert.deepEqual(
    linesOf(intent).map(({ field, value }) => `${field}: ${value}`),
    [
      "warning: The fee is unusually high. [gasLimit]",
      "chain: EVM chain 1",
      "kind: transaction",
      "from: A",
      "action 1: transfer",
      "action 1, from: A",
      "action 1, to: B",
      "action 1, amount: 5",
      "action 1, asset: wei",
      "action 1, detail, memo: rent",
      "fee at most: 21 wei",
      "nonce: 3",
      "detail, form: EIP-1559",
    ],
  )
})

test("each kind of warning has a sentence of its own", () => {
  const sentences = new Set(WARNING_KINDS.map(sentenceOf))
  assert.equal(sentences.size, WARNING_KINDS.length)
})

test("a message cannot fake a line, hide text or look like other letters", () => {
  const shown = (text: string) =>
    linesOf(evmMessageIntent(utf8(text)).intent)
      .filter(({ field }) => field.includes("text"))
      .map(({ field, value }) => [field, value])
  const field = "action 1, detail, text"
  assert.deepEqual(shown("ok\nfee at most: 0"), [[field, "ok\\nfee at most: 0"]])
  assert.deepEqual(shown("ok\\nfee"), [[field, "ok\\\\nfee"]])
  // The second letter is Cyrillic.
  assert.deepEqual(shown("p\u0430y"), [
    [field, "p\\u{430}y"],
    [`${field} (as written)`, "p\u0430y"],
  ])
  assert.deepEqual(shown("\u00e9\u0301"), [
    [field, "\\u{e9}\\u{301}"],
    [`${field} (as written)`, "\u00e9\\u{301}"],
  ])
})

test("details with marks of direction and controls are escaped wherever they are", () => {
  const value = "\u202eabc\u0007\u{1f600}\ud800"
  const lines = linesOf({ ...intent, details: [{ name: "x\u200b\r\n", value }] })
  assert.deepEqual(lines.slice(-2), [
    { field: "detail, x\\u{200b}\\u{d}\\n", value: "\\u{202e}abc\\u{7}\\u{1f600}\\u{d800}" },
    {
      field: "detail, x\\u{200b}\\u{d}\\n (as written)",
      value: "\\u{202e}abc\\u{7}\u{1f600}\\u{d800}",
    },
  ])
})
