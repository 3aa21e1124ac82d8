import assert from "node:assert/strict"
import { test } from "node:test"
import { equalBytes } from "@lockkeeper/encoding"
import { solanaMessageIntent } from "@lockkeeper/transactions"
import {
  type Address,
  appendTransactionMessageInstructions,
  type Blockhash,
  compileTransactionMessage,
  compressTransactionMessageUsingAddressLookupTables,
  createTransactionMessage,
  getBase58Decoder,
  getCompiledTransactionMessageDecoder,
  getCompiledTransactionMessageEncoder,
  pipe,
  setTransactionMessageFeePayer,
  setTransactionMessageLifetimeUsingBlockhash,
} from "@solana/kit"
import fc from "fast-check"
import { encodingOf, readOrRefused, runs, TRANSACTIONS } from "./runs.ts"
import { addresses, instructions, type Made } from "./solana-calls.ts"

const MAX_BYTES = 1232

interface Message {
  readonly bytes: Uint8Array
  readonly payer: Address
  readonly made: readonly Made[]
  /** Which accounts stand in a lookup table. */
  readonly table: Address | null
}

/** The message that kit compiles; in half of version 0 some accounts come from a table. */
const messages: fc.Arbitrary<Message> = fc
  .tuple(addresses, addresses, addresses, fc.constantFrom("legacy", 0, "table"), instructions)
  .map(([payer, blockhash, table, form, made]) => {
    const lifetime = { blockhash: blockhash as string as Blockhash, lastValidBlockHeight: 0n }
    const build = (version: "legacy" | 0) =>
      pipe(
        createTransactionMessage({ version: version as 0 }),
        (message) => setTransactionMessageFeePayer(payer, message),
        (message) => setTransactionMessageLifetimeUsingBlockhash(lifetime, message),
        (message) =>
          appendTransactionMessageInstructions(
            made.map(({ instruction }) => instruction),
            message,
          ),
      )
    const whole = build(form === "legacy" ? "legacy" : 0)
    const inTable = made.flatMap(({ instruction }) =>
      (instruction.accounts ?? []).map((account) => account.address),
    )
    const message =
      form === "table"
        ? compressTransactionMessageUsingAddressLookupTables(whole, { [table]: inTable })
        : whole
    const bytes = new Uint8Array(
      getCompiledTransactionMessageEncoder().encode(compileTransactionMessage(message)),
    )
    return { bytes, payer, made, table: form === "table" ? table : null }
  })
  .filter(({ bytes }) => bytes.length <= MAX_BYTES)

/** What kit reads must be what the intent says, and what kit writes again the bytes themselves. */
function sameAsKit(bytes: Uint8Array) {
  const { intent, digest } = solanaMessageIntent(bytes)
  const theirs = getCompiledTransactionMessageDecoder().decode(bytes)
  assert.deepEqual(digest, bytes)
  assert.deepEqual(new Uint8Array(getCompiledTransactionMessageEncoder().encode(theirs)), bytes)
  assert.equal(intent.from, theirs.staticAccounts[0])
  assert.ok(theirs.version !== 1)
  assert.equal(intent.actions.length, theirs.instructions.length)
  const { numSignerAccounts } = theirs.header
  const detail = (start: string) => intent.details.filter(({ name }) => name.startsWith(start))
  assert.deepEqual(
    detail("account ").map(({ value }) => value),
    theirs.staticAccounts,
  )
  assert.equal(
    detail("account ").filter(({ name }) => name.includes("signer")).length,
    numSignerAccounts,
  )
  assert.deepEqual(detail("recent")[0]?.value, theirs.lifetimeToken)
  theirs.instructions.forEach(({ programAddressIndex, accountIndices = [] }, index) => {
    const shown = intent.actions[index]?.details.filter(({ name }) => name.startsWith("account "))
    assert.equal(shown?.length, accountIndices.length)
    accountIndices.forEach((account, i) => {
      const known = theirs.staticAccounts[account]
      if (known !== undefined) assert.equal(shown?.[i]?.value, known)
    })
    assert.ok(theirs.staticAccounts[programAddressIndex] !== undefined)
  })
  return intent
}

test("random messages of kit are signed as they are, and do what its instructions say", (t) => {
  const seen = new Set<string>()
  fc.assert(
    fc.property(messages, ({ bytes, payer, made, table }) => {
      const intent = sameAsKit(bytes)
      assert.equal(intent.from, payer)
      encodingOf(intent)
      const looked = intent.warnings.some(({ kind }) => kind === "unresolved-lookup")
      if (table === null) assert.ok(!looked)
      made.forEach(({ expected }, index) => {
        const action = intent.actions[index]
        seen.add(expected.kind)
        assert.deepEqual([action?.kind, action?.amount], [expected.kind, expected.amount])
        if (looked) {
          // Whatever is not of the message itself is named by its table.
          for (const account of [action?.from, action?.to]) {
            if (account?.includes("[")) assert.ok(account.startsWith(`${table}[`))
          }
          return
        }
        const { from, to, asset } = expected
        assert.deepEqual([action?.from, action?.to, action?.asset], [from, to, asset])
      })
    }),
    runs(t),
  )
  assert.equal(seen.size, 8)
})

test("a changed byte of a message is refused, or is kit's message with another intent", (t) => {
  let [accepted, refused] = [0, 0]
  fc.assert(
    fc.property(messages, fc.nat(), fc.integer({ min: 1, max: 255 }), ({ bytes }, where, xor) => {
      const changed = Uint8Array.from(bytes)
      const at = where % bytes.length
      changed[at] = (changed[at] as number) ^ xor
      if (readOrRefused(() => solanaMessageIntent(changed)) === null) {
        refused += 1
        return
      }
      accepted += 1
      const after = encodingOf(sameAsKit(changed))
      assert.ok(!equalBytes(encodingOf(solanaMessageIntent(bytes).intent), after))
    }),
    runs(t),
  )
  assert.ok(
    refused > TRANSACTIONS / 50 && accepted > TRANSACTIONS / 5,
    `${refused} refused, ${accepted} not`,
  )
})

test("addresses are kit's base58, zeros at the front included", (t) => {
  const keys = fc.tuple(fc.nat(32), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  fc.assert(
    fc.property(keys, ([zeros, key]) => {
      const payer = new Uint8Array(32)
      payer.set(key.subarray(zeros), zeros)
      const message = Uint8Array.of(
        1,
        0,
        1,
        2,
        ...payer,
        ...new Uint8Array(32).fill(7),
        ...key,
        1,
        1,
        0,
        0,
      )
      const read = readOrRefused(() => solanaMessageIntent(message))
      if (read !== null) assert.equal(read.intent.from, getBase58Decoder().decode(payer))
    }),
    runs(t, 0.1),
  )
})
