import { utf8 } from "@lockkeeper/encoding"
import { BOUNDS } from "../bounds.ts"
import type { PolicyDocument } from "./document.ts"
import { readHeader } from "./header.ts"
import { problem } from "./header-fields.ts"

/**
 * Control characters, a return that ends no line, and what makes a text look like another: nobody
 * approves what hides.
 */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
  /\r(?!\n)|[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/

/** A line of three hyphens ends the header. */
const RULE_LINE = /^---[ \t]*\r?$/m

/** A policy file's document, and the line of the file at which its rules begin. */
export interface PolicySource {
  readonly document: PolicyDocument
  readonly rulesLine: number
}

/**
 * Reads a policy file: a JSON header, a line `---`, and Cedar rules. The rules are not looked at.
 *
 * @throws PolicyError
 */
export function readSource(source: string): PolicySource {
  if (source.length > BOUNDS.policyCharacters) {
    throw problem(source.slice(0, 1), { code: "too-long", where: "file", at: 0 }, TOO_LONG)
  }
  refuseHidden(source)
  const split = RULE_LINE.exec(source)
  if (!split) {
    throw problem(source, { code: "no-header", where: "file", at: 0 }, NO_HEADER)
  }
  const header = readHeader(source, source.slice(0, split.index))
  const rulesAt = source.indexOf("\n", split.index) + 1 || source.length
  const rules = source.slice(rulesAt)
  const place = { code: "too-long", where: "file", at: rulesAt } as const
  if (utf8(rules).length > BOUNDS.rulesBytes) throw problem(source, place, RULES_TOO_LONG)
  const rulesLine = source.slice(0, rulesAt).split("\n").length
  return { document: { ...header, rules }, rulesLine }
}

const TOO_LONG = `more than ${BOUNDS.policyCharacters} characters`
const RULES_TOO_LONG = `more than ${BOUNDS.rulesBytes} bytes of rules`
const NO_HEADER = 'no line "---" ends the JSON header'

/** @throws PolicyError at the first character that people cannot see. */
export function refuseHidden(source: string): void {
  const at = firstHidden(source)
  if (at < 0) return
  const code = source.charCodeAt(at).toString(16).padStart(4, "0")
  throw problem(source, { code: "hidden-character", where: "file", at }, `U+${code} is not visible`)
}

/** Surrogates in pairs are characters; a lone one is not. */
const firstHidden = (source: string): number =>
  source.replace(/[\ud800-\udbff][\udc00-\udfff]/g, "  ").search(HIDDEN)
