import type { VerifiedSignature } from "./verified-signature.ts"

interface Facts {
  readonly servers: number
  readonly threshold: number
  readonly signatures: readonly VerifiedSignature[]
}

/** How a run ends: for programs, for people, for the shell. */
export interface Outcome {
  readonly line: Facts & { readonly ok: boolean; readonly error?: string }
  readonly remark: string
  readonly exitCode: 0 | 1
}

/**
 * A run that got to its end is a success only if nothing was left out.
 *
 * @param missing - why there was no EVM chain, or null.
 */
export function outcomeOf(facts: Facts, missing: string | null): Outcome {
  if (missing === null) return { line: { ok: true, ...facts }, remark: "", exitCode: 0 }
  const remark = `Not shown, and so not a success: transfers on an EVM chain. ${missing}`
  return { line: { ok: false, error: missing, ...facts }, remark, exitCode: 1 }
}
