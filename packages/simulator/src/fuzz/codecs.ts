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

/**
 * What functions that make codecs from something else than codecs are called with; null where what
 * they make is found because it lies somewhere. Those that dress other codecs are found with these.
 */
const FACTORIES: Readonly<Record<string, readonly (readonly unknown[])[] | null>> = {
  "packages/crypto/src/dleq.ts:dleqProofCodec": GROUPS.map((group) => [group]),
  "packages/crypto/src/groups/group-over.ts:codecOver": null,
  "packages/crypto/src/one-secret.ts:oneSecretProofCodec": GROUPS.map((group) => [group]),
  "packages/crypto/src/possession.ts:possessionProofCodec": GROUPS.map((group) => [group]),
  "packages/protocols/src/dkg/payloads.ts:revealPayloadCodec": GROUPS.map((group) => [group]),
  "packages/protocols/src/dkls/payload-codecs.ts:receiverMessageCodec": [[1], [3]],
  "packages/protocols/src/dkls/payload-codecs.ts:senderMessageCodec": [[1], [3]],
  "packages/protocols/src/frost/commitment.ts:rawFields": KEY_TYPES.map((keyType) => [keyType]),
  "packages/protocols/src/frost/sign.ts:shareBodyCodec": KEY_TYPES.map((keyType) => [keyType]),
  "packages/protocols/src/keys.ts:elementsOf": GROUPS.map(({ name }) => [name]),
  "packages/protocols/src/keys.ts:fieldsFor": GROUPS.map(({ name }) => [name]),
  "packages/protocols/src/keys.ts:secretCodec": [[0], [32]],
  "packages/protocols/src/opaque/envelope.ts:identityCodec": [[]],
}

/** The combinators themselves are tried by encoding's own tests, over codecs of every shape. */
const COMBINATORS = "packages/encoding/src/codec.ts"

const MADE =
  /^(?:export )?function (\w+)(?:<[^\n]*?>)?\(([^)]*)\)(?:: Codec<| \{\n {2}return struct)/gm
const MADE_LATER = /^(?:export )?function (\w+)\(([^)]*)\) \{[^}]*\n {2}return struct\(/gm

/** Functions in the packages' source that make codecs. */
export function factoriesIn(root: string): readonly string[] {
  return sourceFiles(root)
    .filter((path) => path !== COMBINATORS)
    .flatMap((path) => {
      const source = readFileSync(new URL(path, root), "utf8")
      return [...source.matchAll(MADE), ...source.matchAll(MADE_LATER)]
        .filter(([, , given]) => !/: Codec</.test(given ?? ""))
        .map(([, name]) => `${path}:${name}`)
    })
}

/** Functions that make codecs and of which nothing is known here: the campaign refuses to begin. */
export function unknownFactories(root: string): readonly string[] {
  return factoriesIn(root).filter((name) => !Object.hasOwn(FACTORIES, name))
}

/** Whatever can be written and read, wherever a loaded module keeps it, and what factories make. */
export function findCodecs(inside: Inside): Codecs {
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
  for (const [name, calls] of Object.entries(FACTORIES)) {
    const [path = "", factory = ""] = name.split(":")
    if (calls === null || !inside.modules.has(path)) continue
    const make = nameIn<(...given: readonly unknown[]) => Codec<unknown>>(inside, path, factory)
    for (const [i, given] of calls.entries()) found.set(`${name}(${i})`, make(...given))
  }
  return found
}

function isCodec(value: object): value is Codec<unknown> {
  const { read, write } = value as Partial<Codec<unknown>>
  return typeof read === "function" && typeof write === "function" && write.length === 2
}
