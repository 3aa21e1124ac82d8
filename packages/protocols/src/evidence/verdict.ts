import type { Identifier } from "@lockkeeper/crypto"
import type { AbortReason } from "../outcome.ts"

/** Identity keys of the roster that was in force: all an offline verifier needs to know. */
export type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

/** What an offline verifier concludes from signed bytes alone. */
export type Verdict =
  | { readonly valid: true; readonly culprit: Identifier; readonly reason: AbortReason }
  /** One of the two is at fault, and nothing tells which. */
  | {
      readonly valid: true
      readonly pair: readonly [Identifier, Identifier]
      readonly reason: AbortReason
    }
  | { readonly valid: false; readonly why: string }

export function culprit(identifier: Identifier, reason: AbortReason): Verdict {
  return { valid: true, culprit: identifier, reason }
}

export function pairAtFault(pair: readonly [Identifier, Identifier], reason: AbortReason): Verdict {
  return { valid: true, pair, reason }
}

export function worthless(why: string): Verdict {
  return { valid: false, why }
}
