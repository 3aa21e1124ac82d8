import type { IntentFacts, Transfer } from "@lockkeeper/policy"
import type { Action, ActionKind, Asset, Intent, WarningKind } from "@lockkeeper/transactions"

/** What a policy is told of bytes that no server can read. */
export const RAW: IntentFacts = {
  ...{ chain: "-", kind: "raw", from: "-", transfers: [], fee: null },
  ...{ complete: false, warnings: [] },
}

/** Nobody, nothing, or nothing that the bytes say. */
const NONE = "-"

/** After these nothing has moved but the amount that they say; the rest may move more. */
const COUNTABLE: ReadonlySet<ActionKind> = new Set([
  ...["transfer", "approve", "increase-approval", "decrease-approval", "revoke", "spend"],
  ...["change", "data", "create-account", "stake", "unstake", "withdraw", "split", "mint"],
  ...["burn", "freeze", "thaw", "advance-nonce"],
] as const)

/** What comes back, or only says from where: it is no movement of its own. */
const IMMOBILE: ReadonlySet<ActionKind> = new Set([
  ...["spend", "change", "revoke", "decrease-approval", "data", "unstake", "freeze", "thaw"],
  "advance-nonce",
] as const)

/** With these more could move than the actions say, or somewhere else. */
const OPEN_ENDED: ReadonlySet<WarningKind> = new Set([
  ...["any-chain", "fee-unknown", "amounts-not-covered", "sighash-none", "sighash-single"],
  ...["sighash-anyone-can-pay", "unresolved-lookup", "unlimited-approval"],
] as const)

/** What an intent comes to for a policy: sums, not lines. */
export function intentFacts(intent: Intent): IntentFacts {
  const chain = chainName(intent)
  const transfers = intent.actions.flatMap((action) => transferOf(action, chain))
  const warnings = [...new Set(intent.warnings.map(({ kind }) => kind))]
  const { feeCeiling, from } = intent
  const isFeeOpen = intent.kind === "transaction" && feeCeiling === null
  const complete =
    !isFeeOpen &&
    intent.actions.every(isCountable) &&
    !warnings.some((kind) => OPEN_ENDED.has(kind))
  const fee = feeCeiling === null ? null : { asset: `${chain}/native`, amount: feeCeiling }
  return { chain, kind: kindOf(intent), from: from ?? NONE, transfers, fee, complete, warnings }
}

/** `transfer`, `approve` .. where a transaction does nothing else, `mixed` where it does. */
function kindOf({ kind, actions }: Intent): string {
  if (kind !== "transaction") return kind
  const kinds = new Set(actions.map((action) => action.kind))
  for (const beside of ["spend", "change"] as const) kinds.delete(beside)
  const [only] = kinds
  if (only === undefined) return "consolidate"
  return kinds.size === 1 ? only : "mixed"
}

function chainName({ chain }: Intent): string {
  switch (chain.kind) {
    case "evm":
      return `evm:${chain.chainId ?? "*"}`
    case "bitcoin":
      return `bitcoin:${chain.network}`
    case "solana":
      return "solana"
  }
}

function isCountable({ kind, asset, amount }: Action): boolean {
  if (!COUNTABLE.has(kind) || asset?.kind === "held-by") return false
  return IMMOBILE.has(kind) || (asset !== null && amount !== null)
}

function transferOf({ kind, to, asset, amount }: Action, chain: string): readonly Transfer[] {
  if (IMMOBILE.has(kind) || asset === null || amount === null) return []
  return [{ to: to ?? NONE, asset: `${chain}/${assetName(asset)}`, amount }]
}

function assetName(asset: Asset): string {
  switch (asset.kind) {
    case "native":
      return "native"
    case "token":
      return asset.contract
    case "nft":
      return `${asset.contract}/${asset.id}`
    case "held-by":
      return `held-by/${asset.account}`
  }
}
