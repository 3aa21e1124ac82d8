import assert from "node:assert/strict"
import { test } from "node:test"
import { DecodeError } from "@lockkeeper/encoding"
import { evmTransactionIntent, type Warning } from "@lockkeeper/transactions"
import { addressBytes, CONTRACT, callWith, RECIPIENT, word, ZERO } from "./evm-unsigned.ts"

const PERMIT2 = "0x000000000022D473030F116dDEE9F6B43aC78BA3"
const MAX = (1n << 256n) - 1n

function refused(data: string, what: RegExp, path: string): void {
  assert.throws(
    () => evmTransactionIntent(callWith(data)),
    (error) => {
      assert.ok(error instanceof DecodeError, String(error))
      assert.match(error.message, what)
      assert.equal(error.path, path)
      return true
    },
  )
}

function read(data: string, to = CONTRACT) {
  const { intent } = evmTransactionIntent(callWith(data, { to: addressBytes(to) }))
  const kinds = intent.warnings.map(({ kind, at }: Warning) => `${kind} ${at}`)
  return { actions: intent.actions, warnings: kinds }
}

const TRANSFER = `a9059cbb${word(RECIPIENT)}${word(7n)}`
const token = { kind: "token", contract: CONTRACT } as const

test("an ERC-20 transfer names recipient, token and amount", () => {
  const { actions, warnings } = read(TRANSFER)
  assert.deepEqual(actions, [
    { kind: "transfer", from: null, to: RECIPIENT, asset: token, amount: 7n, details: [] },
  ])
  assert.deepEqual(warnings, [])
})

test("arguments in another encoding than the ABI's own are refused by their name", () => {
  refused("a9059cbb", /ends early/, "data.to")
  refused(TRANSFER.slice(0, -2), /ends early/, "data.amount")
  refused(`${TRANSFER}00`, /1 bytes behind/, "data")
  refused(`a9059cbb${word(`0x01${"ab".repeat(20)}`)}${word(7n)}`, /more than 160 bits/, "data.to")
  const all = "a22cb465"
  refused(`${all}${word(RECIPIENT)}${word(2n)}`, /neither true nor false/, "data.approved")
  const permit = `d505accf${word(CONTRACT)}${word(RECIPIENT)}${word(1n)}${word(2n)}`
  refused(`${permit}${word(256n)}${word(1n)}${word(2n)}`, /more than 8 bits/, "data.v")
})

test("tails that are not where the ABI's encoder puts them are refused", () => {
  const head = `b88d4fde${word(CONTRACT)}${word(RECIPIENT)}${word(5n)}`
  const whole = `${head}${word(128n)}${word(3n)}010203${"00".repeat(29)}`
  const { actions } = read(whole)
  assert.deepEqual(actions[0]?.details, [{ name: "data", value: "0x010203" }])
  assert.deepEqual(actions[0]?.asset, { kind: "nft", contract: CONTRACT, id: 5n })
  const tail = `${word(3n)}010203${"00".repeat(29)}`
  for (const offset of [0n, 96n, 127n, 160n, MAX]) {
    refused(`${head}${word(offset)}${tail}`, /not where its tail belongs/, "data.data")
  }
  refused(`${head}${word(128n)}`, /ends early/, "data.data")
  refused(`${head}${word(128n)}${word(MAX)}${"00".repeat(32)}`, /ends early/, "data.data")
  refused(`${head}${word(128n)}${word(3n)}010203`, /ends early/, "data.data")
  refused(`${head}${word(128n)}${word(33n)}${"01".repeat(32)}`, /ends early/, "data.data")
  const dirty = `${word(3n)}010203${"00".repeat(28)}01`
  refused(`${head}${word(128n)}${dirty}`, /padding that is not zero/, "data.data")
  refused(`${whole}${"00".repeat(32)}`, /32 bytes behind/, "data")
})

test("a batch has as many amounts as ids, and one at least", () => {
  const batch = (ids: readonly bigint[], amounts: readonly bigint[], second?: bigint) => {
    const list = (items: readonly bigint[]) => [BigInt(items.length), ...items].map(word).join("")
    const at = 160n + 32n + 32n * BigInt(ids.length)
    const end = at + 32n + 32n * BigInt(amounts.length)
    const head = [160n, second ?? at, end].map(word).join("")
    return `2eb2c2d6${word(CONTRACT)}${word(RECIPIENT)}${head}${list(ids)}${list(amounts)}${word(0n)}`
  }
  const { actions } = read(batch([4n, 5n], [6n, 7n]))
  assert.deepEqual(
    actions.map(({ asset, amount, to }) => [asset?.kind === "nft" && asset.id, amount, to]),
    [
      [4n, 6n, RECIPIENT],
      [5n, 7n, RECIPIENT],
    ],
  )
  refused(batch([1n], [1n, 2n]), /not as many/, "data.amounts")
  refused(batch([1n, 2n], [1n]), /not as many/, "data.amounts")
  refused(batch([], []), /none/, "data.ids")
  // Both lists at one place would be two readings of the same words.
  refused(batch([1n], [1n], 160n), /not where its tail belongs/, "data.amounts")
  refused(batch([1n], [1n]).slice(0, -130), /ends early/, "data.amounts")
})

