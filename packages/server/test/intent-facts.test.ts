import assert from "node:assert/strict"
import { test } from "node:test"
import { fromHex } from "@lockkeeper/encoding"
import { decide, parsePolicy } from "@lockkeeper/policy"
import { cedar } from "@lockkeeper/policy/cedar"
import {
  ACTION_KINDS,
  type Action,
  evmMessageIntent,
  evmTransactionIntent,
  type Intent,
  WARNING_KINDS,
  type Warning,
} from "@lockkeeper/transactions"
import { intentFacts, RAW } from "../src/policies/intent-facts.ts"

const NATIVE = { kind: "native" } as const

function intent(actions: readonly Partial<Action>[], changes: Partial<Intent> = {}): Intent {
  const none = { from: null, to: null, asset: null, amount: null, details: [] }
  return {
    ...{ chain: { kind: "evm", chainId: 1n }, kind: "transaction", from: "0xAA" },
    ...{ feeCeiling: 21n, nonce: 0n, warnings: [], details: [] },
    actions: actions.map((action) => ({ ...none, kind: "transfer", ...action })),
    ...changes,
  }
}

const pay = { to: "0xBB", asset: NATIVE, amount: 7n } as const

test("a transfer says what moves, to whom, and what the chain may take", () => {
  assert.deepEqual(intentFacts(intent([pay])), {
    ...{ chain: "evm:1", kind: "transfer", from: "0xAA", complete: true, warnings: [] },
    transfers: [{ to: "0xBB", asset: "evm:1/native", amount: 7n }],
    fee: { asset: "evm:1/native", amount: 21n },
  })
})

test("an ERC-20 transfer is of the contract that the bytes name", () => {
  const to = "35".repeat(20)
  const call = `a9059cbb${"00".repeat(12)}${"ab".repeat(20)}${"00".repeat(31)}07`
  const bytes = fromHex(`02f8640180010982ea6094${to}80b844${call}c0`)
  const facts = intentFacts(evmTransactionIntent(bytes).intent)
  const contract = "0x3535353535353535353535353535353535353535"
  assert.equal(facts.kind, "transfer")
  assert.equal(facts.transfers[0]?.asset, `evm:1/${contract}`)
  assert.deepEqual([facts.transfers.length, facts.complete], [1, true])
})

test("what comes back to the account, and where from it came, is no movement", () => {
  const spend = { kind: "spend", asset: NATIVE, amount: 10n } as const
  const change = { kind: "change", asset: NATIVE, amount: 3n } as const
  const facts = intentFacts(intent([spend, pay, change], { chain: { kind: "solana" } }))
  assert.deepEqual([facts.kind, facts.transfers.length, facts.complete], ["transfer", 1, true])
  assert.equal(intentFacts(intent([spend, change])).kind, "consolidate")
  assert.equal(intentFacts(intent([pay, { ...pay, kind: "approve" }])).kind, "mixed")
})

test("every kind of action and of warning counts as complete or not by a list that names it", () => {
  const open = ACTION_KINDS.filter((kind) => !intentFacts(intent([{ ...pay, kind }])).complete)
  const expected = ["approve-all", "call", "create", "delegate", "message", "typed-data"]
  const further = ["authorize", "merge", "close-account"]
  assert.deepEqual(new Set(open), new Set([...expected, ...further]))
  const warn = (kind: Warning["kind"]) => intent([pay], { warnings: [{ kind, at: "" }] })
  assert.deepEqual(
    new Set(WARNING_KINDS.filter((kind) => !intentFacts(warn(kind)).complete)),
    new Set([
      ...["any-chain", "fee-unknown", "amounts-not-covered", "sighash-none", "sighash-single"],
      ...["sighash-anyone-can-pay", "unresolved-lookup", "unlimited-approval"],
    ]),
  )
})

test("an amount that is not said, an unknown token and an open fee are beyond every limit", () => {
  const cases: readonly Intent[] = [
    intent([{ ...pay, amount: null }]),
    intent([{ ...pay, asset: null }]),
    intent([{ ...pay, asset: { kind: "held-by", account: "x" } }]),
    intent([pay], { feeCeiling: null }),
    evmMessageIntent(fromHex("00")).intent,
  ]
  for (const one of cases) assert.equal(intentFacts(one).complete, false)
})

test("a policy can be asked of everything that an intent comes to, and of raw bytes", () => {
  const policy = parsePolicy(
    cedar,
    `{ "name": "any", "version": 1, "roles": [], "limits": {}, "quorums": {} }
---
@id("all") permit (principal, action, resource);`,
  )
  const facts = [
    ...ACTION_KINDS.map((kind) => intentFacts(intent([{ ...pay, kind }]))),
    ...[RAW, intentFacts(intent([])), intentFacts(intent([], { from: null }))],
  ]
  for (const one of facts) {
    const { reason } = decide(policy, {
      ...{ principal: { id: "owner", kind: "owner", roles: [] }, action: "sign", intent: one },
      ...{ key: { id: "k", type: "ed25519", custody: "custodial", labels: [] }, timeMs: 1 },
      ...{ approvals: [], counters: new Map() },
    })
    assert.equal(reason, "permitted")
  }
})
