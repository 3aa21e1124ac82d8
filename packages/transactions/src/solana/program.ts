import { type Bytes, DecodeError } from "@lockkeeper/encoding"
import { type Action, type ActionKind, actionOf, type Detail } from "../intent/action.ts"
import { type Asset, NATIVE } from "../intent/asset.ts"
import { integerOf } from "../intent/uint256.ts"
import type { WarningKind } from "../intent/warning.ts"
import { type Layout, readLayout } from "./layout.ts"
import type { SolanaInstruction } from "./message.ts"

/** A program whose instructions are known. */
export interface Program {
  readonly name: string
  /** How many bytes, least first, say which instruction it is. */
  readonly tagBytes: 1 | 4
  readonly instructions: ReadonlyMap<number, KnownInstruction>
}

/** One instruction of a program, and what it does by the names of its accounts and fields. */
export interface KnownInstruction {
  readonly name: string
  readonly data: Layout
  /** Accounts by their place; further ones are other signers. */
  readonly accounts: readonly string[]
  readonly kind: ActionKind
  /** Names of an account, or of a key in the data. */
  readonly from?: string
  readonly to?: string
  /** The name of an amount in the data. */
  readonly amount?: string
  /** Lamports where it is left out and there is an amount. */
  readonly asset?: { readonly mint: string } | { readonly heldBy: string }
  readonly warning?: WarningKind
}

/** A declaration in short: what it does, its accounts and its fields, each as `name type`. */
export function instruction(
  name: string,
  kind: ActionKind,
  accounts: string,
  data: string,
  roles: Pick<KnownInstruction, "from" | "to" | "amount" | "asset" | "warning"> = {},
): KnownInstruction {
  const words = (text: string, separator: string) =>
    text === "" ? [] : text.split(separator).map((word) => word.trim())
  const fields = words(data, ",").map((field) => field.split(" ") as unknown as Layout[number])
  return { name, kind, accounts: words(accounts, " "), data: fields, ...roles }
}

interface ReadInstruction {
  readonly action: Action
  readonly warning: WarningKind | null
  /** Which of the program's instructions it is. */
  readonly tag: number
  readonly integers: ReadonlyMap<string, bigint>
}

/**
 * What an instruction of a known program does; null where the program is known and the instruction
 * is not.
 *
 * @throws DecodeError where its data or accounts are not as the program has them.
 */
export function readInstruction(
  program: Program,
  given: SolanaInstruction,
  path: string,
): ReadInstruction | null {
  const tag = tagOf(program, given.data)
  const known = tag === null ? undefined : program.instructions.get(tag)
  if (tag === null || known === undefined) return null
  const accounts = new Map<string, string>()
  known.accounts.forEach((name, index) => {
    const account = given.accounts[index]
    if (account === undefined) {
      throw new DecodeError(`no account for ${name}`, 0, `${path}.accounts.${index}`)
    }
    accounts.set(name, account)
  })
  const data = given.data.slice(program.tagBytes)
  const { integers, keys, details } = readLayout(known.data, data, `${path}.data`)
  const role = (name: string | undefined) =>
    name === undefined ? null : (accounts.get(name) ?? keys.get(name) ?? null)
  const amount = known.amount === undefined ? null : (integers.get(known.amount) ?? null)
  const action = actionOf(known.kind, {
    from: role(known.from),
    to: role(known.to),
    asset: assetOf(known, role),
    amount,
    details: [
      { name: "instruction", value: `${program.name}, ${known.name}` },
      ...details,
      ...accountDetails(known.accounts, given.accounts),
    ],
  })
  return { action, warning: known.warning ?? null, tag, integers }
}

function tagOf({ tagBytes }: Program, data: Bytes): number | null {
  if (data.length < tagBytes) return null
  return Number(integerOf(data.slice(0, tagBytes).reverse()))
}

function assetOf(
  { asset, amount }: KnownInstruction,
  role: (name: string) => string | null,
): Asset | null {
  if (asset === undefined) return amount === undefined ? null : NATIVE
  if ("mint" in asset) return { kind: "token", contract: role(asset.mint) as string }
  return { kind: "held-by", account: role(asset.heldBy) as string }
}

/** Every account of an instruction by its name, or by its place where it has none. */
export function accountDetails(
  names: readonly string[],
  accounts: readonly string[],
): readonly Detail[] {
  return accounts.map((value, index) => ({
    name: `account ${index}${names[index] === undefined ? "" : ` (${names[index]})`}`,
    value,
  }))
}
