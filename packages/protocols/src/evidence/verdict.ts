import type { Identifier } from "@lockkeeper/crypto"
import type { AbortReason } from "../outcome.ts"

/** Identity keys of the roster that was in force: all an offline verifier needs to know. */
export type VerifyKeys = ReadonlyMap<Identifier, Uint8Array>

/** What an offline verifier concludes from signed bytes alone. */
export type Verdict =
  | { readonly valid: true; readonly culprit: Identifier; readonly reason: AbortReason }
  | { readonly valid: false; readonly why: string }

export function culprit(identifier: Identifier, reason: AbortReason): Verdict {
  return { valid: true, culprit: identifier, reason }
}

export function worthless(why: string): Verdict {
  return { valid: false, why }
}
