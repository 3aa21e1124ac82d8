import { type Bytes, concat, fromHex, utf8 } from "@lockkeeper/encoding"
import { ecdsa } from "@lockkeeper/protocols"
import { ACCEPTED, type Decoder } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { changeJson } from "./json.ts"
import { ofBytes, ofText } from "./made-of.ts"
import { BIP86_KEY, psbtLayout, psbtOf } from "./psbts.ts"
import { changeRlp, type Item, rlp } from "./rlp.ts"

export type BitcoinScript = "p2wpkh" | "p2sh-p2wpkh" | "p2pkh" | "p2tr"

export const INTEGER = (value: number) =>
  fromHex(
    value
      .toString(16)
      .padStart(8, "0")
      .replace(/^(00)+/, ""),
  )
export const ADDRESS = new Uint8Array(20).fill(0x35)
export const HASH = new Uint8Array(32).fill(0xab)
export const NONE = new Uint8Array(0)
const PUBLIC_KEY = concat(Uint8Array.of(2), BIP86_KEY)

/** One unsigned transaction of each type, with everything that it may have. */
export function evmTransactions(): readonly Bytes[] {
  const legacy: Item = [
    ...[INTEGER(9), INTEGER(20_000_000), INTEGER(21_000), ADDRESS, INTEGER(1_000_000), NONE],
    ...[INTEGER(1), NONE, NONE],
  ]
  const access: Item = [
    [ADDRESS, [HASH, HASH]],
    [ADDRESS, []],
  ]
  const call = [ADDRESS, INTEGER(5), fromHex("a9059cbb"), access]
  const fees = [INTEGER(2), INTEGER(9), INTEGER(90_000)]
  const blobs: Item = [concat(Uint8Array.of(1), HASH.subarray(1))]
  return [
    rlp(legacy),
    concat(Uint8Array.of(1), rlp([INTEGER(5), INTEGER(1), INTEGER(7), INTEGER(30_000), ...call])),
    concat(Uint8Array.of(2), rlp([INTEGER(1), INTEGER(300), ...fees, ...call])),
    concat(Uint8Array.of(3), rlp([INTEGER(1), INTEGER(1), ...fees, ...call, INTEGER(1), blobs])),
  ]
}

export function typedData(): readonly string[] {
  const types = {
    EIP712Domain: [
      { name: "name", type: "string" },
      { name: "version", type: "string" },
      { name: "chainId", type: "uint256" },
      { name: "verifyingContract", type: "address" },
    ],
    Person: [
      { name: "name", type: "string" },
      { name: "wallets", type: "address[2]" },
    ],
    Mail: [
      { name: "from", type: "Person" },
      { name: "to", type: "Person[]" },
      { name: "flag", type: "bool" },
      { name: "delta", type: "int8" },
      { name: "tag", type: "bytes4" },
      { name: "data", type: "bytes" },
    ],
  }
  const wallets = [`0x${"ab".repeat(20)}`, "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC"]
  const person = { name: "Cow", wallets }
  const domain = { name: "Mail", version: "1", chainId: 1, verifyingContract: wallets[1] }
  const to = [person, { ...person, name: "Bob" }]
  const message = { from: person, to, flag: true, delta: -3, tag: "0x01020304", data: "0x" }
  const text = JSON.stringify({ types, primaryType: "Mail", domain, message })
  return [text, text.replace('"chainId":1', '"chainId":"0x1"')]
}

/** A transfer with one missing signature of two, as Solana's wire has it. */
function solanaTransaction(): Bytes {
  const keys = [1, 2, 3].map((n) => new Uint8Array(32).fill(n))
  const instruction = fromHex("0102020001080200000001000000")
  const message = concat(fromHex("02000103"), ...keys, HASH, instruction)
  return concat(Uint8Array.of(2), new Uint8Array(64), new Uint8Array(64).fill(5), message)
}

type Sign = (unsigned: Bytes, signed: { signature: Bytes; recovery: number }) => Bytes
type InputDigest = (given: { psbt: Bytes; input: number; publicKey: Bytes }) => object
type Solana = { readonly message: Bytes }

