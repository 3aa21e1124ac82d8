import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { DecodeError, decode, encode } from "@lockkeeper/encoding"
import {
  type Counter,
  counterCodec,
  countersAfter,
  countersNeeded,
  decide,
  emptyCounter,
  type Policy,
  type RequestFacts,
} from "../src/index.ts"
import { HEADER, INTENT, NOON, plain, REQUEST, treasury } from "./treasury.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** A 128th of a day: what a window of a day may count too long. */
const STEP = DAY / 128

const limited = (limit: object, more: object = {}) =>
  plain('@id("a") @limit("l") permit (principal, action, resource);', {
    limits: { l: limit },
    ...more,
  })
const WINDOW = { kind: "window", asset: "usdc", most: "1000", over: "24h" }

const moving = (amount: bigint, timeMs: number, changed: Partial<RequestFacts> = {}) => ({
  ...REQUEST,
  intent: { ...INTENT, transfers: [{ to: "x", asset: "usdc", amount }] },
  timeMs,
  ...changed,
})

/** Asks for each in turn with one store of counters, and says which were allowed. */
function inTurn(policy: Policy, requests: readonly RequestFacts[]): boolean[] {
  const kept = new Map<string, Counter>()
  return requests.map((request) => {
    const needed = countersNeeded(policy, request)
    const counters = new Map(needed.map(({ id }) => [id, kept.get(id) ?? emptyCounter]))
    const { allow } = decide(policy, { ...request, counters })
    if (allow)
      for (const [id, c] of countersAfter(policy, { ...request, counters })) kept.set(id, c)
    return allow
  })
}

describe("a window counts what was spent within its duration", () => {
  const policy = limited(WINDOW)
  it("to the last unit", () => {
    const asked = [moving(600n, NOON), moving(401n, NOON), moving(400n, NOON), moving(1n, NOON)]
    assert.deepEqual(inTurn(policy, asked), [true, false, true, false])
  })

  it("once what is counted already, which every other limit still holds for", () => {
    const spent = countersAfter(policy, {
      ...moving(900n, NOON),
      counters: new Map(
        countersNeeded(policy, moving(1n, NOON)).map(({ id }) => [id, emptyCounter]),
      ),
    })
    const again = { ...moving(900n, NOON), counters: spent, isCounted: true }
    assert.equal(decide(policy, again).allow, true)
    assert.equal(countersAfter(policy, again).size, 0)
    assert.equal(decide(policy, { ...again, isCounted: false }).allow, false)
    const each = limited({ kind: "transaction", asset: "usdc", most: "899" })
    assert.equal(decide(each, again).allow, false)
  })

  it("never shorter than its duration, and less than a hundredth longer", () => {
    for (const offset of [0, 1, STEP / 2, STEP - 1]) {
      const start = Math.ceil(NOON / STEP) * STEP + offset
      const after = (ms: number) => inTurn(policy, [moving(1000n, start), moving(1n, start + ms)])
      assert.deepEqual(after(DAY - 1), [true, false], `${offset}`)
      assert.deepEqual(after(DAY + STEP), [true, true], `${offset}`)
      assert.deepEqual(after(DAY + STEP - offset - 1), [true, false], `${offset}`)
    }
  })

  it("as long where the clock went back", () => {
    const asked = [moving(1n, NOON + 2 * HOUR), moving(999n, NOON), moving(1n, NOON + DAY + HOUR)]
    assert.deepEqual(inTurn(policy, asked), [true, true, false])
  })

  it("amounts whose sum no JavaScript number holds", () => {
    const most = 2n ** 200n + 1n
    const wide = limited({ ...WINDOW, most: String(most) })
    const asked = [moving(2n ** 200n, NOON), moving(2n, NOON), moving(1n, NOON), moving(1n, NOON)]
    assert.deepEqual(inTurn(wide, asked), [true, false, true, false])
  })

  it("and stays full at 2^256 - 1", () => {
    const policy = plain(
      `@id("all") permit (principal, action, resource);
       @id("cap") @limit("l") forbid (principal, action, resource) when { principal.kind == Kind::"delegate" };`,
      { limits: { l: WINDOW } },
    )
    const largest = moving(2n ** 256n - 1n, NOON)
    const delegate = { ...REQUEST.principal, kind: "delegate" } as const
    const last = moving(1n, NOON, { principal: delegate })
    assert.deepEqual(inTurn(policy, [largest, largest, largest, last]), [true, true, true, false])
  })

  it("what other rules permitted as well", () => {
    const policy = plain(
      `@id("owner") permit (principal, action, resource) when { principal.kind == Kind::"owner" };
       @id("delegate") @limit("l") permit (principal, action, resource);`,
      { limits: { l: WINDOW } },
    )
    const delegate = { ...REQUEST.principal, kind: "delegate" } as const
    const asked = [moving(5000n, NOON), moving(1n, NOON, { principal: delegate })]
    assert.deepEqual(inTurn(policy, asked), [true, false])
  })
})

