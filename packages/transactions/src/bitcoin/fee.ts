import { DecodeError } from "@lockkeeper/encoding"
import type { Psbt, PsbtInput } from "./psbt.ts"

/** All the coins there will be, in satoshi. */
const MAX_AMOUNT = 21_000_000n * 100_000_000n

/** Satoshi a virtual byte. */
const HIGH_RATE = 1000n

/** Weight of an input with its signature, by the script that it spends (BIP141). */
const INPUT_WEIGHTS = { p2wpkh: 272, "p2sh-p2wpkh": 364, p2pkh: 593, p2tr: 231 } as const

export interface Fee {
  readonly amount: bigint
  /** Satoshi for 1000 virtual bytes, about; null where an input's size cannot be told. */
  readonly rate: bigint | null
  readonly isHigh: boolean
}

/**
 * What a transaction pays: its inputs less its outputs.
 *
 * @param isWhole - whether inputs and outputs stay as they are; others may still be added otherwise,
 *   so that the outputs may be more by now.
 * @returns null where that cannot be told yet, or an amount is missing.
 * @throws DecodeError for amounts that no transaction has, and outputs that are more than the inputs.
 */
export function feeOf({ inputs, outputs }: Psbt, isWhole: boolean): Fee | null {
  const paid = outputs.reduce((sum, { amount }, i) => sum + checked(amount, `outputs.${i}`), 0n)
  let given = 0n
  for (const [i, { spent }] of inputs.entries()) {
    if (spent === null) return null
    given += checked(spent.amount, `inputs.${i}`)
  }
  if (!isWhole) return null
  if (paid > given) throw new DecodeError("more than the inputs", 0, "outputs")
  const amount = given - paid
  const size = virtualSize(inputs, outputs)
  const rate = size === null ? null : (amount * 1000n) / BigInt(size)
  // A quarter of what is sent, change included, or a rate that the network has hardly ever seen.
  const isHigh = amount * 4n > paid || (rate !== null && rate >= HIGH_RATE * 1000n)
  return { amount, rate, isHigh }
}

function checked(amount: bigint, path: string): bigint {
  if (amount < 0n || amount > MAX_AMOUNT) throw new DecodeError("no amount of satoshi", 0, path)
  return amount
}

/** Virtual bytes of the signed transaction, of inputs whose signatures have a known size. */
function virtualSize(inputs: readonly PsbtInput[], outputs: Psbt["outputs"]): number | null {
  // Version, lock time, marker and flag; and how many there are.
  let weight = 4 * (8 + countBytes(inputs.length) + countBytes(outputs.length)) + 2
  for (const input of inputs) {
    const kind = kindOf(input)
    if (kind === null) return null
    weight += INPUT_WEIGHTS[kind]
  }
  for (const { script } of outputs) weight += 4 * (8 + countBytes(script.length) + script.length)
  return Math.ceil(weight / 4)
}

const countBytes = (count: number) => (count < 0xfd ? 1 : count <= 0xffff ? 3 : 5)

function kindOf({ spent, redeemScript }: PsbtInput): keyof typeof INPUT_WEIGHTS | null {
  const script = spent?.script ?? new Uint8Array(0)
  const begins = (length: number, ...head: readonly number[]) =>
    script.length === length && head.every((byte, i) => script[i] === byte)
  if (begins(22, 0, 20)) return "p2wpkh"
  if (begins(25, 0x76, 0xa9, 20)) return "p2pkh"
  if (begins(34, 0x51, 32)) return "p2tr"
  if (begins(23, 0xa9, 20) && redeemScript?.length === 22) return "p2sh-p2wpkh"
  return null
}
