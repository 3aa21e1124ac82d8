/**
 * Runs every test file of the workspace and says how many tests ran.
 *
 *   npm test                         all of them
 *   npm test -- frost opaque         files whose path contains one of the words
 *   npm test -- --only "names the"   tests whose name matches
 *   npm run test:long                the same with the counts of `longRuns` below
 *   npm run coverage                 with line, branch and function coverage per file
 *
 * A file in which no test ran is a failure: so is a run without tests.
 */
import { globSync } from "node:fs"
import { cpus } from "node:os"
import { relative } from "node:path"
import { run } from "node:test"
import { parseArgs } from "node:util"
import { createReport, summaryLines } from "./test-report.ts"

/** How often the random and the crash tests repeat in `test:long`; each can be set by itself too. */
const longRuns = {
  DKG_BIAS_RUNS: 2000,
  LOCKKEEPER_KILLS: 200,
  LOCKKEEPER_RACES: 10_000,
  LOCKKEEPER_SEEDS: 2000,
  LOCKKEEPER_OPERATIONS: 1000,
  LOCKKEEPER_POLICY_REQUESTS: 100_000,
  LOCKKEEPER_SYSCALLS: 120,
  LOCKKEEPER_TAMPERED: 998,
  LOCKKEEPER_TRANSACTIONS: 20_000,
}

const root = new URL("..", import.meta.url).pathname
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    coverage: { type: "boolean", default: false },
    long: { type: "boolean", default: false },
    only: { type: "string" },
  },
})

const files = globSync(["packages/*/test/**/*.test.ts", "scripts/test/**/*.test.ts"], { cwd: root })
  .filter((file) => positionals.length === 0 || positionals.some((word) => file.includes(word)))
  .sort()
if (values.long) {
  for (const [name, count] of Object.entries(longRuns)) process.env[name] ??= String(count)
}

const report = createReport(process.stdout, (file) => relative(root, file))
if (files.length > 0) {
  const stream = run({
    files: files.map((file) => `${root}${file}`),
    cwd: root,
    concurrency: Math.max(1, Math.min(cpus().length, 4)),
    execArgv: ["-C", "lockkeeper-source"],
    timeout: values.long ? 3_600_000 : 600_000,
    coverage: values.coverage,
    coverageIncludeGlobs: ["packages/*/src/**/*.ts"],
    coverageExcludeGlobs: ["packages/*/src/gen/**"],
    ...(values.only ? { testNamePatterns: values.only } : {}),
  })
  for await (const event of stream) report.add(event)
}

const { lines, ok } = summaryLines(report.result(), files.length, values.only !== undefined)
console.log(lines.join("\n"))
process.exitCode = ok ? 0 : 1
