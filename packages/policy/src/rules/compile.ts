import { utf8 } from "@lockkeeper/encoding"
import type { PolicyDocument } from "../document/document.ts"
import { isName } from "../document/document.ts"
import { PolicyError, type PolicyProblem, type ProblemCode, positionOf } from "../problem.ts"
import { type Cedar, callCedar } from "./cedar-port.ts"
import { type RuleText, scanRules } from "./scan.ts"
import { schemaText } from "./schema.ts"

/** One rule: a Cedar policy, and the limits and quorums that its annotations name. */
export interface Rule {
  readonly id: string
  readonly effect: "permit" | "forbid"
  /** `@limit`: a permit holds within all of them, a forbid beyond any. */
  readonly limits: readonly string[]
  /** `@quorum`: a permit waits for all of them, a forbid is lifted by all. */
  readonly quorums: readonly string[]
  /** `@note`, for people. */
  readonly note: string
  /** As it was written. */
  readonly text: string
  /** With a last condition that says whether its limits and quorums let it take effect. */
  readonly compiled: string
}

interface Found {
  readonly problems: PolicyProblem[]
  add(rule: RuleText, place: { code: ProblemCode; where: string; at?: number }, what: string): void
}

/**
 * The rules of a document, each a valid Cedar policy over the schema that speaks of nothing unknown.
 *
 * @param firstLine - of the rules in their file, for the positions of problems.
 * @throws PolicyError with everything that is wrong.
 */
export function compileRules(
  cedar: Cedar,
  document: PolicyDocument,
  firstLine: number,
): readonly Rule[] {
  const problems: PolicyProblem[] = []
  const at = (offset: number) => {
    const { line, column } = positionOf(document.rules, offset)
    return { line: line + firstLine - 1, column }
  }
  const found: Found = {
    problems,
    add(rule, { code, where, at: offset = 0 }, what) {
      problems.push({ code, where, ...at(rule.at + offset), what })
    },
  }
  const texts = scanRules(document.rules)
  if (!("length" in texts)) {
    const where = `rule ${texts.index + 1}`
    throw new PolicyError([{ code: texts.code, where, ...at(texts.at), what: texts.what }])
  }
  if (texts.length === 0) {
    throw new PolicyError([{ code: "no-rules", where: "file", ...at(0), what: "has no rules" }])
  }
  const rules = new Map<string, { rule: Rule; source: RuleText }>()
  for (const [index, source] of texts.entries()) {
    const rule = readRule(cedar, { document, source, index }, found)
    if (rule && rules.has(rule.id)) {
      found.add(source, { code: "doubled", where: `rule ${rule.id}` }, "the id is there twice")
    } else if (rule) rules.set(rule.id, { rule, source })
  }
  // Cedar is asked about types once every rule can be named.
  if (problems.length === 0) validate(cedar, document, rules, found)
  if (problems.length === 0) problems.push(...unusedNames(document, [...rules.values()]))
  if (problems.length > 0) throw new PolicyError(withoutRepeats(problems))
  return [...rules.values()].map(({ rule }) => rule)
}

/** Cedar says the same of a place once for each action. */
function withoutRepeats(problems: readonly PolicyProblem[]): readonly PolicyProblem[] {
  const place = ({ code, where, line, column }: PolicyProblem) => [code, where, line, column].join()
  const first = new Map<string, PolicyProblem>()
  for (const found of problems) if (!first.has(place(found))) first.set(place(found), found)
  return [...first.values()]
}

/** A limit that no rule names limits nothing, whatever its author thinks. */
function unusedNames(
  document: PolicyDocument,
  rules: readonly { readonly rule: Rule }[],
): readonly PolicyProblem[] {
  const limits = new Set(rules.flatMap(({ rule }) => rule.limits))
  const quorums = new Set(rules.flatMap(({ rule }) => rule.quorums))
  const unused = [
    ...document.limits.flatMap(({ name }) => (limits.has(name) ? [] : `limits.${name}`)),
    ...document.quorums.flatMap(({ name }) => (quorums.has(name) ? [] : `quorums.${name}`)),
  ]
  return unused.map((where) => ({ code: "unused", where, line: 1, column: 1, what: NO_RULE }))
}

const NO_RULE = "no rule names it, so that it has no effect"

const ANNOTATIONS = ["id", "limit", "quorum", "note"]

