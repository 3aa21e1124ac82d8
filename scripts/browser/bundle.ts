import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { build, type Plugin } from "esbuild"

/** A program for browsers: one ES module with everything it needs inside. */
export interface BrowserBundle {
  readonly code: string
  /** Third-party packages whose code is in it, sorted. */
  readonly packages: readonly string[]
}

/**
 * Bundles a TypeScript entry and the workspace packages it imports, from source, for browsers.
 *
 * @param entry - absolute path of a TypeScript module.
 */
export async function bundleForBrowser(entry: string): Promise<BrowserBundle> {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    target: "es2024",
    conditions: ["lockkeeper-source", "browser", "import"],
    plugins: [inlineWasm],
    logLevel: "silent",
  })
  const [output] = result.outputFiles
  if (!output) throw new Error(`esbuild made nothing of ${entry}`)
  const packages = new Set<string>()
  for (const [path, input] of Object.entries(
    Object.values(result.metafile.outputs)[0]?.inputs ?? {},
  )) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]
    if (name && input.bytesInOutput > 0) packages.add(name)
  }
  return { code: output.text, packages: [...packages].sort() }
}

/**
 * tiny-secp256k1 imports its WebAssembly as a module, which browsers do not load yet. It becomes
 * base64 inside the bundle, instantiated synchronously as in Node.
 */
const inlineWasm: Plugin = {
  name: "inline-wasm",
  setup({ onLoad }) {
    onLoad({ filter: /tiny-secp256k1\/lib\/wasm_loader(\.browser)?\.js$/ }, async ({ path }) => {
      const folder = dirname(path)
      const wasm = await readFile(join(folder, "secp256k1.wasm"))
      const contents = `
        import * as rand from "./rand.browser.js"
        import * as validateError from "./validate_error.js"
        const bytes = Uint8Array.from(atob("${wasm.toString("base64")}"), (c) => c.charCodeAt(0))
        const imports = { "./rand.js": rand, "./validate_error.js": validateError }
        const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports)
        export default instance.exports`
      return { contents, resolveDir: folder, loader: "js" }
    })
  },
}
