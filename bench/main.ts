/**
 * Runs the benchmarks of this folder.
 *
 *   npm run bench                          all, for people
 *   npm run bench -- --json                one JSON line per figure
 *   npm run bench -- --only frost-cpu      one of them, by the name of its file
 *   npm run bench -- --list                their names
 */
import { readdirSync } from "node:fs"
import { parseArgs } from "node:util"
import { type Bench, type Figure, judge } from "./bench.ts"

const parts = new Set([
  "main.ts",
  "bench.ts",
  "measure.ts",
  "dkls-cluster.ts",
  "many-keys.ts",
  "presigning-owner.ts",
  "presigning-thread.ts",
])
const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
    only: { type: "string" },
  },
})

const names = readdirSync(new URL(".", import.meta.url))
  .filter((file) => file.endsWith(".ts") && !parts.has(file))
  .map((file) => file.slice(0, -3))
  .sort()
const chosen = names.filter((name) => values.only === undefined || name === values.only)

if (values.list) console.log(names.join("\n"))
else if (chosen.length === 0) {
  console.error(
    `No benchmark ${values.only ?? "exists"}. There are: ${names.join(", ") || "none"}.`,
  )
  process.exitCode = 2
} else {
  for (const name of chosen) {
    const module: { bench?: Bench } = await import(`./${name}.ts`)
    if (!module.bench) throw new Error(`bench/${name}.ts exports no bench`)
    await module.bench.run(report)
  }
}

function report(figure: Figure): void {
  const line = judge(figure)
  if (values.json) {
    console.log(JSON.stringify(line))
    return
  }
  const compared = line.baseline
    ? `, ${line.ratio} of ${line.baseline.name} (${line.baseline.value} ${line.unit})`
    : ""
  const judged = line.target ? `, target ${line.target}: ${line.met ? "met" : "NOT MET"}` : ""
  console.log(`${line.name}: ${line.value} ${line.unit}${compared}${judged}`)
  if (figure.consistsOf) console.log(`  ${figure.consistsOf}`)
}
