import { DecodeError } from "./reader.ts"

/**
 * JSON as it was written: numbers keep their digits, objects their members in order, and every value
 * knows at which character it begins.
 */
export type Json = { readonly at: number } & (
  | { readonly kind: "object"; readonly members: ReadonlyMap<string, Json> }
  | { readonly kind: "array"; readonly items: readonly Json[] }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "number"; readonly digits: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" }
)

/** Deepest nesting that is read. */
const MAX_DEPTH = 64

const WHITESPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids them inside strings.
const STRING = /"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y
const WORD = /true|false|null/y

/**
 * Reads RFC 8259 JSON in the one way that leaves nothing open: `JSON.parse` keeps the last of two
 * members of one name and rounds integers above 2^53, and other readers keep the first.
 *
 * @throws DecodeError on anything else, duplicate names and lone surrogates included.
 */
export function readJson(text: string): Json {
  const reader = new JsonReader(text)
  const value = reader.value(0)
  reader.end()
  return value
}

class JsonReader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): Json {
    if (depth > MAX_DEPTH) this.#fail("nested too deeply")
    this.#match(WHITESPACE)
    const at = this.#at
    const next = this.#text[at]
    if (next === "{") return this.#object(at, depth)
    if (next === "[") return this.#array(at, depth)
    if (next === '"') return { kind: "string", text: this.#string(), at }
    const digits = this.#match(NUMBER)
    if (digits) return { kind: "number", digits, at }
    const word = this.#match(WORD)
    if (word === "null") return { kind: "null", at }
    if (word) return { kind: "boolean", value: word === "true", at }
    return this.#fail("not JSON")
  }

  end(): void {
    this.#match(WHITESPACE)
    if (this.#at < this.#text.length) this.#fail("text after the JSON value")
  }

  #object(at: number, depth: number): Json {
    this.#at += 1
    const members = new Map<string, Json>()
    if (this.#takes("}")) return { kind: "object", members, at }
    do {
      this.#match(WHITESPACE)
      const nameAt = this.#at
      const name = this.#string()
      if (members.has(name)) this.#fail("a second member of the same name", nameAt)
      if (!this.#takes(":")) this.#fail("no colon after a member's name")
      members.set(name, this.value(depth + 1))
    } while (this.#takes(","))
    if (!this.#takes("}")) this.#fail("an object without an end")
    return { kind: "object", members, at }
  }

  #array(at: number, depth: number): Json {
    this.#at += 1
    const items: Json[] = []
    if (this.#takes("]")) return { kind: "array", items, at }
    do items.push(this.value(depth + 1))
    while (this.#takes(","))
    if (!this.#takes("]")) this.#fail("an array without an end")
    return { kind: "array", items, at }
  }

  #string(): string {
    const at = this.#at
    const quoted = this.#match(STRING)
    if (!quoted) return this.#fail("not a JSON string")
    const text: string = JSON.parse(quoted)
    if (!text.isWellFormed()) this.#fail("a lone surrogate", at)
    return text
  }

  #takes(sign: string): boolean {
    this.#match(WHITESPACE)
    if (this.#text[this.#at] !== sign) return false
    this.#at += 1
    return true
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ""
    this.#at += found.length
    return found
  }

  #fail(what: string, at = this.#at): never {
    throw new DecodeError(what, at)
  }
}
