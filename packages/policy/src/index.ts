export { BOUNDS } from "./bounds.ts"
export {
  type Charter,
  type CharterProblem,
  charterCodec,
  charterDigest,
  charterProblem,
  OWNER,
  PERSON_KINDS,
  type Person,
  type PersonKind,
} from "./charter/charter.ts"
export { type Decision, decide, type MissingApprovals, type Reason } from "./decision/decide.ts"
export { type DryRun, dryRun, type PastRequest } from "./decision/dry-run.ts"
export { explain } from "./decision/explain.ts"
export {
  type Limit,
  type Member,
  type Per,
  type PolicyDocument,
  policyDigest,
  policyDocumentCodec,
  type Quorum,
  type Who,
} from "./document/document.ts"
export { type PolicySource, readSource } from "./document/source.ts"
export {
  ACTIONS,
  type Action,
  type ApprovalFacts,
  CUSTODIES,
  type Facts,
  type IntentFacts,
  type KeyFacts,
  PRINCIPAL_KINDS,
  type PrincipalFacts,
  type RequestFacts,
  type Transfer,
} from "./facts/facts.ts"
export { type Counter, counterCodec, emptyCounter } from "./limits/counter.ts"
export { type CounterNeed, countersAfter, countersNeeded } from "./limits/counters.ts"
export type { LimitState } from "./limits/limit-state.ts"
export { type Policy, parsePolicy, preparePolicy } from "./policy.ts"
export { PolicyError, type PolicyProblem, type ProblemCode } from "./problem.ts"
export type { Cedar } from "./rules/cedar-port.ts"
export type { Rule } from "./rules/compile.ts"
