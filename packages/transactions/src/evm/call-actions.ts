import { DecodeError, toHex } from "@lockkeeper/encoding"
import { type Action, actionOf, bytesShown, type Detail } from "../intent/action.ts"
import type { Asset } from "../intent/asset.ts"
import type { WarningKind } from "../intent/warning.ts"
import { type AbiValue, decodeArguments } from "./abi.ts"
import { evmAddressOf, ZERO_ADDRESS } from "./address.ts"
import {
  type KnownFunction,
  PERMIT2,
  type Permit2Function,
  permit2Functions,
  type TokenFunction,
  tokenFunctions,
} from "./known-functions.ts"

export interface Call {
  /** The account that calls; null where it is not known. */
  readonly from: string | null
  readonly contract: string
  readonly data: Uint8Array
}

export type Warn = (kind: WarningKind, at: string) => void

const SELECTOR = 4

/**
 * What a call does, where a standard says so, and the call itself where none does. A contract may do
 * something else under a standard's name: that is why assets carry the contract.
 *
 * @throws DecodeError for a known function whose arguments are not in the ABI's one encoding.
 */
export function callActions(call: Call, warn: Warn): readonly Action[] {
  const { from, contract, data } = call
  const selector = toHex(data.subarray(0, SELECTOR))
  if (contract === PERMIT2) {
    const known = permit2Functions.get(selector)
    if (known) return permit2Actions(known.name, argumentsOf(known, data), from, warn)
  } else {
    const known = tokenFunctions.get(selector)
    if (known) return tokenActions(known.name, argumentsOf(known, data), call, warn)
  }
  warn("unknown-call", "data")
  return [actionOf("call", { from, to: contract, details: bytesShown("data", data) })]
}

/** The arguments of a known function, each read by the name and type of its declaration. */
interface Arguments {
  address(name: string): string
  integer(name: string): bigint
  integers(name: string): readonly bigint[]
  flag(name: string): boolean
  details(...names: readonly string[]): readonly Detail[]
}

function argumentsOf({ parameters }: KnownFunction<string>, data: Uint8Array): Arguments {
  const values = decodeArguments(parameters, data.subarray(SELECTOR), "data")
  const given = new Map(parameters.map(({ name }, i) => [name, values[i] as AbiValue]))
  return {
    address: (name) => evmAddressOf(given.get(name) as bigint),
    integer: (name) => given.get(name) as bigint,
    integers: (name) => given.get(name) as readonly bigint[],
    flag: (name) => given.get(name) === true,
    details: (...names) =>
      names.flatMap((name) => {
        const value = given.get(name)
        if (value instanceof Uint8Array) return value.length === 0 ? [] : bytesShown(name, value)
        return [{ name, value: String(value) }]
      }),
  }
}

function tokenActions(
  name: TokenFunction,
  given: Arguments,
  call: Call,
  warn: Warn,
): readonly Action[] {
  const { from, contract } = call
  const asset: Asset = { kind: "token", contract }
  switch (name) {
    case "transfer": {
      const to = given.address("to")
      warnOfRecipient(to, contract, warn)
      return [actionOf("transfer", { from, to, asset, amount: given.integer("amount") })]
    }
    case "approveAll": {
      const to = given.address("operator")
      if (!given.flag("approved")) return [actionOf("revoke", { from, to, asset })]
      warn("approval-for-all", "data.approved")
      return [actionOf("approve-all", { from, to, asset })]
    }
    case "permit": {
      const details = given.details("deadline", "v", "r", "s")
      return [{ ...allowance("approve", given.address("owner"), asset, given, warn), details }]
    }
    case "approve":
      warn("amount-or-token-id", "data.amount")
      return [allowance("approve", from, asset, given, warn)]
    case "increase":
      return [allowance("increase-approval", from, asset, given, warn)]
    case "decrease":
      return [allowance("decrease-approval", from, asset, given, warn)]
    default:
      return movements(name, given, call, warn)
  }
}

function allowance(
  kind: Approval["kind"],
  from: string | null,
  asset: Asset,
  given: Arguments,
  warn: Warn,
): Action {
  const [to, amount] = [given.address("spender"), given.integer("amount")]
  return approval({ kind, from, to, asset, amount, at: "data.amount" }, warn)
}

type Movement = Extract<TokenFunction, `transfer${string}`>

/** Functions that say whose tokens they move. */
function movements(
  name: Exclude<Movement, "transfer">,
  given: Arguments,
  call: Call,
  warn: Warn,
): readonly Action[] {
  const moved = (id: bigint | null, amount: bigint, details: readonly Detail[] = []) => {
    const { contract } = call
    const asset: Asset = id === null ? { kind: "token", contract } : { kind: "nft", contract, id }
    return { ...movement(call.from, contract, given, warn), asset, amount, details }
  }
  switch (name) {
    case "transferFrom":
      warn("amount-or-token-id", "data.amount")
      return [moved(null, given.integer("amount"))]
    case "transferOne":
      return [moved(given.integer("id"), 1n)]
    case "transferOneWithData":
      return [moved(given.integer("id"), 1n, given.details("data"))]
    case "transferMany":
      return [moved(given.integer("id"), given.integer("amount"), given.details("data"))]
    case "transferBatch": {
      const [ids, amounts] = [given.integers("ids"), given.integers("amounts")]
      // An intent without actions would pass whatever judges actions.
      if (ids.length === 0) throw new DecodeError("none", 0, "data.ids")
      if (ids.length !== amounts.length) {
        throw new DecodeError("not as many as there are ids", 0, "data.amounts")
      }
      return ids.map((id, i) => moved(id, amounts[i] as bigint, given.details("data")))
    }
  }
}

function movement(caller: string | null, contract: string, given: Arguments, warn: Warn): Action {
  const [from, to] = [given.address("from"), given.address("to")]
  if (from !== caller) warn("moves-others-assets", "data.from")
  warnOfRecipient(to, contract, warn)
  return actionOf("transfer", { from, to })
}

function permit2Actions(
  name: Permit2Function,
  given: Arguments,
  caller: string | null,
  warn: Warn,
): readonly Action[] {
  const contract = given.address("token")
  const asset: Asset = { kind: "token", contract }
  const amount = given.integer("amount")
  if (name === "transferFrom") {
    return [{ ...movement(caller, contract, given, warn), asset, amount }]
  }
  const to = given.address("spender")
  const order = { kind: "approve", from: caller, to, asset, amount, at: "data.amount" } as const
  return [{ ...approval({ ...order, bits: 160 }, warn), details: given.details("expiration") }]
}

export interface Approval {
  readonly kind: "approve" | "increase-approval" | "decrease-approval"
  readonly from: string | null
  readonly to: string
  readonly asset: Asset
  readonly amount: bigint
  /** Where the amount stands. */
  readonly at: string
  /** How wide its type is. */
  readonly bits?: number
}

/** An approval, with a warning where it is of a size that its type allows and that no supply reaches. */
export function approval(
  { kind, from, to, asset, amount, at, bits = 256 }: Approval,
  warn: Warn,
): Action {
  const isUnlimited = amount >> BigInt(bits - 1) !== 0n
  if (isUnlimited && kind !== "decrease-approval") warn("unlimited-approval", at)
  return actionOf(kind, { from, to, asset, amount })
}

function warnOfRecipient(to: string, contract: string, warn: Warn): void {
  if (to === contract) warn("to-asset-contract", "data.to")
  if (to === ZERO_ADDRESS) warn("to-zero-address", "data.to")
}
