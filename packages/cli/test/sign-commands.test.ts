import assert from "node:assert/strict"
import { createPublicKey, verify } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { type Bytes, concat, fromHex, toBase64url, toHex, utf8 } from "@lockkeeper/encoding"
import {
  evmAddress,
  evmMessageDigest,
  evmTransactionDigest,
  evmTypedDataDigest,
} from "@lockkeeper/transactions"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { p2tr, p2wpkh, SigHash, Transaction } from "@scure/btc-signer"
import { EXIT } from "../src/exit-codes.ts"
import { run } from "../src/program.ts"
import { missingSignatures, readSolanaTransaction } from "../src/transactions/solana.ts"
import { recovered, setUp } from "./owner-setup.ts"

const TRANSFER = fromHex(
  "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080",
)

describe("sign-tx", () => {
  test("signs an EVM transaction so that its sender is the key's account", async (t) => {
    const { home, ecdsa, succeeds, file, host, owner } = await setUp(t)
    const path = file("transfer.hex", `0x${toHex(TRANSFER)}\n`)
    const signed = await succeeds(["sign-tx", "spending", path])
    const digest = evmTransactionDigest(TRANSFER)
    assert.deepEqual(signed["digests"], [toHex(digest)])
    assert.deepEqual([signed["complete"], signed["missing"]], [true, ""])
    assert.equal(signed["address"], evmAddress(ecdsa.publicKey))
    assert.deepEqual(owner.orders[0]?.content, { kind: "evm-transaction", transaction: TRANSFER })
    // v, r and s stand at the end of the list, in 1, 33 and 33 bytes for this chain and signature.
    const bytes = fromHex(String(signed["signed"]).slice(2))
    const [v, r, s] = lastItems(bytes)
    const recovery = Number(v) - 37
    assert.equal(recovered(digest, concat(word(r), word(s)), recovery), signed["address"])

    const out = join(home, "signed.hex")
    const used = host()
    assert.equal(await run(["sign-tx", "spending", path, "--out", out], used), EXIT.ok)
    assert.match(readFileSync(out, "utf8"), /^0xf86[0-9a-f]+\n$/)
    assert.match(used.err.text, new RegExp(`digest +${toHex(digest)}`))
    assert.match(used.err.text, new RegExp(`signs as +${evmAddress(ecdsa.publicKey)}`))
    const piped = host(toHex(TRANSFER))
    assert.equal(await run(["sign-tx", "spending", "-"], piped), EXIT.ok)
    assert.match(piped.out.text, /^0xf86[0-9a-f]+\n$/, "nothing else on standard output")
    const before = owner.orders.length
    const again = host()
    assert.equal(await run(["sign-tx", "spending", path, "--out", out], again), EXIT.conflict)
    assert.equal(owner.orders.length, before, "refused before it is signed")
  })

  test("does not call a blob transaction complete: its blobs travel beside it", async (t) => {
    const { succeeds, file } = await setUp(t)
    const fields = `01800102825208 94${"35".repeat(20)} 80 80 c0 01 e1a0${`01${"22".repeat(31)}`}`
    const blob = file("blob.hex", `03f842${fields.replaceAll(" ", "")}`)
    const signed = await succeeds(["sign-tx", "spending", blob])
    assert.equal(signed["complete"], false)
    assert.equal(signed["missing"], "the blobs, which travel beside it")
    assert.match(String(signed["signed"]), /^0x03f8/)
  })

  test("signs the inputs of a PSBT that are the key's, and finalises where none is missing", async (t) => {
    const { ecdsa, succeeds, file, owner } = await setUp(t)
    const own = p2wpkh(ecdsa.publicKey)
    const foreign = p2wpkh(secp256k1.getPublicKey(new Uint8Array(32).fill(5), true))
    const psbtOf = (...scripts: Uint8Array[]) => {
      const transaction = new Transaction({ version: 2 })
      scripts.forEach((script, index) => {
        const txid = new Uint8Array(32).fill(index + 1)
        transaction.addInput({ txid, index, witnessUtxo: { script, amount: 50_000n } })
      })
      transaction.addOutput({ script: foreign.script, amount: 40_000n })
      return new Uint8Array(transaction.toPSBT())
    }
    const single = file("single.psbt", psbtOf(own.script))
    const whole = await succeeds(["sign-tx", "spending", single])
    assert.equal(whole["complete"], true)
    const raw = Transaction.fromRaw(fromHex(String(whole["signed"])))
    const [signature, publicKey] = raw.getInput(0).finalScriptWitness ?? []
    assert.deepEqual(publicKey, ecdsa.publicKey)
    const script = fromHex(`76a914${toHex(own.script).slice(4)}88ac`)
    const sighash = raw.preimageWitnessV0(0, script, SigHash.ALL, 50_000n)
    assert.deepEqual(whole["digests"], [toHex(sighash)])
    const der = signature?.subarray(0, -1) ?? new Uint8Array(0)
    const rule = { format: "der", prehash: false, lowS: true } as const
    assert.ok(secp256k1.verify(der, sighash, ecdsa.publicKey, rule))

    const both = psbtOf(own.script, foreign.script, own.script)
    const base64 = file("both.psbt", Buffer.from(both).toString("base64"))
    const part = await succeeds(["sign-tx", "spending", base64])
    assert.equal(part["complete"], false)
    assert.equal(part["missing"], "signatures of others")
    const signed = Transaction.fromPSBT(Buffer.from(String(part["signed"]), "base64"))
    const inputs = [0, 1, 2].map((index) => signed.getInput(index).partialSig?.length ?? 0)
    assert.deepEqual(inputs, [1, 0, 1])
    const before = owner.orders.length
    const one = await succeeds(["sign-tx", "spending", base64, "--input", "2"])
    assert.equal(owner.orders.length, before + 1)
    assert.equal((one["digests"] as unknown[]).length, 1)
  })

  test("signs a Taproot input with a bip340 key", async (t) => {
    const { bip340, succeeds, file } = await setUp(t)
    const { script } = p2tr(bip340.publicKey)
    const transaction = new Transaction({ version: 2 })
    const txid = new Uint8Array(32).fill(1)
    transaction.addInput({ txid, index: 0, witnessUtxo: { script, amount: 9_000n } })
    transaction.addOutput({ script, amount: 8_000n })
    const path = file("taproot.psbt", transaction.toPSBT())
    const signed = await succeeds(["sign-tx", "taproot", path])
    assert.equal(signed["complete"], true)
    const raw = Transaction.fromRaw(fromHex(String(signed["signed"])))
    const [signature] = raw.getInput(0).finalScriptWitness ?? []
    const sighash = raw.preimageWitnessV1(0, [script], SigHash.DEFAULT, [9_000n])
    assert.deepEqual(signed["digests"], [toHex(sighash)])
    assert.ok(schnorr.verify(signature ?? new Uint8Array(0), sighash, script.subarray(2)))
  })

  test("signs a Solana transaction in its signer's place", async (t) => {
    const { ed25519, succeeds, fails, file } = await setUp(t)
    const other = new Uint8Array(32).fill(4)
    const messageOf = (...signers: Uint8Array[]) =>
      concat(
        Uint8Array.of(0x80, signers.length, 0, 0, signers.length),
        ...signers,
        new Uint8Array(32).fill(9),
        Uint8Array.of(0, 0),
      )
    const unsigned = (...signers: Uint8Array[]) =>
      concat(
        Uint8Array.of(signers.length),
        new Uint8Array(64 * signers.length),
        messageOf(...signers),
      )
    const alone = file("alone", Buffer.from(unsigned(ed25519.publicKey)).toString("base64"))
    const signed = await succeeds(["sign-tx", "savings", alone])
    assert.equal(signed["complete"], true)
    const wire = new Uint8Array(Buffer.from(String(signed["signed"]), "base64"))
    const read = readSolanaTransaction(wire)
    const jwk = { kty: "OKP", crv: "Ed25519", x: toBase64url(ed25519.publicKey) }
    const key = createPublicKey({ key: jwk, format: "jwk" })
    assert.ok(verify(null, read.message, key, read.signatures[0] ?? new Uint8Array(0)))
    const two = file("two", unsigned(other, ed25519.publicKey))
    const part = await succeeds(["sign-tx", "savings", two])
    assert.equal(part["complete"], false)
    const partly = new Uint8Array(Buffer.from(String(part["signed"]), "base64"))
    assert.equal(missingSignatures(readSolanaTransaction(partly)), 1)
    const foreign = file("foreign", unsigned(other))
    await fails(["sign-tx", "savings", foreign], EXIT.usage, "file", /no signer/)
  })

  test("refuses what does not parse or fit the key, before any server is asked", async (t) => {
    const { fails, file, ecdsa } = await setUp(t)
    const transfer = file("transfer", TRANSFER)
    const refused = (line: string[], field: string, words: RegExp) =>
      fails(["sign-tx", ...line], EXIT.usage, field, words)
    const cut = file("cut", TRANSFER.slice(0, -1))
    await refused(["spending", cut], "file", /The transaction does not parse/)
    const trailing = file("trailing", concat(TRANSFER, Uint8Array.of(0)))
    await refused(["spending", trailing], "file", /does not parse/)
    const noChain = file("no-chain", concat(Uint8Array.of(0xe9), TRANSFER.slice(1, -3)))
    await refused(["spending", noChain], "file.chainId", /valid on every chain/)
    await refused(["spending", file("noise", "hello, world!")], "file.type", /does not parse/)
    await refused(["spending", file("empty", "")], "file", /empty/)
    await refused(["savings", transfer, "--format", "evm"], "format", /signs Solana/)
    await refused(["taproot", transfer, "--format", "evm"], "format", /signs Bitcoin PSBTs/)
    await refused(["savings", transfer], "file", /does not parse/)
    await refused(["taproot", transfer], "psbt", /no PSBT/)
    await refused(["spending", transfer, "--input", "0"], "input", /Only a PSBT/)
    await refused(["spending", transfer, "--path", "m/0h"], "path", /hardened/)
    const transaction = new Transaction({ version: 2 })
    const { script } = p2wpkh(ecdsa.publicKey)
    transaction.addInput({
      ...{ txid: new Uint8Array(32).fill(1), index: 0 },
      witnessUtxo: { script, amount: 9_000n },
    })
    transaction.addOutput({ script, amount: 8_000n })
    const psbt = file("psbt", transaction.toPSBT())
    await refused(["spending", psbt, "--input", "first"], "input", /no number/)
    await refused(["spending", psbt, "--input", "1"], "psbt.inputs.1", /no such input/)
    await refused(["spending", psbt, "--path", "m/1"], "psbt.inputs", /no input that this key/)
    await fails(["sign-tx", "none", transfer], EXIT.notFound, "key", /no key/)
    const missing = join(transfer, "..", "none")
    await fails(["sign-tx", "spending", missing], EXIT.notFound, missing, /does not exist/)
  })
})

