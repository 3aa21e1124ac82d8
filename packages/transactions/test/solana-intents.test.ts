import assert from "node:assert/strict"
import { test } from "node:test"
import { type Bytes, concat, DecodeError, fromHex, utf8 } from "@lockkeeper/encoding"
import { solanaMessageIntent } from "@lockkeeper/transactions"
import { base58 } from "@scure/base"

const key = (n: number) => new Uint8Array(32).fill(n)
const name = (n: number) => base58.encode(key(n))
const program = (address: string): Bytes => new Uint8Array(base58.decode(address))
const SYSTEM: Bytes = new Uint8Array(32)
const TOKEN = program("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
const ASSOCIATED = program("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL")
const STAKE = program("Stake11111111111111111111111111111111111111")
const BUDGET = program("ComputeBudget111111111111111111111111111111")
const MEMO = program("MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr")
const ED25519 = program("Ed25519SigVerify111111111111111111111111111")
const OTHER = key(200)
const BLOCKHASH = key(99)

interface Parts {
  readonly header?: readonly number[]
  readonly accounts?: readonly Uint8Array[]
  /** Program's and accounts' indices, and data in hexadecimal. */
  readonly instructions?: readonly (readonly [
    program: number,
    accounts: readonly number[],
    string,
  ])[]
  readonly lookups?: readonly (readonly [table: number, readonly number[], readonly number[]])[]
}

/** Accounts 1 to 6 are free, of which 1 signs and pays; then come the programs. */
const PROGRAMS: readonly Bytes[] = [SYSTEM, TOKEN, ASSOCIATED, STAKE, BUDGET, MEMO, ED25519, OTHER]
const ACCOUNTS: readonly Bytes[] = [...[1, 2, 3, 4, 5, 6].map(key), ...PROGRAMS]
const SYSTEM_AT = 6
const at = (wanted: Bytes) => ACCOUNTS.indexOf(wanted)
const TRANSFER = [SYSTEM_AT, [0, 1], "020000000700000000000000"] as const

function message(parts: Parts = {}): Bytes {
  const { header = [1, 0, 8], accounts = ACCOUNTS, instructions = [TRANSFER], lookups } = parts
  const list = (bytes: Uint8Array) => concat(Uint8Array.of(bytes.length), bytes)
  return concat(
    Uint8Array.of(...(lookups ? [0x80] : []), ...header, accounts.length),
    ...accounts,
    BLOCKHASH,
    Uint8Array.of(instructions.length),
    ...instructions.map(([index, used, data]) =>
      concat(Uint8Array.of(index), list(Uint8Array.from(used)), list(fromHex(data))),
    ),
    ...(lookups
      ? [
          Uint8Array.of(lookups.length),
          ...lookups.map(([table, writable, readonly]) =>
            concat(key(table), list(Uint8Array.from(writable)), list(Uint8Array.from(readonly))),
          ),
        ]
      : []),
  )
}

function refused(bytes: Uint8Array, what: RegExp, path = ""): void {
  assert.throws(
    () => solanaMessageIntent(bytes),
    (error) => {
      assert.ok(error instanceof DecodeError, String(error))
      assert.match(error.message, what)
      assert.equal(error.path, path)
      return true
    },
  )
}

function read(...instructions: Required<Parts>["instructions"]) {
  const { intent } = solanaMessageIntent(message({ instructions }))
  const warnings = intent.warnings.map(({ kind, at: place }) => `${kind} ${place}`)
  return { ...intent, warnings, first: intent.actions[0] }
}

test("a transfer names payer, recipient, lamports, fee and every account", () => {
  const bytes = message()
  const { intent, digest } = solanaMessageIntent(bytes, key(1))
  assert.deepEqual(digest, bytes)
  assert.deepEqual(intent.actions, [
    {
      ...{ kind: "transfer", from: name(1), to: name(2), asset: { kind: "native" }, amount: 7n },
      details: [
        { name: "program", value: "1".repeat(32) },
        { name: "instruction", value: "System, Transfer" },
        { name: "lamports", value: "7" },
        { name: "account 0 (from)", value: name(1) },
        { name: "account 1 (to)", value: name(2) },
      ],
    },
  ])
  assert.deepEqual(
    [intent.from, intent.feeCeiling, intent.nonce, intent.warnings, intent.chain],
    [name(1), 5000n, null, [], { kind: "solana" }],
  )
  const names = intent.details.map((detail) => detail.name)
  assert.deepEqual(names.slice(0, 4), [
    ...["form", "recent blockhash or nonce", "account 0, signer, writable", "account 1, writable"],
  ])
  assert.equal(names.at(-1), "account 13")
})

test("a key that does not sign the message signs nothing", () => {
  for (const publicKey of [key(2), SYSTEM, key(77)]) {
    assert.throws(() => solanaMessageIntent(message(), publicKey), {
      ...{ name: "DecodeError", path: "accounts" },
    })
  }
  const two = message({ header: [2, 1, 8] })
  assert.equal(solanaMessageIntent(two, key(2)).intent.feeCeiling, 10_000n)
})

test("headers, accounts and versions that contradict each other are refused", () => {
  refused(new Uint8Array(0), /ends 1 bytes early/, "version")
  refused(concat(Uint8Array.of(0x81), message().subarray(1)), /neither legacy nor 0/, "version")
  refused(message({ header: [0, 0, 8] }), /nobody signs/, "accounts")
  refused(message({ header: [1, 1, 8] }), /no signer that can pay/, "accounts")
  refused(message({ header: [2, 3, 8] }), /no signer that can pay/, "accounts")
  refused(message({ header: [1, 0, 14] }), /fewer than the header says/, "accounts")
  refused(message({ accounts: [...ACCOUNTS, key(3)] }), /there twice/, "accounts.14")
  refused(message({ instructions: [] }), /none/, "instructions")
  refused(message({ instructions: [[0, [], ""]] }), /can be a program/, "instructions.0.program")
  refused(message({ instructions: [[14, [], ""]] }), /can be a program/, "instructions.0.program")
  const wrong = message({ instructions: [TRANSFER, [SYSTEM_AT, [0, 14], "00"]] })
  refused(wrong, /no such account/, "instructions.1.accounts.1")
})

test("trailing bytes, truncations and lengths in more bytes than they take are refused", () => {
  for (const bytes of [message(), message({ lookups: [[50, [1], [2]]] })]) {
    refused(concat(bytes, Uint8Array.of(0)), /1 trailing bytes/)
    for (let length = 0; length < bytes.length; length++) {
      assert.throws(() => solanaMessageIntent(bytes.subarray(0, length)), DecodeError)
    }
  }
  const bytes = message()
  const longer = (offset: number, ...count: number[]) =>
    concat(bytes.subarray(0, offset), Uint8Array.of(...count), bytes.subarray(offset + 1))
  refused(longer(3, 0x8e, 0x00), /not canonical/, "accounts")
  refused(longer(3, 0x8e, 0x80, 0x00), /not canonical/, "accounts")
  refused(longer(3, 0x80, 0x80, 0x04), /not canonical/, "accounts")
  refused(longer(3, 0x80, 0x80, 0x80, 0x00), /not canonical/, "accounts")
  const counts = 4 + 32 * ACCOUNTS.length + 32
  refused(longer(counts, 0x81, 0x00), /not canonical/, "instructions")
  refused(longer(counts + 2, 0x82, 0x00), /not canonical/, "instructions.0.accounts")
  refused(longer(counts + 5, 0x8c, 0x00), /not canonical/, "instructions.0.data")
  refused(concat(bytes, new Uint8Array(1232)), /more than 1232 bytes/)
})

test("accounts of lookup tables are named by table and index, with a warning", () => {
  const { intent } = solanaMessageIntent(
    message({
      lookups: [
        [50, [7], [8]],
        [51, [9], []],
      ],
      // Writable ones of both tables come first.
      instructions: [
        [SYSTEM_AT, [14, 15], "020000000700000000000000"],
        [at(OTHER), [16], "01"],
      ],
    }),
  )
  const [first, second] = intent.actions
  assert.deepEqual([first?.from, first?.to], [`${name(50)}[7]`, `${name(51)}[9]`])
  assert.equal(second?.details.at(-1)?.value, `${name(50)}[8]`)
  assert.deepEqual(
    intent.warnings.map(({ kind, at: place }) => `${kind} ${place}`),
    ["unknown-program instructions.1", "unresolved-lookup lookups"],
  )
  const tables = (...lookups: Required<Parts>["lookups"]) => message({ lookups })
  refused(tables([50, [], []]), /no account of the table/, "lookups.0")
  refused(tables([50, [1], [1]]), /there twice/, "lookups.0")
  refused(tables([50, [1], []], [50, [2], []]), /there twice/, "lookups.1")
  const many = Array.from({ length: 243 }, (_, i) => i)
  const bytes = tables([50, many.slice(0, 120), many.slice(120)])
  const wide = concat(
    bytes.subarray(0, -1 - 120 - 1 - 123),
    Uint8Array.of(120, ...many.slice(0, 120)),
  )
  refused(concat(wide, Uint8Array.of(123, ...many.slice(120))), /more than 256/, "accounts")
  // Programs come from the message itself.
  const fromTable = { lookups: [[50, [7], []]], instructions: [[14, [0], ""]] } as const
  refused(message(fromTable), /can be a program/, "instructions.0.program")
})

test("data and accounts that an instruction does not have are refused by their names", () => {
  const one = (index: number, accounts: readonly number[], data: string) =>
    message({ instructions: [[index, accounts, data]] })
  const data = "instructions.0.data"
  refused(one(SYSTEM_AT, [0, 1], "0200000007000000000000"), /ends 1 bytes early/, `${data}`)
  refused(one(SYSTEM_AT, [0, 1], `${TRANSFER[2]}00`), /1 trailing bytes/, data)
  refused(one(SYSTEM_AT, [0], TRANSFER[2]), /no account for to/, "instructions.0.accounts.1")
  refused(one(at(TOKEN), [0, 1, 2], `03${"00".repeat(7)}`), /early/, data)
  refused(one(at(TOKEN), [0, 1, 2], `03${"00".repeat(9)}`), /trailing/, data)
  refused(one(at(TOKEN), [0, 1], `0602${"02"}`), /neither 0 nor 1/, data)
  refused(one(at(TOKEN), [0, 1], "060201"), /early/, data)
  const seeded = (length: string, seed: string) =>
    `0a000000${"01".repeat(32)}${length}${seed}${"02".repeat(32)}`
  refused(one(SYSTEM_AT, [0, 1], seeded("0200000000000000", "c328")), /not UTF-8/, data)
  refused(one(SYSTEM_AT, [0, 1], seeded("ffffffffffffffff", "61")), /more than 1024/, data)
  assert.equal(read([SYSTEM_AT, [0, 1], seeded("0100000000000000", "61")]).first?.kind, "authorize")
})

test("instructions of known programs that are not known are shown as their bytes", () => {
  for (const [index, data] of [
    [SYSTEM_AT, "63000000"],
    [SYSTEM_AT, "0200"],
    [SYSTEM_AT, ""],
    [at(TOKEN), "1a01"],
    [at(STAKE), "06000000"],
    [at(BUDGET), "00"],
  ] as const) {
    const { first, warnings } = read([index, [1], data])
    assert.deepEqual([first?.kind, warnings], ["call", ["unknown-instruction instructions.0"]])
    assert.deepEqual(first?.details, [
      { name: "data", value: `0x${data}` },
      { name: "account 0", value: name(2) },
    ])
  }
  const unknown = read([at(OTHER), [1, 2], "beef"])
  assert.deepEqual(unknown.warnings, ["unknown-program instructions.0"])
  assert.equal(unknown.first?.to, name(200))
})

test("stake, nonce and authority instructions say who gets what", () => {
  const u64 = "0900000000000000"
  const of = (index: number, accounts: readonly number[], data: string) => {
    const { first, warnings } = read([index, accounts, data])
    return [first?.kind, first?.from, first?.to, first?.amount, ...warnings]
  }
  const stake = at(STAKE)
  assert.deepEqual(of(stake, [1, 2, 3, 4, 5, 0], "02000000"), ["stake", name(2), name(3), null])
  assert.deepEqual(of(stake, [1, 2, 0], `03000000${u64}`), ["split", name(2), name(3), 9n])
  assert.deepEqual(of(stake, [1, 2, 3, 4, 0], `04000000${u64}`), ["withdraw", name(2), name(3), 9n])
  assert.deepEqual(of(stake, [1, 2, 0], "05000000"), ["unstake", name(2), null, null])
  assert.deepEqual(of(stake, [1, 2, 3, 4, 0], "07000000"), ["merge", name(3), name(2), null])
  const changed = "authority-change instructions.0"
  const authorize = `01000000${"09".repeat(32)}01000000`
  assert.deepEqual(of(stake, [1, 2, 0], authorize), ["authorize", name(2), name(9), null, changed])
  const checked = of(stake, [1, 2, 0, 3], "0a00000001000000")
  assert.deepEqual(checked, ["authorize", name(2), name(4), null, changed])
  const initialize = `00000000${"07".repeat(32)}${"08".repeat(32)}${u64}${u64}${"05".repeat(32)}`
  assert.deepEqual(of(stake, [1, 2], initialize), ["authorize", name(2), name(8), null])
  assert.deepEqual(of(SYSTEM_AT, [1, 2, 0], "04000000"), [
    ...["advance-nonce", name(2), null, null, "durable-nonce instructions.0"],
  ])
  assert.deepEqual(of(SYSTEM_AT, [1, 0], `07000000${"09".repeat(32)}`), [
    ...["authorize", name(2), name(9), null, changed],
  ])
  // Any other place is no durable nonce: the runtime looks at the first instruction alone.
  assert.deepEqual(read(TRANSFER, [SYSTEM_AT, [1, 2, 0], "04000000"]).warnings, [])
  assert.deepEqual(of(at(ASSOCIATED), [0, 1, 2, 3, 4, 5], ""), [
    ...["create-account", name(1), name(2), null],
  ])
  const all = of(at(TOKEN), [1, 2, 0], "040000000000000080")
  assert.deepEqual(all.slice(3), [1n << 63n, "unlimited-approval instructions.0"])
})

test("memos are text where they can be read", () => {
  const hex = (text: string) => Buffer.from(utf8(text)).toString("hex")
  const { first, warnings } = read([at(MEMO), [0], hex("Zoë's rent")])
  assert.deepEqual([first?.kind, warnings], ["data", []])
  assert.equal(first?.details[1]?.value, "Zoë's rent")
  const hidden = read([at(MEMO), [], hex("a\u202eb")])
  assert.deepEqual(hidden.warnings, ["unreadable-message instructions.0"])
})

test("the fee counts signatures, those that programs check, and compute units", () => {
  const limit = (units: string) => [at(BUDGET), [], `02${units}`] as const
  const price = (lamports: string) => [at(BUDGET), [], `03${lamports}`] as const
  const million = "40420f0000000000"
  assert.equal(read(TRANSFER).feeCeiling, 5000n)
  assert.equal(read(TRANSFER, [at(ED25519), [], "03"]).feeCeiling, 20_000n)
  assert.equal(read(TRANSFER, price(million)).feeCeiling, 5000n + 200_000n)
  assert.equal(read(TRANSFER, price(million), limit("e8030000")).feeCeiling, 5000n + 1000n)
  assert.equal(read(TRANSFER, price(million), limit("ffffffff")).feeCeiling, 5000n + 1_400_000n)
  assert.equal(read(TRANSFER, price("0100000000000000")).feeCeiling, 5001n)
  assert.deepEqual(read(TRANSFER, price("0000000001000000")).warnings, ["high-fee instructions"])
  const twice = message({ instructions: [price(million), TRANSFER, price(million)] })
  refused(twice, /there twice/, "instructions.2")
})
