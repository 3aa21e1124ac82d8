import assert from "node:assert/strict"
import { test } from "node:test"
import { LockKeeperError, MAX_TRANSACTION, type SignContent } from "@lockkeeper/api"
import { secp256k1 } from "@lockkeeper/crypto"
import { type Bytes, concat, fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import fc from "fast-check"
import { ecdsaDigest, frostContent } from "../src/content.ts"
import { BIP86_KEY, p2wpkhPsbt, taprootPsbt } from "./psbts.ts"
import { EVM_CONTENTS } from "./signed-contents.ts"

const KEY = secp256k1.decodeElement(fromHex(`02${BIP86_KEY}`))

/** The digest, or the field that is refused; anything but a typed refusal is thrown. */
function outcome(content: SignContent): string {
  try {
    return toHex(ecdsaDigest(content, KEY))
  } catch (error) {
    if (!(error instanceof LockKeeperError)) throw error
    assert.equal(error.code, "invalid-request")
    assert.match(error.field, /^body\.content/)
    return error.field
  }
}

const field = (type: number, key: Uint8Array, value: Uint8Array): Bytes =>
  concat(Uint8Array.of(1 + key.length, type), key, Uint8Array.of(value.length), value)
const NONE = new Uint8Array(0)
const END = Uint8Array.of(0)
const u32 = (n: number): Bytes => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, n, true)
  return bytes
}

/** A PSBT of version 2 (BIP370) whose inputs have these fields beside the outpoints. */
function psbtV2(...inputs: readonly (readonly Bytes[])[]): Bytes {
  const paid = field(0x03, NONE, fromHex("e803000000000000"))
  const script = fromHex(`0014${"11".repeat(20)}`)
  return concat(
    fromHex("70736274ff"),
    field(0x02, NONE, u32(2)),
    field(0x04, NONE, Uint8Array.of(inputs.length)),
    field(0x05, NONE, Uint8Array.of(1)),
    field(0xfb, NONE, u32(2)),
    END,
    ...inputs.flatMap((fields, i) => [
      field(0x01, NONE, concat(fromHex("a086010000000000"), fromHex("16"), own())),
      field(0x0e, NONE, new Uint8Array(32).fill(i + 1)),
      field(0x0f, NONE, u32(0)),
      ...fields,
      END,
    ]),
    ...[paid, field(0x04, NONE, script), END],
  )
}

/** The key's P2WPKH script, from the one PSBT of it that there is. */
function own(): Bytes {
  const hex = toHex(p2wpkhPsbt(KEY))
  const at = hex.lastIndexOf("160014") + 2
  return fromHex(hex.slice(at, at + 44))
}

test("lock times that no transaction can have are refused by field", () => {
  const ofInput = (psbt: Bytes) => outcome({ kind: "bitcoin-input", psbt, input: 0 })
  assert.match(ofInput(psbtV2([], [])), /^[0-9a-f]{64}$/)
  const height = field(0x12, NONE, u32(800_000))
  const time = field(0x11, NONE, u32(1_700_000_000))
  assert.match(ofInput(psbtV2([height], [height])), /^[0-9a-f]{64}$/)
  assert.equal(ofInput(psbtV2([height], [time])), "body.content.psbt")
})

test("whatever is altered in a content, what comes of it is a digest or a typed refusal", () => {
  const whole: readonly (readonly [Bytes, (bytes: Bytes) => SignContent])[] = [
    ...EVM_CONTENTS.flatMap(({ content }): (readonly [Bytes, (b: Bytes) => SignContent])[] => {
      if (content.kind === "evm-transaction") {
        return [[content.transaction, (transaction) => ({ kind: content.kind, transaction })]]
      }
      if (content.kind !== "evm-typed-data") return []
      const read = (bytes: Bytes) => new TextDecoder().decode(bytes)
      return [[utf8(content.typedData), (b) => ({ kind: content.kind, typedData: read(b) })]]
    }),
    [p2wpkhPsbt(KEY), (psbt) => ({ kind: "bitcoin-input", psbt, input: 0 })],
    [psbtV2([], []), (psbt) => ({ kind: "bitcoin-input", psbt, input: 1 })],
  ]
  const change = fc.record({ at: fc.nat(), byte: fc.nat(255), kind: fc.nat(3) })
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.array(change, { maxLength: 4 }), (which, changes) => {
      const [bytes, contentOf] = whole[which] as (typeof whole)[number]
      let altered = bytes
      for (const { at, byte, kind } of changes) {
        const place = at % Math.max(1, altered.length)
        const [before, after] = [altered.slice(0, place), altered.slice(place)]
        const tail = kind === 0 ? after : after.slice(kind === 3 ? 8 : 1)
        altered = concat(before, kind === 2 ? NONE : Uint8Array.of(byte), tail)
      }
      outcome(contentOf(altered))
    }),
    { numRuns: 2000 },
  )
})

