import { BOUNDS } from "../bounds.ts"
import type { ProblemCode } from "../problem.ts"

/** One Cedar policy with its semicolon, and the character of the text at which it begins. */
export interface RuleText {
  readonly text: string
  readonly at: number
}

export interface ScanProblem {
  readonly code: ProblemCode
  /** How many rules come before. */
  readonly index: number
  readonly at: number
  readonly what: string
}

const TOKEN =
  /(?<gap>\s+|\/\/[^\n]*)|(?<text>"(?:[^"\\]|\\[\s\S])*")|(?<word>[A-Za-z_][A-Za-z0-9_]*)|(?<sign>&&|\|\||[=!<>]=|::|[\s\S])/y

/** What deepens a rule's syntax tree without a bracket. */
const OPERATORS = new Set(
  "if has like in is when unless && || == != <= >= < > + - * ! .".split(" "),
)
const OPENING = new Set(["(", "[", "{"])
const CLOSING = new Set([")", "]", "}"])

/**
 * Splits Cedar text into its policies, and refuses what Cedar's stack would not survive. Whether
 * each is a policy is for Cedar to say: it is given every part by itself.
 */
export function scanRules(rules: string): readonly RuleText[] | ScanProblem {
  const found: RuleText[] = []
  let start = -1
  let nesting = 0
  let operators = 0
  let at = 0
  const fail = (code: ProblemCode, where: number, what: string): ScanProblem => ({
    ...{ code, index: found.length, at: where, what },
  })
  while (at < rules.length) {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(rules)?.[0] ?? ""
    const next = at + token.length
    const isGap = /^(\s|\/\/)/.test(token)
    if (!isGap && start < 0) start = at
    if (token === '"') return fail("syntax", at, "a text without an end")
    if (OPERATORS.has(token)) operators += 1
    if (OPENING.has(token)) nesting += 1
    if (CLOSING.has(token)) nesting = Math.max(0, nesting - 1)
    if (nesting > BOUNDS.ruleNesting) return fail("too-nested", at, TOO_NESTED)
    if (operators > BOUNDS.ruleOperators) return fail("too-many-operators", at, TOO_MANY)
    if (token === ";") {
      if (next - start > BOUNDS.ruleCharacters) return fail("too-long", start, TOO_LONG)
      if (found.length === BOUNDS.rules) return fail("too-many-rules", start, MOST_RULES)
      found.push({ text: rules.slice(start, next), at: start })
      start = -1
      nesting = 0
      operators = 0
    }
    at = next
  }
  if (start >= 0) return fail("syntax", start, "a rule without a semicolon at its end")
  return found
}

const TOO_NESTED = `more than ${BOUNDS.ruleNesting} brackets within each other`
const TOO_MANY = `more than ${BOUNDS.ruleOperators} operators in one rule`
const TOO_LONG = `a rule of more than ${BOUNDS.ruleCharacters} characters`
const MOST_RULES = `more than ${BOUNDS.rules} rules`
