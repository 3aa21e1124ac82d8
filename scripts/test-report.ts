/** What the runner's events say of one test or, at the end of its process, of one file. */
interface EventData {
  readonly name: string
  readonly file?: string
  readonly entryFile?: string
  readonly line?: number
  readonly message?: string
  readonly skip?: string | boolean
  readonly todo?: string | boolean
  readonly details?: {
    readonly type?: string
    readonly passed?: boolean
    readonly duration_ms: number
    readonly error?: Error
  }
  readonly summary?: CoverageSummary
}

interface CoverageSummary {
  readonly files: readonly CoverageOf[]
  readonly totals: Omit<CoverageOf, "path">
}

interface CoverageOf {
  readonly path: string
  readonly coveredLinePercent: number
  readonly coveredBranchPercent: number
  readonly coveredFunctionPercent: number
}

/** Counts of one file; `crashed` when its process failed outside of any test. */
export interface FileResult {
  passed: number
  failed: number
  skipped: string[]
  crashed: boolean
}

export interface RunResult {
  readonly files: ReadonlyMap<string, FileResult>
  readonly failures: readonly string[]
}

export interface Report {
  add(event: { type: string; data?: unknown }): void
  result(): RunResult
}

/** One line per file while the run goes on; failures in full as they come and again at the end. */
export function createReport(
  out: { write(text: string): unknown },
  shorten: (file: string) => string,
): Report {
  const files = new Map<string, FileResult>()
  const output = new Map<string, string>()
  const failures: string[] = []

  function resultOf(file: string): FileResult {
    const known = files.get(shorten(file))
    if (known) return known
    const fresh: FileResult = { passed: 0, failed: 0, skipped: [], crashed: false }
    files.set(shorten(file), fresh)
    return fresh
  }

  function fail(file: string, data: EventData): void {
    const error = data.details?.error
    const cause = error?.cause instanceof Error ? (error.cause.stack ?? error.cause.message) : ""
    const text = `FAILED ${shorten(file)}:${data.line ?? 1} ${data.name}\n${indent(
      cause || String(error?.cause ?? error ?? ""),
    )}`
    failures.push(text)
    out.write(`${text}\n`)
  }

  function endOfFile(file: string, data: EventData, passed: boolean): void {
    const result = resultOf(file)
    const seconds = ((data.details?.duration_ms ?? 0) / 1000).toFixed(1)
    const ran = result.passed + result.failed
    // A process that failed without any failing test died: its output is all that is known.
    if (!passed && result.failed === 0) {
      result.crashed = true
      const text = `FAILED ${shorten(file)} (the process)\n${indent(output.get(file) ?? "")}`
      failures.push(text)
      out.write(`${text}\n`)
    }
    const verdict = passed ? "ok    " : "FAILED"
    const skipped = result.skipped.length > 0 ? `, ${result.skipped.length} skipped` : ""
    out.write(`${verdict} ${shorten(file)}: ${ran} tests${skipped}, ${seconds} s\n`)
  }

  return {
    add(event) {
      const data = event.data as EventData | undefined
      const file = data?.entryFile ?? data?.file
      if (!data || !file) {
        if (event.type === "test:coverage" && data?.summary) {
          out.write(coverageLines(data.summary, shorten).join("\n"))
        }
        return
      }
      if (event.type === "test:stdout" || event.type === "test:stderr") {
        output.set(file, `${output.get(file) ?? ""}${data.message}`)
      }
      if (event.type === "test:diagnostic" && data.message) out.write(`note   ${data.message}\n`)
      // Unlike "pass" and "fail", "complete" comes at once and for the file itself after its tests.
      if (event.type !== "test:complete") return
      // Nothing is told of the tests in a suite that is skipped as a whole.
      if (data.details?.type === "suite" && !data.skip) return
      const passed = data.details?.passed === true
      if (data.name === data.file) return endOfFile(file, data, passed)
      const result = resultOf(file)
      if (data.skip || data.todo) result.skipped.push(`${data.name}: ${data.skip || data.todo}`)
      else if (passed) result.passed += 1
      else {
        result.failed += 1
        fail(file, data)
      }
    },
    result: () => ({ files, failures }),
  }
}

/** The last lines of a run and whether it counts as passed. */
export function summaryLines(
  { files, failures }: RunResult,
  expected: number,
  filtered: boolean,
): { lines: string[]; ok: boolean } {
  const lines: string[] = []
  let passed = 0
  let failed = 0
  let crashed = 0
  const silent: string[] = []
  const skipped: string[] = []
  for (const [file, result] of files) {
    passed += result.passed
    failed += result.failed
    if (result.crashed) crashed += 1
    skipped.push(...result.skipped)
    if (result.passed + result.failed + result.skipped.length === 0) silent.push(file)
  }
  if (failures.length > 0) lines.push("", ...failures)
  for (const reason of skipped) lines.push(`skipped: ${reason}`)
  if (!filtered) for (const file of silent) lines.push(`FAILED ${file}: no test ran in it`)
  const ran = passed + failed
  if (ran === 0) lines.push("FAILED: no test ran")
  lines.push(
    `${ran} tests ran in ${expected} files, of which ${crashed} crashed`,
    `tests: ${passed} passed, ${failed} failed, ${skipped.length} skipped`,
  )
  const ok = ran > 0 && failed + crashed === 0 && files.size >= expected
  return { lines, ok: ok && (filtered || silent.length === 0) }
}

function coverageLines(summary: CoverageSummary, shorten: (file: string) => string): string[] {
  const row = (name: string, of: Omit<CoverageOf, "path">) =>
    `${name.padEnd(64)} ${percent(of.coveredLinePercent)} ${percent(of.coveredBranchPercent)} ` +
    percent(of.coveredFunctionPercent)
  const head = `${"covered, per cent".padEnd(64)}  lines branches functions`
  const files = summary.files.map((file) => row(shorten(file.path), file))
  return [head, ...files, row("all", summary.totals), ""]
}

const percent = (value: number) => value.toFixed(1).padStart(7)

const indent = (text: string) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n")
