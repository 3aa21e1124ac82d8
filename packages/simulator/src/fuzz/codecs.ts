import { readFileSync } from "node:fs"
import { edwards25519, ristretto255, secp256k1 } from "@lockkeeper/crypto"
import { type Codec, decode } from "@lockkeeper/encoding"
import { KEY_TYPES } from "@lockkeeper/protocols"
import { Dice } from "./dice.ts"
import type { Inside } from "./inside.ts"
import { invent } from "./invent.ts"
import { isPrivate, nameIn, sourceFiles } from "./modules.ts"

/** Codecs by name: the path of their module, a colon, and where in it they are. */
export type Codecs = Map<string, Codec<unknown>>

/** How deep codecs are looked for in records and maps. */
const MAX_DEPTH = 4

/** How many values of a parameter are invented. */
const INVENTED = 3

const GROUPS = [secp256k1, edwards25519, ristretto255]
const GROUP_NAMES = GROUPS.map(({ name }) => name)

/**
 * What functions that make codecs take, by the types that their parameters have in the source. Values
 * of a type `SomeParams` with a codec `someParamsCodec` in the same package are invented.
 */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  Group: GROUPS,
  GroupName: GROUP_NAMES,
  KeyType: KEY_TYPES,
  number: [1, 3],
}

/** What these make lies in some record, and is found there. */
const FOUND_ELSEWHERE: readonly string[] = ["packages/crypto/src/groups/group-over.ts:codecOver"]

/** The combinators themselves are tried by encoding's own tests, over codecs of every shape. */
const COMBINATORS = "packages/encoding/src/codec.ts"

const MADE =
  /^(?:export )?function (\w+)(?:<[^\n]*?>)?\(([^)]*)\)(?:: Codec<| \{\n {2}return struct)/gm
const MADE_LATER = /^(?:export )?function (\w+)\(([^)]*)\) \{[^}]*\n {2}return struct\(/gm

/** A name for part of a parameter's type. */
const NAMED_PART = /^(?:export )?type (\w+) = (Pick<\w+,[^>]*>)$/gm

/** A function that makes codecs from something else than codecs. */
interface Factory {
  readonly path: string
  readonly name: string
  /** As the source has them: `group: Group, count: number`. */
  readonly parameters: string
}

/** The factories in the packages' source. Those that dress other codecs are found with these. */
function factoriesIn(root: string): readonly Factory[] {
  return sourceFiles(root)
    .filter((path) => path !== COMBINATORS)
    .flatMap((path) => {
      const source = readFileSync(new URL(path, root), "utf8")
      return [...source.matchAll(MADE), ...source.matchAll(MADE_LATER)]
        .map(([, name = "", parameters = ""]) => ({
          ...{ path, name },
          parameters: withoutNames(parameters, source),
        }))
        .filter(({ name, parameters }) => {
          return !parameters.includes("Codec<") && !FOUND_ELSEWHERE.includes(`${path}:${name}`)
        })
    })
}

/** The parameters with what the names of parts stand for in the same source. */
function withoutNames(parameters: string, source: string): string {
  let spelled = parameters
  for (const [, name = "", part = ""] of source.matchAll(NAMED_PART)) {
    spelled = spelled.replaceAll(new RegExp(`: ${name}\\b`, "g"), `: ${part}`)
  }
  return spelled
}

/**
 * One list of arguments for each codec that is tried; null when nobody knows a parameter's type.
 *
 * @param codecs - among which those of parameters are looked for, of one package.
 */
export function callsFor(
  parameters: string,
  codecs: Codecs = new Map(),
): readonly (readonly unknown[])[] | null {
  const given = parameters.split(/,\s*(?=\w+: |\{)/).filter((part) => part.trim() !== "")
  const values = given.map((part) => {
    const type = part.slice(part.lastIndexOf(": ") + 2).trim()
    const name = type.replace(/^Pick<(\w+),.*/s, "$1").replace(/,$/, "")
    return ARGUMENTS[name] ?? inventedOf(name, codecs)
  })
  if (values.includes(null)) return null
  const most = Math.max(1, ...values.map((list) => list?.length ?? 0))
  return Array.from({ length: most }, (_, i) => values.map((list) => list?.[i % list.length]))
}

function inventedOf(type: string, codecs: Codecs): readonly unknown[] | null {
  const ending = `:${type.charAt(0).toLowerCase()}${type.slice(1)}Codec`
  const codec = [...codecs].find(([name]) => name.endsWith(ending))?.[1]
  if (codec === undefined) return null
  const dice = new Dice("arguments", type)
  const encodings = Array.from({ length: INVENTED }, () => invent(codec, new Map(), dice))
  const values = encodings.flatMap((encoded) => (encoded === null ? [] : [decode(codec, encoded)]))
  return values.length === 0 ? null : values
}

/**
 * Whatever can be written and read, wherever a loaded module keeps it, and what factories make.
 *
 * @throws Error when there is a factory of which nobody knows what it takes.
 */
export function findCodecs(inside: Inside, root: string): Codecs {
  const found: Codecs = new Map()
  const seen = new Set<unknown>()
  const look = (value: unknown, name: string, depth: number): void => {
    if (typeof value !== "object" || value === null || seen.has(value) || depth > MAX_DEPTH) return
    if (ArrayBuffer.isView(value)) return
    seen.add(value)
    if (isCodec(value)) {
      found.set(name, value)
      return
    }
    const parts = value instanceof Map ? value : Object.entries(value)
    for (const [key, part] of parts) look(part, `${name}.${String(key)}`, depth + 1)
  }
  for (const [path, names] of inside.modules) {
    if (isPrivate(path)) continue
    for (const [name, value] of Object.entries(names)) look(value, `${path}:${name}`, 0)
  }
  const unknown: string[] = []
  for (const { path, name, parameters } of factoriesIn(root)) {
    const ownPackage = path.slice(0, path.indexOf("/src/"))
    const near = new Map([...found].filter(([other]) => other.startsWith(ownPackage)))
    const calls = callsFor(parameters, near)
    if (calls === null) unknown.push(`${path}:${name}`)
    if (!inside.modules.has(path)) continue
    const make = nameIn<(...given: readonly unknown[]) => Codec<unknown>>(inside, path, name)
    for (const [i, given] of (calls ?? []).entries()) {
      found.set(`${path}:${name}(${i})`, make(...given))
    }
  }
  if (unknown.length > 0) {
    const names = unknown.join(", ")
    throw new Error(`nobody knows what these make codecs from (ARGUMENTS in codecs.ts): ${names}`)
  }
  return found
}

function isCodec(value: object): value is Codec<unknown> {
  const { read, write } = value as Partial<Codec<unknown>>
  return typeof read === "function" && typeof write === "function" && write.length === 2
}