it("a velocity counts requests, each action by itself", () => {
  const policy = limited({ kind: "velocity", requests: 2, over: "1h" })
  const exported = { ...REQUEST, action: "export", intent: null } as const
  const asked = [REQUEST, REQUEST, REQUEST, exported, exported, exported]
  assert.deepEqual(inTurn(policy, asked), [true, true, false, true, true, false])
})

it("limits count per key, per principal, or all together", () => {
  const key = { ...(REQUEST.key as object), id: "key-2" } as RequestFacts["key"]
  const principal = { ...REQUEST.principal, id: "bob" }
  const asked = [REQUEST, { ...REQUEST, key }, { ...REQUEST, principal }]
  const counted = (per: string) =>
    inTurn(limited({ kind: "velocity", requests: 1, over: "1h", per }), asked)
  assert.deepEqual(counted("key"), [true, true, false])
  assert.deepEqual(counted("principal"), [true, false, true])
  assert.deepEqual(counted("policy"), [true, false, false])
})

describe("counters are named by what they count", () => {
  const idOf = (policy: Policy, request: RequestFacts = REQUEST) =>
    countersNeeded(policy, request).map(({ id }) => id)[0]
  const same = limited(WINDOW)
  it("and outlive a version of the policy", () => {
    assert.match(idOf(same) ?? "", /^[0-9a-f]{64}$/)
    assert.equal(idOf(limited({ ...WINDOW, most: "7" }, { version: 9 })), idOf(same))
  })
  it("and differ with policy, limit, duration, asset, key and action", () => {
    const key = { ...(REQUEST.key as object), id: "key-2" } as RequestFacts["key"]
    const velocity = { kind: "velocity", requests: 1, over: "24h" }
    const dai = { ...INTENT, transfers: [{ to: "x", asset: "dai", amount: 1n }] }
    const ids = [
      idOf(same),
      idOf(limited(WINDOW, { name: "other" })),
      idOf(limited({ ...WINDOW, over: "25h" })),
      idOf(limited({ ...WINDOW, per: "principal" })),
      idOf(limited({ ...WINDOW, asset: "dai" }), { ...REQUEST, intent: dai }),
      idOf(same, { ...REQUEST, key }),
      idOf(limited(velocity)),
      idOf(limited(velocity), { ...REQUEST, action: "export", intent: null }),
    ]
    assert.equal(new Set(ids).size, ids.length)
    assert.ok(!ids.includes(undefined))
  })
  it("and are needed for what their limit speaks of alone", () => {
    const policy = treasury()
    const names = (request: RequestFacts) =>
      countersNeeded(policy, request).map(({ limit, adds }) => [limit, adds])
    assert.deepEqual(names(REQUEST), [
      ["daily-usdc", 100n],
      ["hourly", 1n],
    ])
    const change = { ...REQUEST, action: "change-policy", key: null, intent: null } as const
    assert.deepEqual(names(change), [["hourly", 1n]])
    assert.equal(Object.keys(HEADER.limits).length, 4)
  })
})

it("to count without a counter is refused with the limit's name", () => {
  const facts = { ...REQUEST, counters: new Map() }
  assert.throws(() => countersAfter(limited(WINDOW), facts), {
    name: "RangeError",
    message: "the counter of limit l is missing",
  })
})

it("a counter has one encoding, and no more slots than a duration has", () => {
  const policy = limited(WINDOW)
  const kept = new Map<string, Counter>()
  for (let i = 0; i < 400; i++) {
    const request = moving(1n, NOON + i * 5 * 60_000)
    const counters = new Map(
      countersNeeded(policy, request).map(({ id }) => [id, kept.get(id) ?? emptyCounter]),
    )
    for (const [id, c] of countersAfter(policy, { ...request, counters })) kept.set(id, c)
  }
  const [counter] = kept.values()
  assert.ok(counter && counter.slots.length === 129)
  const encoded = encode(counterCodec, counter)
  assert.equal(encoded.length, 4 + 129 * 40)
  assert.deepEqual(decode(counterCodec, encoded), counter)
  const [first, second] = counter.slots
  const swapped = { slots: [second!, first!] }
  assert.throws(() => encode(counterCodec, swapped), { message: "slots not ascending" })
  const bytes = encoded.slice()
  bytes.set(encoded.subarray(4, 44), 44)
  assert.throws(
    () => decode(counterCodec, bytes),
    (error) => error instanceof DecodeError && /slots not ascending/.test(error.message),
  )
})
