import { BOUNDS, LARGEST_AMOUNT } from "../bounds.ts"
import {
  ACTIONS,
  type ApprovalFacts,
  CUSTODIES,
  type IntentFacts,
  type KeyFacts,
  PRINCIPAL_KINDS,
  type PrincipalFacts,
  type RequestFacts,
  type Transfer,
} from "./facts.ts"

/**
 * The path of the first field that cannot be reasoned about, such as `intent.transfers.0.amount`, or
 * null. Types alone do not do: a number that was rounded on its way here has the right one.
 */
export function unsafeField(facts: RequestFacts): string | null {
  if (!ACTIONS.includes(facts.action)) return "action"
  if (!Number.isSafeInteger(facts.timeMs) || facts.timeMs < 0) return "timeMs"
  return (
    under("principal", ofPrincipal(facts.principal)) ??
    (facts.action === "change-policy"
      ? absent("key", facts.key)
      : under("key", ofKey(facts.key))) ??
    (facts.action === "sign"
      ? under("intent", ofIntent(facts.intent))
      : absent("intent", facts.intent)) ??
    under("approvals", ofList(facts.approvals, BOUNDS.approvals, ofApproval))
  )
}

/** A path below a field; "" is the field itself, null no problem. */
type Path = string | null

const under = (field: string, path: Path): Path =>
  path === null ? null : path === "" ? field : `${field}.${path}`

const absent = (field: string, value: unknown): Path => (value === null ? null : field)

const isText = (value: unknown): value is string =>
  typeof value === "string" &&
  value.length > 0 &&
  value.length <= BOUNDS.textCharacters &&
  value.isWellFormed()

const isAmount = (value: unknown) =>
  typeof value === "bigint" && value >= 0n && value <= LARGEST_AMOUNT

const textOf = (field: string, value: unknown): Path => (isText(value) ? null : field)

function ofList<T>(values: readonly T[], most: number, of: (value: T) => Path): Path {
  if (!Array.isArray(values) || values.length > most) return ""
  for (const [index, value] of values.entries()) {
    const path = of(value)
    if (path !== null) return path === "" ? String(index) : `${index}.${path}`
  }
  return null
}

const texts = (field: string, values: readonly string[], most: number): Path =>
  under(
    field,
    ofList(values, most, (value) => (isText(value) ? null : "")),
  )

function ofPrincipal(principal: PrincipalFacts): Path {
  if (principal === null || typeof principal !== "object") return ""
  return (
    textOf("id", principal.id) ??
    (PRINCIPAL_KINDS.includes(principal.kind) ? null : "kind") ??
    texts("roles", principal.roles, BOUNDS.principalRoles)
  )
}

function ofKey(key: KeyFacts | null): Path {
  if (key === null || typeof key !== "object") return ""
  return (
    textOf("id", key.id) ??
    textOf("type", key.type) ??
    (CUSTODIES.includes(key.custody) ? null : "custody") ??
    texts("labels", key.labels, BOUNDS.labels)
  )
}

function ofIntent(intent: IntentFacts | null): Path {
  if (intent === null || typeof intent !== "object") return ""
  const { fee } = intent
  return (
    textOf("chain", intent.chain) ??
    textOf("kind", intent.kind) ??
    textOf("from", intent.from) ??
    under("transfers", ofList(intent.transfers, BOUNDS.transfers, ofTransfer)) ??
    (fee === null ? null : under("fee", amountOf(fee))) ??
    (typeof intent.complete === "boolean" ? null : "complete") ??
    texts("warnings", intent.warnings, BOUNDS.warnings)
  )
}

const amountOf = (of: { readonly asset: string; readonly amount: bigint }): Path =>
  textOf("asset", of?.asset) ?? (isAmount(of.amount) ? null : "amount")

const ofTransfer = (transfer: Transfer): Path => textOf("to", transfer?.to) ?? amountOf(transfer)

function ofApproval(approval: ApprovalFacts): Path {
  return (
    textOf("person", approval?.person) ??
    texts("roles", approval.roles, BOUNDS.principalRoles) ??
    (approval.verdict === "approve" || approval.verdict === "veto" ? null : "verdict")
  )
}
