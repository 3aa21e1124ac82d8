import { parseSync } from "@swc/core"

/** One check of a source file, and the edit that deletes it. Offsets count bytes. */
export interface Deletion {
  readonly start: number
  readonly end: number
  readonly replacement: "false" | "true"
  /** Number of the line it stands in, from 1. */
  readonly line: number
  /** The condition as written, on one line. */
  readonly condition: string
}

/** What a refusal calls: everything that stops a run or says that something is worthless. */
const refusals = /^(abort|accuse|refuse|worthless|wrong|unfit|fail|pairwiseFault)/i

/** Passes errors on that are bugs: not a check of anything that a peer sends. */
const passesBugsOn = /instanceof DecodeError/

interface Node {
  readonly type: string
  readonly span: { readonly start: number; readonly end: number }
  readonly [field: string]: unknown
}

/**
 * The checks of a TypeScript source: each condition that leads to a refusal (an abort, null, false, a
 * throw), each alternative of it by itself, and each part of a conjunction that a function returns.
 */
export function findChecks(source: Buffer): Deletion[] {
  // Positions are counted from the first token, so the text gets one at its very start.
  const text = `;${source.toString("utf8")}`
  const module = parseSync(text, { syntax: "typescript", target: "esnext" }) as unknown as Node
  const base = (module["body"] as Node[])[0]?.span.start ?? 0
  const found: Deletion[] = []
  const add = (node: Node, replacement: Deletion["replacement"]): void => {
    const [start, end] = [node.span.start - base - 1, node.span.end - base - 1]
    const condition = source.subarray(start, end).toString("utf8").replaceAll(/\s+/g, " ")
    if (passesBugsOn.test(condition)) return
    const line = source.subarray(0, start).toString("utf8").split("\n").length
    found.push({ start, end, replacement, line, condition })
  }
  visit(module, add)
  return found.sort((a, b) => a.start - b.start)
}

type Add = (node: Node, replacement: Deletion["replacement"]) => void

function visit(node: Node, add: Add): void {
  if (node.type === "IfStatement" && isRefusal(node["consequent"] as Node)) {
    for (const test of operands(node["test"] as Node, "||")) add(test, "false")
  }
  if (node.type === "ConditionalExpression") {
    const test = node["test"] as Node
    if (isRefused(node["consequent"] as Node)) {
      for (const part of operands(test, "||")) add(part, "false")
    } else if (isRefused(node["alternate"] as Node)) {
      for (const part of operands(test, "&&")) add(part, "true")
    }
  }
  for (const test of acceptances(node)) {
    for (const part of operands(test, "&&")) add(part, "true")
  }
  const returned = returnedBy(node)
  if (returned !== null) {
    const parts = operands(returned, "&&")
    if (parts.length > 1) for (const part of parts) add(part, "true")
  }
  for (const value of Object.values(node)) {
    if (Array.isArray(value)) for (const item of value) visitChild(item, add)
    else visitChild(value, add)
  }
}

/** Conditions of a block under which it returns something, where it ends in a refusal otherwise. */
function acceptances(node: Node): Node[] {
  if (node.type !== "BlockStatement" && node.type !== "FunctionBody") return []
  const statements = node["stmts"] as Node[]
  const last = statements.at(-1)
  if (last === undefined || !isRefusal(last)) return []
  return statements.slice(0, -1).flatMap((statement) => {
    if (statement.type !== "IfStatement") return []
    const consequent = statement["consequent"] as Node
    const accepts = consequent.type === "ReturnStatement" && !isRefusal(consequent)
    return accepts ? [statement["test"] as Node] : []
  })
}

function visitChild(value: unknown, add: Add): void {
  if (typeof value !== "object" || value === null) return
  // Arguments and list items stand in wrappers without a type of their own.
  if ("type" in value && "span" in value) visit(value as Node, add)
  else for (const inner of Object.values(value)) visitChild(inner, add)
}

function returnedBy(node: Node): Node | null {
  if (node.type === "ReturnStatement") return (node["argument"] as Node | null) ?? null
  if (node.type !== "ArrowFunctionExpression") return null
  const body = node["body"] as Node
  return body.type === "BlockStatement" || body.type === "FunctionBody" ? null : body
}

/** The parts of a chain of one logical operator; the expression itself where it is none. */
function operands(node: Node, operator: "||" | "&&"): Node[] {
  if (node.type === "ParenthesisExpression") {
    const inner = operands(node["expression"] as Node, operator)
    return inner.length > 1 ? inner : [node]
  }
  if (node.type !== "BinaryExpression" || node["operator"] !== operator) return [node]
  return [...operands(node["left"] as Node, operator), ...operands(node["right"] as Node, operator)]
}

/** Whether a statement ends in a refusal. */
function isRefusal(statement: Node): boolean {
  if (statement.type === "BlockStatement") {
    const last = (statement["stmts"] as Node[]).at(-1)
    return last !== undefined && isRefusal(last)
  }
  if (statement.type === "ThrowStatement") return true
  if (statement.type === "ExpressionStatement") return isRefused(statement["expression"] as Node)
  if (statement.type !== "ReturnStatement") return false
  const value = statement["argument"] as Node | null
  return value !== null && isRefused(value)
}

/** Whether a value is what a refusal returns. */
function isRefused(value: Node): boolean {
  switch (value.type) {
    case "NullLiteral":
      return true
    case "BooleanLiteral":
      return value["value"] === false
    case "ParenthesisExpression":
      return isRefused(value["expression"] as Node)
    case "CallExpression": {
      const callee = value["callee"] as Node
      const name = callee.type === "MemberExpression" ? (callee["property"] as Node) : callee
      return name.type === "Identifier" && refusals.test(name["value"] as string)
    }
    case "ObjectExpression":
      return (value["properties"] as Node[]).some(isRefusingKind)
    default:
      return false
  }
}

/** `kind: "accuse"` or `kind: "fault"`. */
function isRefusingKind(property: Node): boolean {
  const [key, value] = [property["key"] as Node | undefined, property["value"] as Node | undefined]
  if (key?.type !== "Identifier" || key["value"] !== "kind") return false
  return value?.type === "StringLiteral" && /^(accuse|fault)$/.test(value["value"] as string)
}
