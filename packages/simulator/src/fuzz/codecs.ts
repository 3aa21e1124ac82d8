import { readFileSync } from "node:fs"
import { edwards25519, ristretto255, secp256k1 } from "@lockkeeper/crypto"
import type { Codec } from "@lockkeeper/encoding"
import { KEY_TYPES } from "@lockkeeper/protocols"
import type { Inside } from "./inside.ts"
import { isPrivate, nameIn, sourceFiles } from "./modules.ts"

/** Codecs by name: the path of their module, a colon, and where in it they are. */
export type Codecs = Map<string, Codec<unknown>>

/** How deep codecs are looked for in records and maps. */
const MAX_DEPTH = 4

const GROUPS = [secp256k1, edwards25519, ristretto255]
const GROUP_NAMES = GROUPS.map(({ name }) => name)

/** What functions that make codecs take, by the types that their parameters have in the source. */
const ARGUMENTS: Readonly<Record<string, readonly unknown[]>> = {
  Group: GROUPS,
  GroupName: GROUP_NAMES,
  KeyType: KEY_TYPES,
  number: [1, 3],
  ReshareParams: [2, 3].map((minSigners) => ({ groups: GROUP_NAMES, minSigners })),
}

/** What these make lies in some record, and is found there. */
const FOUND_ELSEWHERE: readonly string[] = ["packages/crypto/src/groups/group-over.ts:codecOver"]

/** The combinators themselves are tried by encoding's own tests, over codecs of every shape. */
const COMBINATORS = "packages/encoding/src/codec.ts"

const MADE =
  /^(?:export )?function (\w+)(?:<[^\n]*?>)?\(([^)]*)\)(?:: Codec<| \{\n {2}return struct)/gm
const MADE_LATER = /^(?:export )?function (\w+)\(([^)]*)\) \{[^}]*\n {2}return struct\(/gm

/** A function that makes codecs from something else than codecs. */
export interface Factory {
  readonly path: string
  readonly name: string
  /** One list of arguments for each codec that is tried; null when its parameters are not known. */
  readonly calls: readonly (readonly unknown[])[] | null
}

/** The factories in the packages' source. Those that dress other codecs are found with these. */
export function factoriesIn(root: string): readonly Factory[] {
  return sourceFiles(root)
    .filter((path) => path !== COMBINATORS)
    .flatMap((path) => {
      const source = readFileSync(new URL(path, root), "utf8")
      return [...source.matchAll(MADE), ...source.matchAll(MADE_LATER)]
        .map(([, name = "", given = ""]) => ({ path, name, given }))
        .filter(({ given, name }) => {
          return !given.includes("Codec<") && !FOUND_ELSEWHERE.includes(`${path}:${name}`)
        })
        .map(({ name, given }) => ({ path, name, calls: callsFor(given) }))
    })
}

/** Arguments for parameters as the source has them: `group: Group, count: number`. */
export function callsFor(parameters: string): Factory["calls"] {
  const given = parameters.split(/,\s*(?=\w+: |\{)/).filter((part) => part.trim() !== "")
  const values = given.map((part) => {
    const type = part.slice(part.lastIndexOf(": ") + 2).trim()
    return ARGUMENTS[type.replace(/^Pick<(\w+),.*/s, "$1").replace(/,$/, "")]
  })
  if (values.includes(undefined)) return null
  const most = Math.max(1, ...values.map((list) => list?.length ?? 0))
  return Array.from({ length: most }, (_, i) => values.map((list) => list?.[i % list.length]))
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
  const factories = factoriesIn(root)
  const unknown = factories.filter(({ calls }) => calls === null)
  if (unknown.length > 0) {
    const names = unknown.map(({ path, name }) => `${path}:${name}`).join(", ")
    throw new Error(`nobody knows what these make codecs from (ARGUMENTS in codecs.ts): ${names}`)
  }
  for (const { path, name, calls } of factories) {
    if (!inside.modules.has(path)) continue
    const make = nameIn<(...given: readonly unknown[]) => Codec<unknown>>(inside, path, name)
    for (const [i, given] of (calls ?? []).entries()) {
      found.set(`${path}:${name}(${i})`, make(...given))
    }
  }
  return found
}

function isCodec(value: object): value is Codec<unknown> {
  const { read, write } = value as Partial<Codec<unknown>>
  return typeof read === "function" && typeof write === "function" && write.length === 2
}