test("keys and contents of different kinds do not meet, whichever way round", () => {
  const message: SignContent = { kind: "message", message: new Uint8Array(32).fill(7) }
  const taproot: SignContent = { kind: "bitcoin-input", psbt: taprootPsbt(), input: 0 }
  const contents = [...EVM_CONTENTS.map(({ content }) => content), taproot, message]
  const refused = (keyType: string, content: SignContent, root: Bytes | null): string => {
    try {
      frostContent(keyType, content, root, KEY)
      return "signed"
    } catch (error) {
      if (!(error instanceof LockKeeperError)) throw error
      return error.field
    }
  }
  const ofType = (keyType: string) => contents.map((one) => refused(keyType, one, NONE))
  const other = EVM_CONTENTS.map(() => "body.content")
  assert.deepEqual(ofType("ed25519"), [...other, "body.content", "signed"])
  assert.deepEqual(ofType("bip340"), [...other, "signed", "signed"])
  // The Merkle root that is signed under is the one that the input spends, or none is signed.
  for (const root of [null, new Uint8Array(32).fill(1)]) {
    assert.equal(refused("bip340", taproot, root), "body.merkleRoot")
  }
  assert.match(outcome(taproot), /^body\.content/)
})

/** Milliseconds of this thread, which answers everybody else's requests too. */
function blocks(content: SignContent): number {
  const start = performance.now()
  outcome(content)
  return performance.now() - start
}

test("no content that a request can carry keeps the server from other requests for long", () => {
  const fields = (n: number, type: string) =>
    Array.from({ length: n }, (_, i) => ({ name: `f${i}`, type }))
  // Each type refers to all the ones behind it, and each of them is hashed with it.
  const chain = Array.from({ length: 60 }, (_, i) => {
    const rest = Array.from({ length: 59 - i }, (_, j) => ({
      name: `a${j}`,
      type: `T${i + 1 + j}`,
    }))
    return [`T${i}`, [...rest, ...fields(1, "bool")]] as const
  })
  const types = { EIP712Domain: [{ name: "name", type: "string" }], ...Object.fromEntries(chain) }
  const graph = { types, primaryType: "T0", domain: { name: "x" }, message: {} }
  const inputs = 1500
  const wide = concat(
    fromHex("02000000fd"),
    Uint8Array.of(inputs & 255, inputs >> 8),
    ...Array.from({ length: inputs }, (_, i) =>
      concat(u32(i + 1), new Uint8Array(28), u32(0), END, u32(1)),
    ),
    fromHex("01e803000000000000160014"),
    new Uint8Array(20).fill(1),
    u32(0),
  )
  const length = Uint8Array.of(0xfd, ...u32(wide.length).slice(0, 2))
  const psbt = concat(fromHex("70736274ff0100"), length, wide, END, new Uint8Array(inputs + 1))
  assert.ok(psbt.length <= MAX_TRANSACTION)
  const transaction = new Uint8Array(MAX_TRANSACTION).fill(0xc1)
  const brackets = "[".repeat(MAX_TRANSACTION)
  const quotes = `"${"\\u00e4".repeat(16_000)}`
  for (const [name, content] of Object.entries<SignContent>({
    graph: { kind: "evm-typed-data", typedData: JSON.stringify(graph) },
    brackets: { kind: "evm-typed-data", typedData: brackets },
    quotes: { kind: "evm-typed-data", typedData: quotes },
    nested: { kind: "evm-transaction", transaction },
    wide: { kind: "bitcoin-input", psbt, input: 0 },
  })) {
    const ms = blocks(content)
    assert.ok(ms < 2000, `${name}: ${ms} ms`)
  }
})