test("approvals without limit, of everything, and by a token's id are warned of", () => {
  const approve = (amount: bigint) => `095ea7b3${word(RECIPIENT)}${word(amount)}`
  const id = "amount-or-token-id data.amount"
  const unlimited = "unlimited-approval data.amount"
  assert.deepEqual(read(approve((1n << 255n) - 1n)).warnings, [id])
  assert.deepEqual(read(approve(1n << 255n)).warnings, [id, unlimited])
  assert.equal(read(approve(MAX)).actions[0]?.amount, MAX)
  assert.deepEqual(read(`39509351${word(RECIPIENT)}${word(MAX)}`).warnings, [unlimited])
  assert.deepEqual(read(`a457c2d7${word(RECIPIENT)}${word(MAX)}`).warnings, [])
  const all = read(`a22cb465${word(RECIPIENT)}${word(1n)}`)
  assert.deepEqual(all.warnings, ["approval-for-all data.approved"])
  assert.equal(all.actions[0]?.kind, "approve-all")
  const none = read(`a22cb465${word(RECIPIENT)}${word(0n)}`)
  assert.deepEqual([none.actions[0]?.kind, none.warnings], ["revoke", []])
})

test("transfers to nobody, to the token and of others' assets are warned of", () => {
  const transfer = (to: string) => read(`a9059cbb${word(to)}${word(7n)}`).warnings
  assert.deepEqual(transfer(ZERO), ["to-zero-address data.to"])
  assert.deepEqual(transfer(CONTRACT), ["to-asset-contract data.to"])
  const from = read(`23b872dd${word(RECIPIENT)}${word(RECIPIENT)}${word(7n)}`)
  assert.deepEqual(from.warnings, [
    "amount-or-token-id data.amount",
    "moves-others-assets data.from",
  ])
  const unsafe = read(`42842e0e${word(RECIPIENT)}${word(ZERO)}${word(7n)}`)
  assert.deepEqual(unsafe.warnings, ["moves-others-assets data.from", "to-zero-address data.to"])
})

test("Permit2's functions are known at its own address and nowhere else", () => {
  const approve = `87517c45${word(CONTRACT)}${word(RECIPIENT)}${word((1n << 160n) - 1n)}${word(99n)}`
  const { actions, warnings } = read(approve, PERMIT2)
  assert.deepEqual(actions, [
    {
      ...{ kind: "approve", from: null, to: RECIPIENT, asset: token, amount: (1n << 160n) - 1n },
      details: [{ name: "expiration", value: "99" }],
    },
  ])
  assert.deepEqual(warnings, ["unlimited-approval data.amount"])
  assert.deepEqual(read(approve).warnings, ["unknown-call data"])
  const transfer = `36c78516${word(RECIPIENT)}${word(ZERO)}${word(3n)}${word(CONTRACT)}`
  const moved = read(transfer, PERMIT2)
  assert.deepEqual(moved.actions[0], {
    ...{ kind: "transfer", from: RECIPIENT, to: ZERO, asset: token, amount: 3n, details: [] },
  })
  assert.deepEqual(moved.warnings, ["moves-others-assets data.from", "to-zero-address data.to"])
  // A token's function that Permit2 does not have.
  assert.deepEqual(read(TRANSFER, PERMIT2).warnings, ["unknown-call data"])
})

test("a call that is not known is shown as its bytes, and never guessed", () => {
  for (const data of ["01", "a9059c", "deadbeef", `deadbeef${word(1n)}`]) {
    const { actions, warnings } = read(data)
    assert.deepEqual(warnings, ["unknown-call data"])
    assert.deepEqual(actions, [
      {
        ...{ kind: "call", from: null, to: CONTRACT, asset: null, amount: null },
        details: [{ name: "data", value: `0x${data}` }],
      },
    ])
  }
  const long = read(`deadbeef${"01".repeat(1021)}`).actions[0]?.details
  assert.deepEqual(
    long?.map(({ name, value }) => [name, value.length]),
    [
      ["data, the first 1024 of 1025 bytes", 2050],
      ["SHA-256 of data", 64],
    ],
  )
})
