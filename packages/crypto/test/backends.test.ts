import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { describe, it } from "node:test"
import { build } from "esbuild"
import { backend as wasm } from "../src/backends/secp256k1-wasm.ts"

const index = new URL("../src/index.ts", import.meta.url)

// Stands for a platform without a native build: the binding cannot be resolved.
const withoutNative = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module"
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier === "secp256k1/bindings.js") throw new Error("no native build")
      return next(specifier, context)
    },
  })`)}`

function backendIn(...options: readonly string[]): string {
  const program = `import { secp256k1 } from ${JSON.stringify(index.href)}; console.log(secp256k1.backend)`
  const flags = ["-C", "lockkeeper-source", "--input-type=module", "--eval", program]
  return execFileSync(process.execPath, [...options, ...flags], { encoding: "utf8" }).trim()
}

describe("the secp256k1 backend", () => {
  it("is the native library where it loads", () => {
    assert.equal(backendIn(), "libsecp256k1 (native)")
  })

  it("is WebAssembly where it does not, never silent JavaScript, and says what that costs", () => {
    assert.equal(backendIn("--import", withoutNative), wasm.name)
    assert.match(wasm.name, /secret multiplications are variable time/)
  })
})

describe("the browser build", () => {
  it("contains neither Node's modules nor the native binding", async () => {
    const result = await build({
      entryPoints: [index.pathname],
      bundle: true,
      write: false,
      metafile: true,
      format: "esm",
      platform: "browser",
      target: "es2024",
      conditions: ["lockkeeper-source", "browser", "import"],
      loader: { ".wasm": "empty" },
      logLevel: "silent",
    })
    const inputs = Object.keys(result.metafile.inputs)
    assert.equal(result.errors.length, 0)
    assert.deepEqual(
      inputs.filter((path) => /-node\.ts$|node_modules\/secp256k1\//.test(path)),
      [],
    )
    for (const used of ["secp256k1-wasm.ts", "symmetric-browser.ts", "sodium.ts"]) {
      assert.ok(
        inputs.some((path) => path.endsWith(used)),
        used,
      )
    }
  })
})