/** What owners have signed, as their wallets hand it over. */
export function transactionDecoders(inside: Inside): readonly Decoder[] {
  const from = <T>(path: string, name: string) => nameIn<T>(inside, `packages/${path}`, name)
  const evm = "transactions/src/evm"
  const digest = from<(transaction: Bytes) => Bytes>(
    `${evm}/transaction.ts`,
    "evmTransactionDigest",
  )
  const signed = from<Sign>("cli/src/transactions/evm.ts", "signedEvmTransaction")
  const typed = from<(text: string) => Bytes>(`${evm}/typed-data/digest.ts`, "evmTypedDataDigest")
  const bitcoin = "transactions/src/bitcoin"
  const inputDigest = from<InputDigest>(`${bitcoin}/input-digest.ts`, "bitcoinInputDigest")
  const output = from<(key: Bytes, script: BitcoinScript) => { script: Bytes }>(
    `${bitcoin}/address.ts`,
    "bitcoinOutput",
  )
  const solana = from<(encoded: Bytes) => Solana>(
    "cli/src/transactions/solana.ts",
    "readSolanaTransaction",
  )
  const withSignature = from<(read: Solana, key: Bytes, signature: Bytes) => Bytes>(
    "cli/src/transactions/solana.ts",
    "withSolanaSignature",
  )
  const binaryOf = from<(content: Bytes) => Bytes>("cli/src/transactions/unsigned.ts", "binaryOf")
  const scriptOf = (kind: BitcoinScript) => output(PUBLIC_KEY, kind).script
  const psbts = [psbtOf(["p2wpkh"], scriptOf), psbtOf(["p2tr", "p2sh-p2wpkh", "p2wpkh"], scriptOf)]
  const someone = new Uint8Array(32).fill(9)
  return [
    ofBytes({
      name: "transaction: EVM",
      samples: evmTransactions(),
      change: changeRlp,
      read(input) {
        digest(input)
        // What was read in full can be given a signature: that reads it a second time.
        signed(input, { signature: new Uint8Array(64).fill(1), recovery: 1 })
        return ACCEPTED
      },
    }),
    ofText({
      name: "transaction: EIP-712 typed data",
      samples: typedData(),
      change: changeJson,
      read: (text) => typed(text).length === 32,
    }),
    {
      name: "transaction: PSBT",
      samples: psbts,
      weight: 0.3,
      change: null,
      layout: psbtLayout,
      read(input) {
        for (let i = 0; i < 3; i++) inputDigest({ psbt: input, input: i, publicKey: PUBLIC_KEY })
        return ACCEPTED
      },
    },
    ofBytes({
      name: "transaction: one input of a PSBT",
      samples: psbts,
      weight: 0.3,
      read(input) {
        inputDigest({ psbt: input, input: 0, publicKey: PUBLIC_KEY })
        return ACCEPTED
      },
    }),
    ofBytes({
      name: "transaction: Solana",
      samples: [solanaTransaction()],
      // A key that does not sign leaves the transaction as it was.
      read: (input) => ({ accepted: true, again: withSignature(solana(input), someone, HASH) }),
    }),
    ofBytes({
      name: "transaction: file in binary, hexadecimal or base64",
      samples: [utf8("0x02ab\n"), utf8("AAECAwQ="), solanaTransaction(), ...psbts],
      read(input) {
        binaryOf(input)
        return ACCEPTED
      },
    }),
    ofBytes({
      name: "signature: DER",
      samples: [ecdsa.encodeDer({ r: HASH, s: someone } as never)],
      read: (input) => ({ accepted: true, again: ecdsa.encodeDer(ecdsa.decodeDer(input)) }),
    }),
    ofBytes({
      name: "key: public key of an address",
      samples: [PUBLIC_KEY],
      weight: 0.3,
      read(input) {
        for (const kind of ["p2wpkh", "p2sh-p2wpkh", "p2pkh", "p2tr"] as const) output(input, kind)
        return ACCEPTED
      },
    }),
  ]
}
