/**
 * Everything that is proven of the tree without running its tests.
 *
 *   npm run verify                   all checks
 *   npm run verify -- types lint     only these
 *   npm run verify -- --list         what each one proves
 */
import { parseArgs } from "node:util"
import type { Check } from "./checks/check.ts"
import { dependencies } from "./checks/dependencies.ts"
import { examples } from "./checks/examples.ts"
import { generated } from "./checks/generated.ts"
import { packed } from "./checks/packed.ts"
import { shape } from "./checks/shape.ts"
import { threatModel } from "./checks/threat-model.ts"
import { layers, lint, types, unused } from "./checks/tools.ts"

const checks: readonly Check[] = [
  packed,
  examples,
  types,
  lint,
  layers,
  unused,
  generated,
  dependencies,
  shape,
  threatModel,
]
const atOnce = 2

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: "boolean", default: false } },
})
const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "")
process.env["PATH"] = `${root}/node_modules/.bin:${process.env["PATH"] ?? ""}`

const unknown = positionals.filter((name) => !checks.some((check) => check.name === name))
if (values.list) {
  for (const check of checks) console.log(`${check.name.padEnd(14)}${check.proves}`)
} else if (unknown.length > 0) {
  console.error(`No such check: ${unknown.join(", ")}. npm run verify -- --list names them.`)
  process.exitCode = 2
} else {
  const chosen = checks.filter((c) => positionals.length === 0 || positionals.includes(c.name))
  const failed = await runAll(chosen)
  const passed = chosen.length - failed.length
  console.log(`verify: ${passed} of ${chosen.length} checks passed`)
  if (failed.length > 0) console.log(`verify: FAILED ${failed.join(", ")}`)
  process.exitCode = failed.length > 0 ? 1 : 0
}

async function runAll(chosen: readonly Check[]): Promise<string[]> {
  const failed: string[] = []
  const waiting = [...chosen]
  const worker = async () => {
    for (let check = waiting.shift(); check; check = waiting.shift()) {
      if (!(await runOne(check))) failed.push(check.name)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return failed
}

async function runOne(check: Check): Promise<boolean> {
  const started = performance.now()
  const findings = await check.run(root).catch((error: unknown) => ({
    problems: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
    notes: [],
  }))
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  const ok = findings.problems.length === 0
  console.log(`${ok ? "ok    " : "FAILED"} ${check.name} (${seconds} s)`)
  for (const note of findings.notes ?? []) console.log(`       ${note}`)
  for (const problem of findings.problems) console.log(indent(problem))
  return ok
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n")
}
