import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Readable } from "node:stream"
import { describe, test } from "node:test"
import { KEY_TYPES, LockKeeperError, MAX_TRANSACTION } from "@lockkeeper/api"
import { concat, DecodeError, fromHex, toHex, utf8 } from "@lockkeeper/encoding"
import { evmTransactionDigest } from "@lockkeeper/transactions"
import { childPathArgument } from "../src/child-path.ts"
import { signedEvmTransaction } from "../src/transactions/evm.ts"
import {
  missingSignatures,
  readSolanaTransaction,
  withSolanaSignature,
} from "../src/transactions/solana.ts"
import { type Format, formatOf, readUnsigned } from "../src/transactions/unsigned.ts"
import { temporaryDirectory } from "./support.ts"

function refusal(code: string, field: string, words: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof LockKeeperError, String(error))
    assert.deepEqual([error.code, error.field], [code, field])
    assert.match(error.message, words)
    assert.notEqual(error.remedy, "")
    return true
  }
}

/** The example in the text of EIP-155. */
const EIP_155 = {
  unsigned:
    "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080",
  digest: "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53",
  r: "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276",
  s: "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
  signed:
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025" +
    "a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276" +
    "a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83",
}

describe("a child's path on the command line", () => {
  test("is m, or m and numbers", () => {
    assert.deepEqual(childPathArgument("m"), [])
    assert.deepEqual(childPathArgument("m/0/5"), [0, 5])
    assert.deepEqual(childPathArgument("m/2147483647"), [2147483647])
  })

  test("is refused with what is wrong, where, and what to do", () => {
    const refused = (text: string, words: RegExp) =>
      assert.throws(() => childPathArgument(text), refusal("invalid-request", "path", words))
    for (const mark of ["'", "h", "H"]) {
      refused(`m/44${mark}/0`, new RegExp(`"44${mark}" of the path .* is hardened`))
    }
    refused("m/2147483648", /above 2\^31-1/)
    refused(`m${"/1".repeat(11)}`, /too deep/)
    for (const text of ["", "0/5", "M/0"]) refused(text, /does not begin with m\./)
    for (const text of ["m/", "m//1", "m/-1", "m/01", "m/x", "m/1.5", "m/0/"]) {
      refused(text, /is not a number/)
    }
  })
})

describe("a signed EVM transaction", () => {
  test("is the example of EIP-155, from its unsigned form and signature", () => {
    const unsigned = fromHex(EIP_155.unsigned)
    assert.equal(toHex(evmTransactionDigest(unsigned)), EIP_155.digest)
    const signature = fromHex(EIP_155.r + EIP_155.s)
    assert.equal(toHex(signedEvmTransaction(unsigned, { signature, recovery: 0 })), EIP_155.signed)
  })

  test("writes r and s as numbers, without their leading zeros", () => {
    const signature = concat(new Uint8Array(31), Uint8Array.of(5), new Uint8Array(32).fill(1))
    const signed = toHex(signedEvmTransaction(fromHex("02c101"), { signature, recovery: 1 }))
    assert.equal(signed, `02e4010105a0${"01".repeat(32)}`)
    const none = signedEvmTransaction(fromHex("02c0"), { signature, recovery: 0 })
    assert.equal(toHex(none), `02e38005a0${"01".repeat(32)}`)
  })

  test("has a long list's length in as many bytes as it takes", () => {
    const data = concat(fromHex("b90400"), new Uint8Array(1024))
    const unsigned = concat(fromHex("02f90403"), data)
    const signature = new Uint8Array(64).fill(0x81)
    const signed = toHex(signedEvmTransaction(unsigned, { signature, recovery: 0 }))
    // 1027 bytes of data, one of parity, twice 33 of numbers.
    assert.ok(signed.startsWith("02f90446b90400"))
    assert.equal(signed.length, 2 * (1 + 3 + 0x446))
  })

  test("is refused of bytes that are no list", () => {
    const signature = new Uint8Array(64).fill(1)
    for (const digits of ["", "02", "0282ffff", "02c2", "02c10102", "ec09", "02f9ffff01"]) {
      const sign = () => signedEvmTransaction(fromHex(digits), { signature, recovery: 0 })
      assert.throws(sign, DecodeError, digits)
    }
    const noList = () => signedEvmTransaction(fromHex("0205"), { signature, recovery: 0 })
    assert.throws(noList, /no RLP list/)
  })
})

