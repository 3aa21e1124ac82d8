import type { Asked } from "./main.ts"
import { type Mode, planOf } from "./plan.ts"
import { type RunReport, runSeed } from "./run.ts"
import { storyOf } from "./story.ts"

/** How often the number of seeds so far is shown. */
const PROGRESS = 50

interface Totals {
  runs: number
  violations: number
  virtualMs: number
  readonly counts: Record<string, number>
  readonly faults: Record<string, number>
  readonly failedWith: Record<string, number>
}

/** Runs the seeds one after the other. Returns the exit code. */
export async function runAll(asked: Asked): Promise<number> {
  const { seeds, modes, json, keepGoing } = asked
  const totals: Totals = {
    ...{ runs: 0, violations: 0, virtualMs: 0 },
    ...{ counts: {}, faults: {}, failedWith: {} },
  }
  let firstSeed: number | null = null
  for (const [i, seed] of seeds.entries()) {
    // With both modes each seed is one of them, in turn.
    const mode = modes[seed % modes.length] as Mode
    const plan = planOf(seed, mode)
    if (asked.ecdsa && !plan.ecdsa) continue
    if (asked.operators && plan.operators === 0) continue
    if (asked.changes && plan.changes.length === 0) continue
    const report = await repeated(seed, mode, asked)
    add(totals, report)
    if (report.violations.length > 0) {
      firstSeed ??= seed
      console.error(told(report, asked))
      if (!keepGoing) break
    }
    if (!json && (i + 1) % PROGRESS === 0) console.log(`${i + 1} of ${seeds.length} seeds`)
  }
  const { counts, faults, failedWith, ...rest } = totals
  if (json) console.log(JSON.stringify({ ...rest, firstSeed, counts, faults, failedWith }))
  else {
    console.log(`${totals.runs} runs, ${Math.round(totals.virtualMs / 1000)} s of virtual time`)
    for (const group of [counts, faults, failedWith]) console.log(`  ${listed(group)}`)
    console.log(`${totals.violations} violations`)
  }
  return totals.violations > 0 ? 1 : 0
}

/** Runs one seed as often as asked; that the traces differ is a violation like any other. */
async function repeated(seed: number, mode: Mode, { repeat }: Asked): Promise<RunReport> {
  const first = await runSeed(seed, mode)
  for (let time = 1; time < repeat; time++) {
    const { traceHash } = await runSeed(seed, mode)
    if (traceHash === first.traceHash) continue
    const message = `run ${time + 1} has trace ${traceHash}, the first ${first.traceHash}`
    return { ...first, violations: [...first.violations, { checker: "replay", message }] }
  }
  if (repeat > 1) console.log(`${repeat} runs of seed ${seed}: one trace, ${first.traceHash}`)
  return first
}

function add(totals: Totals, report: RunReport): void {
  totals.runs += 1
  totals.violations += report.violations.length
  totals.virtualMs += report.virtualMs
  const into = (group: Record<string, number>, name: string, count: number): void => {
    group[name] = (group[name] ?? 0) + count
  }
  for (const [name, count] of Object.entries(report.counts)) into(totals.counts, name, count)
  for (const [name, n] of Object.entries(report.failedWith)) into(totals.failedWith, name, n)
  for (const name of report.faults) into(totals.faults, name, 1)
}

/** A violation with all that it takes to look for its cause. */
function told(report: RunReport, { bug, story }: Asked): string {
  const { plan, violations, lastLines, faults, observed } = report
  const { seed, mode } = plan
  const again = `npm run sim -- --seed ${seed} --mode ${mode}${bug === null ? "" : ` --bug ${bug}`}`
  const start = lastLines[0]?.time ?? 0
  return [
    `seed ${seed} (${mode}): ${violations.length} violations`,
    ...violations.slice(0, 20).map(({ checker, message }) => `  ${checker}: ${message}`),
    `  plan: ${JSON.stringify(plan)}`,
    `  faults: ${faults.join(", ")}`,
    ...(story ? ["  story:", ...storyOf(observed)] : []),
    "  last lines:",
    ...lastLines.map(({ time, actor, server, what, bytes }) => {
      return `    +${time - start} ms ${actor || "-"} > ${server} ${what} (${bytes} bytes)`
    }),
    `  again: ${again}`,
  ].join("\n")
}

function listed(group: Readonly<Record<string, number>>): string {
  return Object.entries(group)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ")
}
