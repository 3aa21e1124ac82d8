/** Why a policy is refused. */
export type ProblemCode =
  | "hidden-character"
  | "too-long"
  | "no-header"
  | "not-json"
  | "unknown-field"
  | "missing-field"
  | "wrong-type"
  | "out-of-bounds"
  | "bad-name"
  | "doubled"
  | "unknown-role"
  | "unreachable"
  | "unused"
  | "no-rules"
  | "too-many-rules"
  | "too-nested"
  | "too-many-operators"
  | "syntax"
  | "no-id"
  | "bad-annotation"
  | "unknown-annotation"
  | "unknown-limit"
  | "unknown-quorum"
  | "schema"
  | "doubtful"
  | "engine-failed"

/** One reason, and the place: a rule by its id, or a field of the header by its path. */
export interface PolicyProblem {
  readonly code: ProblemCode
  /** `rule payments`, `rule 3` for one without an id, `limits.daily.most`, or `file`. */
  readonly where: string
  /** Of the file, or of the rules where there is no file; both from 1. */
  readonly line: number
  readonly column: number
  readonly what: string
}

/** A policy that is not one, with everything that was found wrong with it. */
export class PolicyError extends Error {
  override readonly name = "PolicyError"
  readonly problems: readonly PolicyProblem[]

  constructor(problems: readonly PolicyProblem[]) {
    super(problems.map(line).join("\n"))
    this.problems = problems
  }
}

const line = ({ line, column, where, what }: PolicyProblem) =>
  `line ${line}, column ${column}: ${where}: ${what}`

/** Line and column of a character of `text`, both from 1. */
export function positionOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at)
  return { line: before.split("\n").length, column: at - before.lastIndexOf("\n") }
}
