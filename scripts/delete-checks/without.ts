/**
 * Preloaded into a test's process: one source file is read as it comes from standard input, with one
 * check deleted. The file on disk stays as it is.
 */
import { readFileSync } from "node:fs"
import { registerHooks, stripTypeScriptTypes } from "node:module"

const file = process.env["LOCKKEEPER_WITHOUT"]
const source = stripTypeScriptTypes(readFileSync(0, "utf8"))

registerHooks({
  load: (url, context, next) =>
    url === file ? { format: "module", source, shortCircuit: true } : next(url, context),
})
