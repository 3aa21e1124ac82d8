import { DecodeError } from "@lockkeeper/encoding"
import type { WarningKind } from "../intent/warning.ts"
import type { SolanaInstruction, SolanaMessage } from "./message.ts"
import { readInstruction } from "./program.ts"
import { COMPUTE_BUDGET_PROGRAM, PROGRAMS, SIGNATURE_PROGRAMS } from "./programs.ts"

/** Lamports for each signature. */
const SIGNATURE = 5000n

/** Compute units that an instruction gets and a transaction may have at most, unless it says so. */
const UNITS_EACH = 200_000n
const UNITS_MOST = 1_400_000n

const MICRO = 1_000_000n

/** A hundredth of a SOL. */
const HIGH_FEE = 10_000_000n

const SET_LIMIT = 2
const SET_PRICE = 3

/**
 * Most lamports that the payer pays: for every signature, those that programs check too, and the price
 * of as many compute units as the message asks for.
 *
 * @throws DecodeError for a second instruction of one kind to the compute budget, which no runtime takes.
 */
export function feeCeilingOf(
  { signers, instructions }: SolanaMessage,
  warn: (kind: WarningKind, at: string) => void,
): bigint {
  const budget = budgetOf(instructions)
  const others = instructions.filter(({ program }) => program !== COMPUTE_BUDGET_PROGRAM)
  const usual = BigInt(others.length) * UNITS_EACH
  const asked = budget.get(SET_LIMIT) ?? usual
  const units = asked > UNITS_MOST ? UNITS_MOST : asked
  const price = budget.get(SET_PRICE) ?? 0n
  const signatures = BigInt(signers) + signaturesChecked(instructions)
  const fee = signatures * SIGNATURE + (units * price + MICRO - 1n) / MICRO
  if (fee > HIGH_FEE) warn("high-fee", "instructions")
  return fee
}

/** What the message says to the compute budget, by the kind of the instruction. */
function budgetOf(instructions: readonly SolanaInstruction[]): ReadonlyMap<number, bigint> {
  const budget = new Map<number, bigint>()
  const program = PROGRAMS.get(COMPUTE_BUDGET_PROGRAM)
  instructions.forEach((given, index) => {
    if (program === undefined || given.program !== COMPUTE_BUDGET_PROGRAM) return
    const path = `instructions.${index}`
    const read = readInstruction(program, given, path)
    if (read === null) return
    if (budget.has(read.tag)) throw new DecodeError("there twice", 0, path)
    budget.set(read.tag, [...read.integers.values()][0] ?? 0n)
  })
  return budget
}

/** Programs that check signatures say in their first byte how many. */
function signaturesChecked(instructions: readonly SolanaInstruction[]): bigint {
  return instructions
    .filter(({ program }) => SIGNATURE_PROGRAMS.includes(program))
    .reduce((sum, { data }) => sum + BigInt(data[0] ?? 0), 0n)
}
