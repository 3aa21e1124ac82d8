import type { Counter } from "../limits/counter.ts"

/** What can be asked of a key, and of a policy. */
export const ACTIONS = [
  "sign",
  "decrypt",
  "export",
  "delegate",
  "change-key",
  "change-policy",
] as const
export type Action = (typeof ACTIONS)[number]

export const PRINCIPAL_KINDS = ["owner", "delegate", "approver", "operator", "service"] as const
export const CUSTODIES = ["self", "delegated", "shared", "custodial"] as const

/** Who asks. One person has one id, whatever number of keys. */
export interface PrincipalFacts {
  readonly id: string
  readonly kind: (typeof PRINCIPAL_KINDS)[number]
  readonly roles: readonly string[]
}

export interface KeyFacts {
  readonly id: string
  /** What it can do, such as `frost-ed25519`. */
  readonly type: string
  readonly custody: (typeof CUSTODIES)[number]
  readonly labels: readonly string[]
}

export interface Transfer {
  readonly to: string
  readonly asset: string
  /** Of the asset's smallest unit, 0 to 2^256 - 1. */
  readonly amount: bigint
}

/** What is really going to be signed, as the server read it from the bytes. */
export interface IntentFacts {
  readonly chain: string
  readonly kind: string
  readonly from: string
  /** Everything that moves, or may be moved by whom it gives the right. */
  readonly transfers: readonly Transfer[]
  /** The most that the chain may take for it; null where nothing is paid. */
  readonly fee: { readonly asset: string; readonly amount: bigint } | null
  /**
   * False where more could move than `transfers` says: unknown calls, messages that others give a
   * meaning, a fee without a ceiling. Such an intent is beyond every limit on amounts.
   */
  readonly complete: boolean
  readonly warnings: readonly string[]
}

/** An approver's verdict. Whoever gives it here has verified signature, digest and expiry. */
export interface ApprovalFacts {
  readonly person: string
  readonly roles: readonly string[]
  readonly verdict: "approve" | "veto"
}

/** Everything of a request that the windows and counters depend on. */
export interface RequestFacts {
  readonly principal: PrincipalFacts
  readonly action: Action
  /** Null for `change-policy`, and for nothing else. */
  readonly key: KeyFacts | null
  /** Null for everything but `sign`. */
  readonly intent: IntentFacts | null
  /** Milliseconds since the Unix epoch. */
  readonly timeMs: number
  readonly approvals: readonly ApprovalFacts[]
}

/** Everything that a decision depends on beside the policy. */
export interface Facts extends RequestFacts {
  /** Those that `countersNeeded` names, by id; one that was never used is `emptyCounter`. */
  readonly counters: ReadonlyMap<string, Counter>
  /**
   * Whether the same was allowed before and is in the counters: another input of one transaction, or one
   * more attempt. It adds nothing to a window or velocity then; every other rule holds as before.
   */
  readonly isCounted?: boolean
}
