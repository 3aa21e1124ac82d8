import { type Bytes, concat, type Field, fromHex } from "@lockkeeper/encoding"
import type { BitcoinScript } from "./transactions.ts"

const AMOUNT = fromHex("a086010000000000")

/** The first address of BIP86's test vectors: its internal key. */
export const BIP86_KEY = fromHex("cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115")

function sized(part: Uint8Array): Bytes {
  return concat(Uint8Array.of(part.length), part)
}

/** A PSBT of version 0 (BIP174) that spends an output of each script and pays one. */
export function psbtOf(
  kinds: readonly BitcoinScript[],
  scriptOf: (kind: BitcoinScript) => Bytes,
): Bytes {
  const output = (script: Uint8Array) => concat(AMOUNT, sized(script))
  const inputs = kinds.map((_, i) =>
    concat(new Uint8Array(32).fill(i + 1), new Uint8Array(5), fromHex("fdffffff")),
  )
  const transaction = concat(
    ...[fromHex("02000000"), Uint8Array.of(inputs.length), ...inputs],
    ...[Uint8Array.of(1), output(scriptOf("p2wpkh")), new Uint8Array(4)],
  )
  const internalKey = concat(fromHex("011720"), BIP86_KEY)
  const maps = kinds.map((kind) => {
    const redeem =
      kind === "p2sh-p2wpkh" ? concat(fromHex("0104"), sized(scriptOf("p2wpkh"))) : null
    const fields = [redeem, kind === "p2tr" ? internalKey : null].filter((field) => field !== null)
    const witnessUtxo = concat(fromHex("0101"), sized(output(scriptOf(kind))))
    return concat(witnessUtxo, ...fields, Uint8Array.of(0))
  })
  const end = Uint8Array.of(0)
  return concat(fromHex("70736274ff0100"), sized(transaction), end, ...maps, end)
}

/** Where the keys and values of a PSBT lie: lengths of one byte are all that samples have. */
export function psbtLayout(psbt: Bytes): readonly Field[] {
  const fields: Field[] = []
  let at = 5
  const take = (path: string, kind: Field["kind"], length: number) => {
    fields.push({ path, kind, start: at, end: at + length })
    at += length
  }
  for (let pair = 0; at < psbt.length; pair++) {
    const keyLength = psbt[at] as number
    take(`${pair}.key`, "integer", 1)
    if (keyLength === 0) continue
    take(`${pair}.key`, "bytes", keyLength)
    const valueLength = psbt[at] as number
    take(`${pair}.value`, "integer", 1)
    take(`${pair}.value`, "bytes", valueLength)
  }
  return fields
}