describe("sign-message", () => {
  const TYPED = JSON.stringify({
    types: {
      EIP712Domain: [{ name: "name", type: "string" }],
      Note: [{ name: "text", type: "string" }],
    },
    primaryType: "Note",
    domain: { name: "Lock Keeper" },
    message: { text: "hello" },
  })

  test("makes signatures from which ecrecover finds the account", async (t) => {
    const { ecdsa, succeeds, file, owner } = await setUp(t)
    const check = (line: Record<string, unknown>, digest: Bytes) => {
      const bytes = fromHex(String(line["signature"]).slice(2))
      assert.equal(bytes.length, 65)
      const account = recovered(digest, bytes.slice(0, 64), (bytes[64] ?? 0) - 27)
      assert.equal(account, evmAddress(ecdsa.publicKey))
      assert.equal(line["digest"], toHex(digest))
    }
    const message = evmMessageDigest(utf8("hello"))
    check(await succeeds(["sign-message", "spending", "hello"]), message)
    check(await succeeds(["sign-message", "spending", "--hex", "68656c6c6f"]), message)
    check(await succeeds(["sign-message", "spending", "--file", "-"], "hello"), message)
    const path = file("typed.json", TYPED)
    const typed = await succeeds(["sign-message", "spending", "--type", "eip712", "--file", path])
    check(typed, evmTypedDataDigest(TYPED))
    assert.deepEqual(owner.orders.at(-1)?.content, { kind: "evm-typed-data", typedData: TYPED })
  })

  test("signs as it is what is no EVM message", async (t) => {
    const { succeeds } = await setUp(t)
    const plain = await succeeds(["sign", "savings", "--message", "hello"])
    const same = await succeeds(["sign-message", "savings", "hello"])
    assert.equal(same["signature"], plain["signature"])
    assert.equal(same["digest"], null)
    const raw = ["sign-message", "spending", "--type", "raw", "--hex", "22".repeat(32)]
    assert.equal(String((await succeeds(raw))["signature"]).length, 128)
  })

  test("refuses what it cannot mean", async (t) => {
    const { fails, file } = await setUp(t)
    const refused = (line: string[], field: string, words: RegExp) =>
      fails(["sign-message", ...line], EXIT.usage, field, words)
    await refused(["savings", "hello", "--type", "eip191"], "type", /no EVM messages/)
    await refused(["taproot", "hello", "--type", "eip712"], "type", /no EVM messages/)
    await refused(["spending", "hello", "--type", "raw"], "message", /digest of 32 bytes/)
    await refused(["taproot", "hello"], "message", /digest of 32 bytes/)
    await refused(["spending", "hello", "--hex", "00"], "message", /given twice/)
    await refused(["spending"], "message", /No message/)
    await refused(["spending", "hello", "--path", "m/0'"], "path", /hardened/)
    const typed = ["spending", "--type", "eip712"]
    await refused([...typed, "{"], "message", /typed data does not parse/)
    await refused(
      [...typed, TYPED.replace('hello"', 'hello","more":1')],
      "message.message.more",
      /does not parse/,
    )
    const latin = file("latin", Uint8Array.of(0x7b, 0xff, 0x7d))
    await refused([...typed, "--file", latin], "message", /not UTF-8/)
    await refused(["spending", "x".repeat(20_000)], "message", /longer than/)
  })
})

describe("sign", () => {
  test("with an ECDSA key takes a digest and nothing else", async (t) => {
    const { fails } = await setUp(t)
    const line = ["sign", "spending", "--message", "hello"]
    await fails(line, EXIT.usage, "message", /digest of 32 bytes/)
  })
})

/** The last three items of an RLP list whose items are all shorter than 56 bytes. */
function lastItems(encoded: Bytes): readonly [bigint, Bytes, Bytes] {
  const items: Bytes[] = []
  // A list of 56 to 255 bytes has two bytes of header.
  for (let at = 2; at < encoded.length; ) {
    const first = encoded[at] ?? 0
    const length = first < 0x80 ? 1 : first - 0x80
    const start = first < 0x80 ? at : at + 1
    items.push(encoded.slice(start, start + length))
    at = start + length
  }
  const [v, r, s] = items.slice(-3)
  assert.ok(v !== undefined && r !== undefined && s !== undefined)
  return [BigInt(`0x${toHex(v)}`), r, s]
}

/** A number of up to 32 bytes with its leading zeros. */
function word(bytes: Bytes): Bytes {
  return concat(new Uint8Array(32 - bytes.length), bytes)
}