function readRule(
  cedar: Cedar,
  from: { document: PolicyDocument; source: RuleText; index: number },
  found: Found,
): Rule | null {
  const { document, source, index } = from
  const numbered = `rule ${index + 1}`
  const called = callCedar(cedar, (port) => port.policyToJson(source.text))
  if ("failed" in called) {
    found.add(source, { code: "engine-failed", where: numbered }, called.failed)
    return null
  }
  if (called.answer.type === "failure") {
    for (const error of called.answer.errors) {
      const offset = characterAt(source.text, error.sourceLocations?.[0]?.start ?? 0)
      found.add(source, { code: "syntax", where: numbered, at: offset }, saying(error))
    }
    return null
  }
  const { effect, annotations = {}, conditions } = called.answer.json
  const id = annotations["id"]
  if (typeof id !== "string" || !isName(id)) {
    found.add(source, { code: "no-id", where: numbered }, NO_ID)
    return null
  }
  const where = `rule ${id}`
  for (const name of Object.keys(annotations)) {
    if (!ANNOTATIONS.includes(name)) {
      found.add(source, { code: "unknown-annotation", where }, `there is no @${name}`)
    } else if (typeof annotations[name] !== "string") {
      found.add(source, { code: "bad-annotation", where }, `@${name} has no text`)
    }
  }
  const limits = namesIn(annotations["limit"])
  const quorums = namesIn(annotations["quorum"])
  for (const name of unknown(limits, document.limits)) {
    found.add(source, { code: "unknown-limit", where }, `there is no limit "${name}"`)
  }
  for (const name of unknown(quorums, document.quorums)) {
    found.add(source, { code: "unknown-quorum", where }, `there is no quorum "${name}"`)
  }
  const rule = { id, effect, limits, quorums, note: annotations["note"] ?? "", text: source.text }
  return { ...rule, compiled: compiledText(cedar, rule, conditions.length) }
}

const NO_ID = 'needs an @id("..") of a-z, 0-9 and hyphens'

const namesIn = (annotation: string | undefined): readonly string[] =>
  typeof annotation === "string" ? annotation.split(",").map((name) => name.trim()) : []

const unknown = (names: readonly string[], among: readonly { readonly name: string }[]) =>
  names.filter((name) => !among.some((known) => known.name === name))

/**
 * Adds `granted` to a permit and `lifted` to a forbid that have limits or quorums. Both sets are
 * computed for each request, and to be missing from them denies.
 */
function compiledText(
  cedar: Cedar,
  rule: Pick<Rule, "id" | "effect" | "limits" | "quorums" | "text">,
  conditions: number,
): string {
  if (rule.limits.length + rule.quorums.length === 0) return rule.text
  const [kind, set] = rule.effect === "permit" ? ["when", "granted"] : ["unless", "lifted"]
  // On a line of its own: the last one may end with a comment.
  const compiled = `${rule.text.slice(0, -1)}\n${kind} { context.${set}.contains("${rule.id}") };`
  const called = callCedar(cedar, (port) => port.policyToJson(compiled))
  const read = "answer" in called && called.answer.type === "success" ? called.answer.json : null
  if (read?.conditions.length !== conditions + 1) {
    throw new Error(`the condition of rule ${rule.id} did not become a part of it`)
  }
  return compiled
}

function validate(
  cedar: Cedar,
  document: PolicyDocument,
  rules: ReadonlyMap<string, { rule: Rule; source: RuleText }>,
  found: Found,
): void {
  const staticPolicies = Object.fromEntries([...rules].map(([id, { rule }]) => [id, rule.text]))
  const schema = schemaText(document.roles)
  const called = callCedar(cedar, (port) => port.validate({ schema, policies: { staticPolicies } }))
  const first = [...rules.values()][0] as { source: RuleText }
  if ("failed" in called) {
    found.add(first.source, { code: "engine-failed", where: "file" }, called.failed)
    return
  }
  if (called.answer.type === "failure") {
    const what = called.answer.errors.map(saying).join("; ")
    found.add(first.source, { code: "engine-failed", where: "file" }, what)
    return
  }
  const { validationErrors, validationWarnings, otherWarnings } = called.answer
  const add = (code: ProblemCode, policyId: string, error: CedarError) => {
    const source = rules.get(policyId)?.source ?? first.source
    const offset = characterAt(source.text, error.sourceLocations?.[0]?.start ?? 0)
    found.add(source, { code, where: `rule ${policyId}`, at: offset }, saying(error))
  }
  for (const { policyId, error } of validationErrors) add("schema", policyId, error)
  // A rule that never applies, or that looks like another, does not do what its author thinks.
  if (validationErrors.length === 0) {
    for (const { policyId, error } of validationWarnings) add("doubtful", policyId, error)
    for (const error of otherWarnings) {
      found.add(first.source, { code: "doubtful", where: "file" }, saying(error))
    }
  }
}

interface CedarError {
  readonly message: string
  readonly help: string | null
  readonly sourceLocations?: readonly { readonly start: number }[]
}

const saying = (error: CedarError): string =>
  error.help ? `${error.message} (${error.help})` : error.message

/** Cedar counts bytes of UTF-8. */
const characterAt = (text: string, byte: number): number =>
  new TextDecoder().decode(utf8(text).subarray(0, byte)).length
