/**
 * Preloaded into a test's process: one source file is read with one check deleted. The file on disk
 * stays as it is.
 */
import { readFileSync } from "node:fs"
import { registerHooks, stripTypeScriptTypes } from "node:module"

const { file, start, end, replacement } = JSON.parse(process.env["LOCKKEEPER_WITHOUT"] ?? "{}")

registerHooks({
  load(url, context, next) {
    if (url !== file) return next(url, context)
    const source = readFileSync(new URL(url))
    const edited = Buffer.concat([
      source.subarray(0, start),
      Buffer.from(replacement),
      source.subarray(end),
    ])
    const stripped = stripTypeScriptTypes(edited.toString("utf8"))
    return { format: "module", source: stripped, shortCircuit: true }
  },
})
