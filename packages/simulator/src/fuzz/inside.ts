import { registerHooks } from "node:module"
import type { Codec } from "@lockkeeper/encoding"

/** What a module holds at its top level, exported or not. */
export type Names = Readonly<Record<string, unknown>>

/** What the packages' modules tell while this process is let into them. */
export interface Inside {
  /** By path from the root of the tree. */
  readonly modules: ReadonlyMap<string, Names>
  /** The values of all constants that codecs insist on. */
  readonly constants: readonly Uint8Array[]
  /** Asked at every `encode` and `decode`. */
  onCodec: ((codec: Codec<unknown>) => void) | null
}

const TOP_LEVEL = /^(?:export )?(?:const|(?:async )?function|class) (\w+)/gm

/** Where the combinators are; a function declared there may be put in another's place. */
const CODECS = "packages/encoding/src/codec.ts"

const WATCHED = `
constant = inside.watchConstant(constant)
decode = inside.watchCodec(decode)
decodeShared = inside.watchCodec(decodeShared)
encode = inside.watchCodec(encode)
`

/**
 * Lets this process see into every module of the packages that is loaded from now on: a codec is then
 * found because it exists, and not because somebody exported or listed it. Modules loaded before are
 * not seen, so this comes before anything else is imported. The files stay as they are.
 *
 * @param root - of the tree, as a URL that ends in a slash.
 */
export function seeInside(root: string): Inside {
  const modules = new Map<string, Names>()
  const constants: Uint8Array[] = []
  const inside: Inside = { modules, constants, onCodec: null }
  const hooks = {
    add: (path: string, names: Names) => modules.set(path, names),
    watchConstant: (make: (value: Uint8Array) => unknown) => (value: Uint8Array) => {
      constants.push(value)
      return make(value)
    },
    watchCodec:
      (run: (codec: Codec<unknown>, given: unknown) => unknown) =>
      (codec: Codec<unknown>, given: unknown) => {
        inside.onCodec?.(codec)
        return run(codec, given)
      },
  }
  const key = Symbol.for("lockkeeper.fuzz.inside")
  Object.defineProperty(globalThis, key, { value: hooks })
  registerHooks({
    load(url, context, next) {
      const loaded = next(url, context)
      const path = url.startsWith(root) ? url.slice(root.length) : ""
      if (!/^packages\/[a-z]+\/src\/.*\.ts$/.test(path) || path.includes("/gen/")) return loaded
      const source = String(loaded.source)
      const names = new Set([...source.matchAll(TOP_LEVEL)].map((match) => match[1] as string))
      // As getters: in a cycle of imports some are not initialised yet.
      const getters = [...names].map((name) => `get ${name}() { return ${name} }`).join(", ")
      const tell = `\n;{ const inside = globalThis[Symbol.for("lockkeeper.fuzz.inside")]
        inside.add(${JSON.stringify(path)}, { ${getters} })${path === CODECS ? WATCHED : ""} }\n`
      return { ...loaded, source: source + tell }
    },
  })
  return inside
}