describe("a Solana transaction", () => {
  const key = (byte: number) => new Uint8Array(32).fill(byte)
  const message = concat(
    Uint8Array.of(0x80, 2, 0, 1, 3),
    ...[key(1), key(2), key(3), key(9)],
    Uint8Array.of(0, 0),
  )
  const unsigned = concat(Uint8Array.of(2), new Uint8Array(128), message)

  test("gets each signature in its signer's place", () => {
    const read = readSolanaTransaction(unsigned)
    assert.deepEqual(read.signers, [key(1), key(2)])
    assert.deepEqual(read.message, message)
    assert.equal(missingSignatures(read), 2)
    const once = withSolanaSignature(read, key(2), new Uint8Array(64).fill(7))
    const again = readSolanaTransaction(once)
    assert.equal(missingSignatures(again), 1)
    assert.deepEqual(again.signatures, [new Uint8Array(64), new Uint8Array(64).fill(7)])
    const whole = withSolanaSignature(again, key(1), new Uint8Array(64).fill(6))
    assert.equal(missingSignatures(readSolanaTransaction(whole)), 0)
  })

  test("is read in the older form without a version as well", () => {
    const legacy = concat(Uint8Array.of(1), new Uint8Array(64), Uint8Array.of(1, 0, 0, 1), key(4))
    const read = readSolanaTransaction(concat(legacy, key(9), Uint8Array.of(0)))
    assert.deepEqual(read.signers, [key(4)])
  })

  test("is refused when it is cut off, of another version, or its signers do not agree", () => {
    const cut = (length: number) => unsigned.slice(0, length)
    for (const length of [0, 1, 64, 129, 131, 140, 250]) {
      assert.throws(() => readSolanaTransaction(cut(length)), DecodeError, String(length))
    }
    const altered = (offset: number, byte: number) => {
      const copy = new Uint8Array(unsigned)
      copy[offset] = byte
      return copy
    }
    const refused = (bytes: Uint8Array<ArrayBuffer>, words: RegExp) =>
      assert.throws(() => readSolanaTransaction(bytes), words)
    refused(altered(129, 0x81), /unknown version/)
    refused(altered(130, 1), /2 signatures of 1 signers/)
    refused(altered(130, 0), /more signers than accounts/)
    refused(altered(130, 4), /more signers than accounts/)
    refused(concat(Uint8Array.of(0x82, 0), unsigned.subarray(1)), /not canonical/)
  })
})

describe("an unsigned transaction's file", () => {
  const bytes = fromHex(EIP_155.unsigned)

  test("may be binary, hexadecimal or base64, from a path or standard input", async (t) => {
    const directory = temporaryDirectory(t)
    const path = join(directory, "transaction")
    const forms = [
      bytes,
      utf8(EIP_155.unsigned),
      utf8(`0x${EIP_155.unsigned.toUpperCase()}\n`),
      utf8(`${Buffer.from(bytes).toString("base64")}\n`),
    ]
    for (const form of forms) {
      writeFileSync(path, form)
      assert.deepEqual(await readUnsigned(path, Readable.from([])), bytes)
      assert.deepEqual(await readUnsigned("-", Readable.from([Buffer.from(form)])), bytes)
    }
  })

  test("is refused when it is empty, missing or too long", async (t) => {
    const read = (content: Uint8Array) => readUnsigned("-", Readable.from([Buffer.from(content)]))
    await assert.rejects(read(utf8(" \n")), refusal("invalid-request", "file", /empty/))
    const long = new Uint8Array(MAX_TRANSACTION + 1).fill(1)
    await assert.rejects(read(long), refusal("too-large", "file", /longer than/))
    await assert.rejects(
      read(utf8("00".repeat(MAX_TRANSACTION + 20))),
      refusal("too-large", "file", /longer than/),
    )
    const directory = temporaryDirectory(t)
    const padded = join(directory, "padded")
    writeFileSync(padded, `${EIP_155.unsigned}${" ".repeat(2 * MAX_TRANSACTION)}`)
    const fromFile = readUnsigned(padded, Readable.from([]))
    await assert.rejects(fromFile, refusal("too-large", "file", /longer than/))
    async function* endless() {
      for (let i = 0; i < 100; i++) yield Buffer.alloc(65_536)
      throw new Error("read on and on")
    }
    const fromStream = readUnsigned("-", Readable.from(endless()))
    await assert.rejects(fromStream, refusal("too-large", "file", /longer than/))
    const missing = join(directory, "none")
    await assert.rejects(readUnsigned(missing, Readable.from([])), { code: "ENOENT" })
  })

  test("is of the format that the key's type and the bytes tell", () => {
    const psbt = fromHex("70736274ff01")
    const seen = (type: (typeof KEY_TYPES)[number], of: Uint8Array<ArrayBuffer>) =>
      formatOf(of, type, null)
    assert.equal(seen("ecdsa-secp256k1", bytes), "evm")
    assert.equal(seen("ecdsa-secp256k1", psbt), "psbt")
    assert.equal(seen("bip340", psbt), "psbt")
    assert.equal(seen("ed25519", bytes), "solana")
    assert.throws(() => seen("ed25519", psbt), refusal("invalid-request", "format", /no Bitcoin/))
    let refused = 0
    for (const type of KEY_TYPES) {
      for (const stated of ["evm", "psbt", "solana"] as Format[]) {
        try {
          assert.equal(formatOf(bytes, type, stated), stated)
        } catch (error) {
          assert.ok(refusal("invalid-request", "format", /signs .*, no /)(error))
          refused += 1
        }
      }
    }
    assert.equal(refused, 5)
  })
})
