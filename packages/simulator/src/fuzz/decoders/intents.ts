import { type Bytes, type Codec, concat, decode, encode, fromHex, utf8 } from "@lockkeeper/encoding"
import { ACCEPTED, type Decoder, type Reading } from "../decoder.ts"
import type { Inside } from "../inside.ts"
import { nameIn } from "../modules.ts"
import { changeJson } from "./json.ts"
import { ofBytes, ofText } from "./made-of.ts"
import { BIP86_KEY, psbtLayout, psbtOf } from "./psbts.ts"
import { changeRlp, type Item, rlp } from "./rlp.ts"
import {
  ADDRESS,
  type BitcoinScript,
  evmTransactions,
  HASH,
  INTEGER,
  NONE,
  typedData,
} from "./transactions.ts"

interface Line {
  readonly field: string
  readonly value: string
}

const FEES = [INTEGER(2), INTEGER(9), INTEGER(90_000)]
const WORD = (value: number) =>
  concat(new Uint8Array(28), fromHex(value.toString(16).padStart(8, "0")))

/** EIP-7702: accounts that delegate themselves, and what one of them signs for it. */
function delegations(): readonly [transaction: Bytes, message: Bytes] {
  const own = [INTEGER(1), ADDRESS, INTEGER(3)]
  const list: Item = [
    [...own, INTEGER(1), HASH.subarray(1), HASH.subarray(1)],
    [...own, NONE, HASH, HASH],
  ]
  const fields = [INTEGER(1), INTEGER(1), ...FEES, ADDRESS, INTEGER(5), NONE, [], list]
  return [concat(Uint8Array.of(4), rlp(fields)), concat(Uint8Array.of(5), rlp(own))]
}

/** Calls of known functions: words alone, lists, and bytes. */
function calls(): readonly Bytes[] {
  const list = [WORD(1), WORD(7)]
  const batch = [WORD(1), WORD(2), WORD(160), WORD(224), WORD(288), ...list, ...list, WORD(0)]
  const datas = [
    concat(fromHex("a9059cbb"), WORD(1), WORD(7)),
    concat(fromHex("2eb2c2d6"), ...batch),
    concat(fromHex("b88d4fde"), WORD(1), WORD(2), WORD(3), WORD(128), WORD(32), HASH),
  ]
  return datas.map((data) =>
    concat(Uint8Array.of(2), rlp([INTEGER(1), INTEGER(1), ...FEES, ADDRESS, NONE, data, []])),
  )
}

/** Messages with instructions of the system, token and compute budget programs; one with a table. */
function solanaMessages(): readonly Bytes[] {
  const token = fromHex("06ddf6e1d765a193d9cbe146ceeb79ac1cb485ed5f5b37913a8cf5857eff00a9")
  const budget = fromHex("0306466fe5211732ffecadba72c39be7bc8ce5bbc5f7126b2c439b3a40000000")
  const keys = [1, 2, 3, 4].map((n) => new Uint8Array(32).fill(n))
  const accounts = concat(Uint8Array.of(7), ...keys, new Uint8Array(32), token, budget, HASH)
  const transfer = fromHex("0402 0001 0c 02000000 0700000000000000".replaceAll(" ", ""))
  const checked = fromHex("0504 01020300 0a 0c 0700000000000000 06".replaceAll(" ", ""))
  const price = fromHex("0600 09 03 0100000000000000".replaceAll(" ", ""))
  const instructions = concat(Uint8Array.of(3), transfer, checked, price)
  const table = concat(Uint8Array.of(1), new Uint8Array(32).fill(9), fromHex("01050106"))
  return [
    concat(fromHex("010003"), accounts, instructions),
    concat(fromHex("80010003"), accounts, instructions, table),
  ]
}

/** What people and policies are told of what they sign. */
export function intentDecoders(inside: Inside): readonly Decoder[] {
  const from = <T>(path: string, name: string) =>
    nameIn<T>(inside, `packages/transactions/src/${path}`, name)
  const codec = from<Codec<unknown>>("intent/intent.ts", "intentCodec")
  const linesOf = from<(intent: unknown) => readonly Line[]>("intent/lines.ts", "linesOf")
  /** Whatever is taken has an encoding that can be read, and lines that hide nothing. */
  const judged = ({ intent }: { readonly intent: unknown }): Reading => {
    const lines = linesOf(decode(codec, encode(codec, intent)))
    for (const { field, value } of lines) {
      if (!/^[ -~]*$/.test(field.endsWith("(as written)") ? field : field + value)) {
        throw new Error(`a line that is not printable: ${field}`)
      }
    }
    return ACCEPTED
  }
  type Read<T> = (given: T) => { readonly intent: unknown; readonly digest: Bytes }
  const evm = from<Read<Bytes>>("evm/transaction-intent.ts", "evmTransactionIntent")
  const delegation = from<Read<Bytes>>("evm/delegation.ts", "evmDelegationIntent")
  const message = from<Read<Bytes>>("evm/message-intent.ts", "evmMessageIntent")
  const typed = from<Read<string>>("evm/typed-data/intent.ts", "evmTypedDataIntent")
  const bitcoin = from<Read<{ psbt: Bytes; input: number; publicKey: Bytes }>>(
    "bitcoin/input-intent.ts",
    "bitcoinInputIntent",
  )
  const output = from<(key: Bytes, script: BitcoinScript) => { script: Bytes }>(
    "bitcoin/address.ts",
    "bitcoinOutput",
  )
  const publicKey = concat(Uint8Array.of(2), BIP86_KEY)
  const scriptOf = (kind: BitcoinScript) => output(publicKey, kind).script
  const solana = from<Read<Bytes>>("solana/message-intent.ts", "solanaMessageIntent")
  const [delegating, authorization] = delegations()
  return [
    ofBytes({
      name: "intent: EVM transaction",
      samples: [...evmTransactions(), ...calls(), delegating],
      change: changeRlp,
      read: (input) => judged(evm(input)),
    }),
    ofBytes({
      name: "intent: EIP-7702 authorization",
      samples: [authorization],
      change: changeRlp,
      read: (input) => judged(delegation(input)),
    }),
    ofBytes({
      name: "intent: EIP-191 message",
      samples: [utf8("Log in as Zoë"), HASH],
      weight: 0.3,
      read: (input) => judged(message(input)),
    }),
    ofBytes({
      name: "intent: Solana message",
      samples: solanaMessages(),
      read: (input) => judged(solana(input)),
    }),
    {
      name: "intent: PSBT",
      samples: [psbtOf(["p2wpkh"], scriptOf), psbtOf(["p2tr", "p2sh-p2wpkh", "p2wpkh"], scriptOf)],
      weight: 0.3,
      change: null,
      layout: psbtLayout,
      read: (input) => judged(bitcoin({ psbt: input, input: 0, publicKey })),
    },
    ofText({
      name: "intent: EIP-712 typed data",
      samples: typedData(),
      change: changeJson,
      read: (text) => judged(typed(text)).accepted,
    }),
  ]
}
