import { type Action, actionOf } from "../../intent/action.ts"
import type { Asset } from "../../intent/asset.ts"
import { MAX_UINT256 } from "../../intent/uint256.ts"
import { approval, type Warn } from "../call-actions.ts"
import { PERMIT2 } from "../known-functions.ts"
import { addressIn, fieldsOf, type TypedValue } from "./values.ts"

interface Order {
  readonly message: TypedValue & { readonly kind: "struct" }
  /** Who signs, where that is known. */
  readonly from: string | null
  readonly verifyingContract: string | null
  readonly hasChain: boolean
}

interface Permitted {
  readonly actions: readonly Action[]
  readonly nonce: bigint | null
}

interface Names {
  readonly from: string | null
  readonly token: Asset
  readonly warn: Warn
}

type Reading = (fields: ReadonlyMap<string, TypedValue>, names: Names) => Permitted

const DETAILS = "PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)"
const PERMISSIONS = "TokenPermissions(address token,uint256 amount)"
const TRANSFER =
  "address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce"

/** EIP-2612, DAI's older permit and EIP-3009, whose contract is the token itself; by their encodeType. */
const TOKEN_PERMITS: Readonly<Record<string, Reading>> = {
  "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)": (
    fields,
    { token, warn },
  ) => {
    const [owner, spender] = [text(fields, "owner"), text(fields, "spender")]
    const amount = integer(fields, "value")
    const order = { from: owner, to: spender, asset: token, amount, at: "message.value" }
    const action = approval({ kind: "approve", ...order }, warn)
    return { actions: [action], nonce: integer(fields, "nonce") }
  },
  "Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)": (
    fields,
    { token, warn },
  ) => {
    const [holder, spender] = [text(fields, "holder"), text(fields, "spender")]
    const allowed = fields.get("allowed")
    // DAI knows all and nothing, and no amounts between.
    const amount = allowed?.kind === "bool" && allowed.value ? MAX_UINT256 : 0n
    const order = { from: holder, to: spender, asset: token, amount, at: "message.allowed" }
    const action = approval({ kind: "approve", ...order }, warn)
    return { actions: [action], nonce: integer(fields, "nonce") }
  },
  [`TransferWithAuthorization(${TRANSFER})`]: transferByAuthorization,
  [`ReceiveWithAuthorization(${TRANSFER})`]: transferByAuthorization,
}

const ONCE = "address spender,uint256 nonce,uint256 deadline"

/** Permit2's own, by their encodeType; those with a witness end in types that anybody may define. */
const PERMIT2_PERMITS: Readonly<Record<string, Reading>> = {
  [`PermitSingle(PermitDetails details,address spender,uint256 sigDeadline)${DETAILS}`]: allowances,
  [`PermitBatch(PermitDetails[] details,address spender,uint256 sigDeadline)${DETAILS}`]:
    allowances,
  [`PermitTransferFrom(TokenPermissions permitted,${ONCE})${PERMISSIONS}`]: signatureTransfers,
  [`PermitBatchTransferFrom(TokenPermissions[] permitted,${ONCE})${PERMISSIONS}`]:
    signatureTransfers,
}

/** What a known permit allows; null for everything else, whatever it is named. */
export function permitActions(order: Order, warn: Warn): Permitted | null {
  const { message, from, verifyingContract, hasChain } = order
  if (verifyingContract === null || !hasChain) return null
  const permits = verifyingContract === PERMIT2 ? PERMIT2_PERMITS : TOKEN_PERMITS
  const { encodeType } = message.type
  if (!Object.hasOwn(permits, encodeType)) return null
  const token: Asset = { kind: "token", contract: verifyingContract }
  const permitted = (permits[encodeType] as Reading)(fieldsOf(message), { from, token, warn })
  // A batch of nothing is none: an intent without actions would pass whatever judges actions.
  if (permitted.actions.length === 0) return null
  warn("permit", "message")
  return permitted
}

function transferByAuthorization(
  fields: ReadonlyMap<string, TypedValue>,
  { token }: Names,
): Permitted {
  const [from, to] = [text(fields, "from"), text(fields, "to")]
  const amount = integer(fields, "value")
  return { actions: [actionOf("transfer", { from, to, asset: token, amount })], nonce: null }
}

/** PermitSingle and PermitBatch: the spender may move up to an amount until a time. */
function allowances(fields: ReadonlyMap<string, TypedValue>, names: Names): Permitted {
  const actions = itemsOf(fields.get("details")).map((item) => {
    const details = [{ name: "expiration", value: String(integer(item, "expiration")) }]
    return { ...permit2Approval(fields, item, names, 160), details }
  })
  return { actions, nonce: null }
}

/** PermitTransferFrom and its batch: the spender may move up to an amount once, to anybody. */
function signatureTransfers(fields: ReadonlyMap<string, TypedValue>, names: Names): Permitted {
  const actions = itemsOf(fields.get("permitted")).map((item) =>
    permit2Approval(fields, item, names, 256),
  )
  return { actions, nonce: integer(fields, "nonce") }
}

function permit2Approval(
  fields: ReadonlyMap<string, TypedValue>,
  item: ReadonlyMap<string, TypedValue>,
  { from, warn }: Names,
  bits: number,
): Action {
  const asset: Asset = { kind: "token", contract: text(item, "token") }
  const [to, amount] = [text(fields, "spender"), integer(item, "amount")]
  return approval({ kind: "approve", from, to, asset, amount, at: "message", bits }, warn)
}

/** One struct or a list of them. */
function itemsOf(value: TypedValue | undefined): readonly ReadonlyMap<string, TypedValue>[] {
  if (value === undefined) return []
  return value.kind === "array" ? value.items.map(fieldsOf) : [fieldsOf(value)]
}

// The encodeType was compared, so the fields are there and of their types.
function integer(fields: ReadonlyMap<string, TypedValue>, name: string): bigint {
  return (fields.get(name) as TypedValue & { readonly kind: "integer" }).value
}

function text(fields: ReadonlyMap<string, TypedValue>, name: string): string {
  return addressIn(fields.get(name)) as string
}
