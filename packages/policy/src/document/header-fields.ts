import { DecodeError, type Json, readJson } from "@lockkeeper/encoding"
import { PolicyError, type ProblemCode, positionOf } from "../problem.ts"

/** A value of the header with its path, so that a refusal can say where it is. */
export class HeaderField {
  readonly #source: string
  readonly #json: Json
  readonly #path: string

  constructor(source: string, json: Json, path: string) {
    this.#source = source
    this.#json = json
    this.#path = path
  }

  /** @throws PolicyError, as everything here does: the first problem ends the reading. */
  static read(source: string, header: string): HeaderField {
    try {
      return new HeaderField(source, readJson(header), "")
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error
      throw problem(source, { code: "not-json", where: "header", at: error.offset }, error.message)
    }
  }

  fail(code: ProblemCode, what: string): never {
    const where = this.#path === "" ? "header" : this.#path
    throw problem(this.#source, { code, where, at: this.#json.at }, what)
  }

  /** The members, of which there are the `needed` and perhaps the `optional` ones and no more. */
  members(needed: readonly string[], optional: readonly string[]): HeaderMembers {
    const entries = this.entries()
    for (const [name, member] of entries) {
      const known = [...needed, ...optional]
      if (!known.includes(name)) member.fail("unknown-field", `there is only ${known.join(", ")}`)
    }
    for (const name of needed) {
      if (!entries.has(name)) this.fail("missing-field", `has no "${name}"`)
    }
    return {
      get: (name) => entries.get(name) ?? this.fail("missing-field", `has no "${name}"`),
      find: (name) => entries.get(name) ?? null,
    }
  }

  /** Members of whatever name. */
  entries(): ReadonlyMap<string, HeaderField> {
    const json = this.#json
    if (json.kind !== "object") return this.#wrongType("an object")
    return new Map([...json.members].map(([name, value]) => [name, this.#within(name, value)]))
  }

  items(most: number): readonly HeaderField[] {
    const json = this.#json
    if (json.kind !== "array") return this.#wrongType("a list")
    if (json.items.length > most) this.fail("out-of-bounds", `more than ${most}`)
    return json.items.map((item, index) => this.#within(String(index), item))
  }

  text(): string {
    return this.#json.kind === "string" ? this.#json.text : this.#wrongType("a text")
  }

  boolean(): boolean {
    return this.#json.kind === "boolean" ? this.#json.value : this.#wrongType("true or false")
  }

  /** An integer as it is written: `1e3`, `2.0` and what a double would round are refused. */
  integer(least: number, most: number): number {
    const json = this.#json
    if (json.kind !== "number") return this.#wrongType("a number")
    if (!/^[0-9]{1,16}$/.test(json.digits)) this.fail("out-of-bounds", "not a plain integer")
    const value = Number(json.digits)
    if (value < least || value > most) this.fail("out-of-bounds", `outside ${least} to ${most}`)
    return value
  }

  #within(name: string, value: Json): HeaderField {
    return new HeaderField(this.#source, value, this.#path === "" ? name : `${this.#path}.${name}`)
  }

  #wrongType(wanted: string): never {
    return this.fail("wrong-type", `not ${wanted}`)
  }
}

export interface HeaderMembers {
  get(name: string): HeaderField
  find(name: string): HeaderField | null
}

/** One problem at a character of the source. */
export function problem(
  source: string,
  place: { readonly code: ProblemCode; readonly where: string; readonly at: number },
  what: string,
): PolicyError {
  const { code, where, at } = place
  return new PolicyError([{ code, where, ...positionOf(source, at), what }])
}
