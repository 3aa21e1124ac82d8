import type { Identifier } from "@lockkeeper/crypto"
import type { Evidence } from "./evidence/evidence.ts"

/**
 * Why a run stopped: a closed set, one line of words for each protocol. A reason says what was seen;
 * who is at fault, if that can be proven, is in `culprits` and never follows from the reason alone.
 */
export const ABORT_REASONS = [
  // Messages: what a relay may have done, so nobody is named; except equivocation.
  "malformed-header",
  "wrong-suite",
  "wrong-protocol",
  "wrong-step",
  "wrong-attempt",
  "wrong-session",
  "wrong-roster-epoch",
  "unknown-sender",
  "wrong-signature",
  "part-mismatch",
  "missing-part",
  "unexpected-part",
  "duplicate-sender",
  "missing-messages",
  "echo-mismatch",
  "equivocation",
  // Distributed key generation: the sender signed what is wrong.
  "wrong-threshold",
  "wrong-participants",
  "wrong-key-type",
  "not-a-participant",
  "wrong-recipients",
  "malformed-payload",
  "wrong-vector-length",
  "wrong-opening",
  "wrong-proof-of-possession",
  "wrong-complaint",
  "wrong-confirmation",
  "wrong-answer",
  "bad-dealing",
  "false-complaint",
  "too-many-complaints",
  "complaint-pending",
  "not-accused",
  "identity-key",
  // FROST: what a coordinator put together wrongly; then what a signer signed.
  "not-approved",
  "wrong-key",
  "wrong-key-epoch",
  "unsupported-tweak",
  "duplicate-signer",
  "unsorted-signers",
  "too-few-signers",
  "missing-additive-signer",
  "not-a-signer",
  "commitment-mismatch",
  "inconsistent-key",
  "invalid-commitment",
  "invalid-signature-share",
  // Threshold OPAQUE: only a wrong evaluation can be proven; the rest names nobody.
  "wrong-account",
  "wrong-opaque-version",
  "wrong-ake-key",
  "wrong-share",
  "wrong-record",
  "wrong-signing-key",
  "stale-or-lying",
  "wrong-evaluation",
  "too-few-agree",
  "wrong-stretching",
  "wrong-password-or-envelope",
  "wrong-envelope",
  "wrong-server-mac",
  "too-few-authenticated",
  "wrong-client-mac",
  "no-guesses-left",
  "wrong-wrap",
  // Threshold ECDSA: setups, presignatures, orders and partial signatures.
  "wrong-params",
  "wrong-setup",
  "dead-pair",
  "pairwise-fault",
  "wrong-zero-sharing",
  "wrong-key-share",
  "wrong-proof",
  "wrong-presignature-share",
  "wrong-presignature",
  "identity-nonce",
  "wrong-digest",
  "wrong-child",
  "wrong-nonces",
  "invalid-partial-signature",
  // Key certificates.
  "missing-confirmation",
  "unexpected-confirmation",
  // Refresh, reshare and repair: who may deal what; the rest is as in key generation.
  "wrong-batch",
  "not-a-dealer",
  // Threshold OPAQUE: right, by shares of another generation than the others'.
  "other-generation",
] as const

export type AbortReason = (typeof ABORT_REASONS)[number]

/** A stopped run. Throwing is for bugs; everything a peer can cause is one of these. */
export interface Abort {
  readonly reason: AbortReason
  /** Provably at fault. Empty when the coordinator, the network or chance may have caused it. */
  readonly culprits: readonly Identifier[]
  /** One of these two is at fault and it cannot be told which. */
  readonly pair: readonly [Identifier, Identifier] | null
  /** Gave no usable answer. Silence is not guilt: the coordinator may have dropped the message. */
  readonly silent: readonly Identifier[]
  /** What proves a culprit to a third party: one item names one culprit. */
  readonly evidence: readonly Evidence[]
  /** The field of the message that was wrong, for people; empty when it was no single field. */
  readonly field: string
}

export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly abort: Abort }

export function done<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value }
}

export interface Blame {
  readonly culprits?: readonly Identifier[]
  readonly pair?: readonly [Identifier, Identifier]
  readonly silent?: readonly Identifier[]
  readonly evidence?: readonly Evidence[]
  readonly field?: string
}

/** Stops a run. Without `blame` it names nobody. */
export function abort(
  reason: AbortReason,
  blame: Blame = {},
): { readonly ok: false; readonly abort: Abort } {
  const { culprits = [], pair = null, silent = [], evidence = [], field = "" } = blame
  return { ok: false, abort: { reason, culprits, pair, silent, evidence, field } }
}
