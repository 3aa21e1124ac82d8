import { createHash } from "node:crypto"
import { type Bytes, concat, fromHex } from "@lockkeeper/encoding"

const AMOUNT = fromHex("a086010000000000")

function sized(part: Uint8Array): Bytes {
  return concat(Uint8Array.of(part.length), part)
}

/** One output's amount and script, as both transactions and PSBTs have them. */
function output(script: Uint8Array): Bytes {
  return concat(AMOUNT, sized(script))
}

/** A PSBT of version 0 (BIP174) with one input for each output that is spent, and one output. */
function psbt(spent: readonly { script: Uint8Array; fields?: readonly Uint8Array[] }[]): Bytes {
  const inputs = spent.map((_, i) =>
    concat(new Uint8Array(32).fill(i + 1), new Uint8Array(5), fromHex("fdffffff")),
  )
  const transaction = concat(
    ...[fromHex("02000000"), Uint8Array.of(inputs.length), ...inputs],
    ...[Uint8Array.of(1), output(p2wpkhScript(fromHex(`02${"79".repeat(32)}`)))],
    new Uint8Array(4),
  )
  const maps = spent.map(({ script, fields = [] }) =>
    concat(fromHex("0101"), sized(output(script)), ...fields, Uint8Array.of(0)),
  )
  const end = Uint8Array.of(0)
  return concat(fromHex("70736274ff0100"), sized(transaction), end, ...maps, end)
}

function p2wpkhScript(publicKey: Uint8Array): Bytes {
  const sha256 = createHash("sha256").update(publicKey).digest()
  return concat(fromHex("0014"), createHash("ripemd160").update(sha256).digest())
}

/** Spends one output of the key. */
export function p2wpkhPsbt(publicKey: Uint8Array): Bytes {
  return psbt([{ script: p2wpkhScript(publicKey) }])
}

/** The first address of BIP86's test vectors: its internal key and its output's script. */
export const BIP86_KEY = "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115"
const BIP86_SCRIPT = "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c"

/** Spends that output, and then one of the same key that is none of Taproot's. */
export function taprootPsbt(): Bytes {
  const internalKey = concat(fromHex("011720"), fromHex(BIP86_KEY))
  return psbt([
    { script: fromHex(BIP86_SCRIPT), fields: [internalKey] },
    { script: p2wpkhScript(fromHex(`02${BIP86_KEY}`)) },
  ])
}
