import { type Bytes, toHex } from "@lockkeeper/encoding"
import { type PolicyDocument, policyDigest } from "./document/document.ts"
import { readSource, refuseHidden } from "./document/source.ts"
import type { Cedar } from "./rules/cedar-port.ts"
import { compileRules, type Rule } from "./rules/compile.ts"
import { PreparedRules } from "./rules/prepared.ts"

/** One version of a policy, checked and ready to decide. */
export interface Policy {
  readonly document: PolicyDocument
  /** SHA-256, 32 bytes. */
  readonly digest: Bytes
  readonly rules: readonly Rule[]
  readonly prepared: PreparedRules
}

/**
 * Reads and checks a policy file.
 *
 * @throws PolicyError with the rule or field, the line and the column of what is wrong.
 */
export function parsePolicy(cedar: Cedar, source: string): Policy {
  const { document, rulesLine } = readSource(source)
  return preparePolicy(cedar, document, rulesLine)
}

/** Checks a document that was stored. @throws PolicyError likewise; lines are those of its rules. */
export function preparePolicy(cedar: Cedar, document: PolicyDocument, firstLine = 1): Policy {
  refuseHidden(document.rules)
  const digest = policyDigest(document)
  const rules = compileRules(cedar, document, firstLine)
  return { document, digest, rules, prepared: new PreparedRules(cedar, toHex(digest), rules) }
}
